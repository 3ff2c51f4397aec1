//! The funnels of versions: moved with sessions, and read in a few statements whatever the number of users.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use entity::funnel;
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use super::bulk::{Bulk, Datum, Kind, OnConflict};
use super::query::Query;
use super::{Found, StorageError, Tenant, dialect};
use crate::domain::funnel::{FunnelStep, Funnels, StepFigures, median};
use crate::domain::id::{VersionId, WorkspaceId};
use crate::domain::standing::{Cell, DeploymentStatus};

const FUNNEL: Bulk = Bulk {
    table: "funnel",
    columns: &[
        ("version_id", Kind::Uuid),
        ("step", Kind::Text),
        ("workspace_id", Kind::Uuid),
        ("entered", Kind::BigInt),
        ("answered", Kind::BigInt),
        ("left_here", Kind::BigInt),
    ],
    key: "version_id, step",
    on_conflict: OnConflict::Overwrite,
};

const TIMES: Bulk = Bulk {
    table: "funnel_times",
    columns: &[
        ("version_id", Kind::Uuid),
        ("step", Kind::Text),
        ("seconds", Kind::BigInt),
        ("workspace_id", Kind::Uuid),
        ("answers", Kind::BigInt),
    ],
    key: "version_id, step, seconds",
    on_conflict: OnConflict::Overwrite,
};

/// How many answers took so long, by version, step and seconds.
type Times = BTreeMap<(VersionId, String, i64), i64>;

/// Moves the figures of funnels, and counts how long answers took. The versions must be locked.
pub(super) async fn move_figures(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    moves: &Funnels,
    answers: &[(VersionId, String, i64)],
) -> Result<(), StorageError> {
    if !moves.is_empty() {
        let known = read_figures(db, &versions(moves.keys().map(|(version, _)| *version))).await?;
        let row = |((version, step), moved): (&(VersionId, String), &StepFigures)| {
            let known = known.get(&(*version, step.clone())).copied().unwrap_or_default();
            vec![
                Datum::id(*version),
                Datum::text(step.as_str()),
                Datum::id(workspace),
                Datum::number(known.entered + moved.entered),
                Datum::number(known.answered + moved.answered),
                Datum::number(known.left + moved.left),
            ]
        };
        FUNNEL.write(db, &moves.iter().map(row).collect::<Vec<_>>()).await?;
    }
    count_answers(db, workspace, answers).await
}

async fn count_answers(
    db: &DatabaseTransaction,
    workspace: WorkspaceId,
    answers: &[(VersionId, String, i64)],
) -> Result<(), StorageError> {
    if answers.is_empty() {
        return Ok(());
    }
    let mut counts = Times::new();
    for answer in answers {
        *counts.entry(answer.clone()).or_default() += 1;
    }
    let known = known_times(db, &counts).await?;
    let row = |(key, count): (&(VersionId, String, i64), &i64)| {
        let (version, step, seconds) = key;
        let count = count + known.get(key).copied().unwrap_or_default();
        let seconds = Datum::number(*seconds);
        vec![Datum::id(*version), Datum::text(step.as_str()), seconds, Datum::id(workspace), Datum::number(count)]
    };
    Ok(TIMES.write(db, &counts.iter().map(row).collect::<Vec<_>>()).await?)
}

/// The stored counts of some durations, and of others of the same steps.
async fn known_times(db: &DatabaseTransaction, counts: &Times) -> Result<Times, StorageError> {
    let mut query = Query::on(db);
    let versions = query.among("version_id", &versions(counts.keys().map(|(version, ..)| *version)));
    let steps: BTreeSet<&str> = counts.keys().map(|(_, step, _)| step.as_str()).collect();
    let steps = query.among_texts("step", &steps.into_iter().collect::<Vec<_>>());
    let seconds: BTreeSet<i64> = counts.keys().map(|(.., seconds)| *seconds).collect();
    let seconds = query.among_numbers("seconds", &seconds.into_iter().collect::<Vec<_>>());
    let sql = format!(
        "SELECT version_id, step, seconds, answers FROM funnel_times WHERE {versions} AND {steps} AND {seconds}"
    );
    let rows = query.all(sql, |row| Ok(((row.id()?, row.value()?, row.value()?), row.value()?))).await?;
    Ok(rows.into_iter().collect())
}

/// The stored figures of versions.
pub(super) async fn read_figures(db: &impl ConnectionTrait, versions: &[VersionId]) -> Result<Funnels, StorageError> {
    let mut query = Query::on(db);
    let versions = query.among("version_id", versions);
    let rows = query.models::<funnel::Model>(format!("SELECT * FROM funnel WHERE {versions}")).await?;
    let figures = |row: funnel::Model| {
        let figures = StepFigures { entered: row.entered, answered: row.answered, left: row.left_here };
        ((row.version_id.into(), row.step), figures)
    };
    Ok(rows.into_iter().map(figures).collect())
}

