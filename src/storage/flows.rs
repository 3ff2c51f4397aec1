//! The flows of versions, read once and kept: they never change.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use moka::sync::Cache;
use sea_orm::ConnectionTrait;

use super::StorageError;
use super::query::Query;
use crate::domain::flow::Flow;
use crate::domain::id::{VersionId, WorkspaceId};

/// The flows that run, by version. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Flows(Cache<VersionId, Option<Arc<Flow>>>);

/// The most flows that are kept. The largest take about a megabyte.
const MAX_FLOWS: u64 = 200;

impl Default for Flows {
    fn default() -> Self {
        Self(Cache::new(MAX_FLOWS))
    }
}

impl Flows {
    /// The flows that run in some of these versions. None runs where another system sends.
    pub(super) async fn of(
        &self,
        db: &impl ConnectionTrait,
        workspace: WorkspaceId,
        versions: &BTreeSet<VersionId>,
    ) -> Result<HashMap<VersionId, Arc<Flow>>, StorageError> {
        let known: HashMap<_, _> = versions.iter().filter_map(|id| Some((*id, self.0.get(id)?))).collect();
        let unknown: Vec<VersionId> = versions.iter().filter(|id| !known.contains_key(id)).copied().collect();
        let read = self.read(db, workspace, &unknown).await?;
        let runs = |(version, flow): (VersionId, Option<Arc<Flow>>)| Some((version, flow?));
        let found = known.into_iter().chain(read).filter_map(runs).collect();
        Ok(found)
    }

    async fn read(
        &self,
        db: &impl ConnectionTrait,
        workspace: WorkspaceId,
        versions: &[VersionId],
    ) -> Result<HashMap<VersionId, Option<Arc<Flow>>>, StorageError> {
        let mut query = Query::on(db);
        let (workspace, versions) = (query.bind(workspace.0), query.among("v.id", versions));
        let sql = format!(
            "SELECT v.id, v.flow, l.external FROM versions v JOIN conversations c ON c.id = v.conversation_id \
             JOIN lines l ON l.id = c.line_id WHERE v.workspace_id = {workspace} AND {versions}"
        );
        let rows = query.all(sql, |row| Ok((row.id()?, row.value::<String>()?, row.value::<bool>()?))).await?;
        let mut read = HashMap::new();
        for (version, flow, external) in rows {
            let flow = if external { None } else { Flow::of_published(&flow).map(Arc::new) };
            self.0.insert(version, flow.clone());
            read.insert(version, flow);
        }
        Ok(read)
    }
}
