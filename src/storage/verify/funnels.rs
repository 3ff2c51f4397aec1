//! The funnels of versions, recounted from their sessions.

use std::collections::BTreeMap;

use entity::{deployments, sessions, versions};
use uuid::Uuid;

use super::{BATCH_SIZE, Verifier};
use crate::domain::flow::Flow;
use crate::domain::funnel::{Contribution, Funnels};
use crate::domain::id::VersionId;
use crate::storage::query::Query;
use crate::storage::{StorageError, funnels, rows};

impl Verifier<'_> {
    /// Recounts the funnel of a version, and checks that the times of all answers are counted.
    pub(super) async fn funnel(&mut self, version: &versions::Model) -> Result<(), StorageError> {
        let id = VersionId(version.id);
        let name = id.to_string();
        let kept = funnels::read_figures(self.db, &[id]).await?;
        let flow = Flow::of_published(&version.flow);
        let counted = match &flow {
            Some(flow) => self.recount_funnel(id, flow).await?,
            None => Funnels::new(),
        };
        let steps: std::collections::BTreeSet<_> = kept.keys().chain(counted.keys()).cloned().collect();
        for step in steps {
            let figures = |funnels: &Funnels| funnels.get(&step).copied().unwrap_or_default();
            self.compare(&name, &format!("funnel of {:?}", step.1), &figures(&kept), &figures(&counted));
        }
        let answers = funnels::read_answers(self.db, id).await?;
        let asked = flow.iter().flat_map(|flow| flow.steps.iter().filter(|(_, step)| step.waits()));
        let expected: BTreeMap<String, i64> = asked
            .filter_map(|(step, _)| Some((step.clone(), counted.get(&(id, step.clone()))?.answered)))
            .filter(|(_, answered)| *answered > 0)
            .collect();
        self.compare(&name, "times of answers", &answers, &expected);
        Ok(())
    }

    async fn recount_funnel(&self, version: VersionId, flow: &Flow) -> Result<Funnels, StorageError> {
        let (mut counted, mut behind) = (Funnels::new(), Uuid::nil());
        loop {
            let batch = self.sessions_behind(version, behind).await?;
            let Some((last, _)) = batch.last() else { break };
            behind = last.id;
            for (deployment, session) in batch {
                let status = rows::deployment_facts(&deployment)?.session.map(|session| session.status);
                let (_, session) = rows::session_entry(session)?;
                let sent = deployment.send_id.is_some();
                let contribution = session.state.map(|state| Contribution::of(flow, &state, status, sent));
                if let Some(contribution) = contribution {
                    Contribution::default().move_to(&contribution, &mut counted, version, flow);
                }
            }
        }
        counted.retain(|_, figures| !figures.is_empty());
        Ok(counted)
    }

    /// Some deployments of a version with their sessions, in the order of their ids.
    async fn sessions_behind(
        &self,
        version: VersionId,
        behind: Uuid,
    ) -> Result<Vec<(deployments::Model, sessions::Model)>, StorageError> {
        let mut query = Query::on(self.db);
        let (version, behind, limit) = (query.bind(version.0), query.bind(behind), query.bind(BATCH_SIZE));
        let of_version = format!("version_id = {version} AND id > {behind}");
        let sql = format!(
            "SELECT * FROM deployments WHERE {of_version} AND id IN (SELECT deployment_id FROM sessions) \
             ORDER BY id LIMIT {limit}"
        );
        let deployments = query.models::<deployments::Model>(sql).await?;
        let mut query = Query::on(self.db);
        let ids = query.among("deployment_id", &deployments.iter().map(|one| one.id).collect::<Vec<_>>());
        let sessions = query.models::<sessions::Model>(format!("SELECT * FROM sessions WHERE {ids}")).await?;
        let mut by_deployment: BTreeMap<_, _> = sessions.into_iter().map(|one| (one.deployment_id, one)).collect();
        let paired = deployments.into_iter().filter_map(|one| {
            let session = by_deployment.remove(&one.id)?;
            Some((one, session))
        });
        Ok(paired.collect())
    }
}