/// How many answers are counted for each step of a version.
pub(super) async fn read_answers(
    db: &impl ConnectionTrait,
    version: VersionId,
) -> Result<BTreeMap<String, i64>, StorageError> {
    let mut query = Query::on(db);
    let version = query.bind(version.0);
    let sql = format!(
        "SELECT step, CAST(sum(answers) AS BIGINT) FROM funnel_times WHERE version_id = {version} GROUP BY step"
    );
    Ok(query.all(sql, |row| Ok((row.value()?, row.value()?))).await?.into_iter().collect())
}

/// The funnels of versions: their steps by name, those that nobody entered left out. At most four statements, whatever the
/// number of users.
pub async fn find_many(tenant: &Tenant, versions: &[VersionId]) -> Found<VersionId, Vec<FunnelStep>> {
    let mut figures = read_figures(tenant.database().reader(), versions).await?;
    for ((version, start), reached) in reached_by_sends(tenant, versions).await? {
        figures.entry((version, start)).or_default().entered += reached;
    }
    let mut times: HashMap<(VersionId, String), Vec<(i64, i64)>> = HashMap::new();
    for ((version, step, seconds), answers) in read_times(tenant, versions).await? {
        times.entry((version, step)).or_default().push((seconds, answers));
    }
    let mut found: HashMap<VersionId, Vec<FunnelStep>> =
        versions.iter().map(|version| (*version, Vec::new())).collect();
    for ((version, step), figures) in figures {
        let median_seconds = times.get(&(version, step.clone())).and_then(|counts| median(counts));
        found.entry(version).or_default().push(FunnelStep { step, figures, median_seconds });
    }
    Ok(found)
}

/// How many deployments of sends reached their users, by version and the first step of its flow, which is what they were
/// sent.
async fn reached_by_sends(
    tenant: &Tenant,
    versions: &[VersionId],
) -> Result<Vec<((VersionId, String), i64)>, StorageError> {
    let mut query = Query::of(tenant);
    let among = query.among("s.version_id", versions);
    let sql = format!(
        "SELECT s.version_id, t.cell, CAST(sum(t.deployments) AS BIGINT) FROM send_tally t \
         JOIN sends s ON s.id = t.send_id WHERE s.workspace_id = $1 AND {among} GROUP BY s.version_id, t.cell"
    );
    let sums = query.all(sql, |row| Ok((row.id()?, row.cell()?, row.value::<i64>()?))).await?;
    let reached = |cell: Cell| matches!(cell.status, DeploymentStatus::Delivered | DeploymentStatus::Read);
    let mut reached_of: BTreeMap<VersionId, i64> = BTreeMap::new();
    for (version, _, count) in sums.into_iter().filter(|(_, cell, _)| reached(*cell)) {
        *reached_of.entry(version).or_default() += count;
    }
    let starts = starts(tenant, &reached_of.keys().copied().collect::<Vec<_>>()).await?;
    let with_start = |(version, start): (VersionId, String)| Some(((version, start), *reached_of.get(&version)?));
    Ok(starts.into_iter().filter_map(with_start).collect())
}

/// The first step of each version's flow.
async fn starts(tenant: &Tenant, versions: &[VersionId]) -> Result<Vec<(VersionId, String)>, StorageError> {
    let mut query = Query::of(tenant);
    let (start, among) = (dialect::json_text(query.backend(), "flow", "start"), query.among("id", versions));
    let sql = format!("SELECT id, {start} FROM versions WHERE workspace_id = $1 AND {among}");
    let rows = query.all(sql, |row| Ok((row.id()?, row.value::<Option<String>>()?))).await?;
    Ok(rows.into_iter().filter_map(|(version, start)| Some((version, start?))).collect())
}

async fn read_times(
    tenant: &Tenant,
    versions: &[VersionId],
) -> Result<Vec<((VersionId, String, i64), i64)>, StorageError> {
    let mut query = Query::of(tenant);
    let among = query.among("version_id", versions);
    let sql = format!(
        "SELECT version_id, step, seconds, answers FROM funnel_times WHERE workspace_id = $1 AND {among} \
         ORDER BY version_id, step, seconds"
    );
    query.all(sql, |row| Ok(((row.id()?, row.value()?, row.value()?), row.value()?))).await
}

fn versions(all: impl Iterator<Item = VersionId>) -> Vec<VersionId> {
    all.collect::<BTreeSet<_>>().into_iter().collect()
}
