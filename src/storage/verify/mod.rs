//! Verification: recomputing everything that is stored redundantly, from the facts alone.
//!
//! Everything is read in one snapshot, so it can run at any time, under load. It recomputes the cell of each user and the time
//! of the earliest answer, the tallies of versions and sends, the funnels, and the number of deployments, and checks that the log has no
//! gaps and adds up to the tally.

mod funnels;

use std::collections::{BTreeMap, HashMap};

use entity::{deployments, messages, users, versions};
use sea_orm::DatabaseTransaction;
use uuid::Uuid;

use super::query::Query;
use super::row::Row;
use super::rows::{deployment_facts, message_entry, user_entry};
use super::{Database, StorageError, ledger};
use crate::domain::clock::Timestamp;
use crate::domain::code::Coded;
use crate::domain::id::{DeploymentId, SendId, UserId, VersionId};
use crate::domain::merge::{DeploymentFacts, MessageFacts};
use crate::domain::message::{MessageKind, Sender};
use crate::domain::standing::Cell;
use crate::domain::tally::Tally;

/// The number of users that are verified at a time.
const BATCH_SIZE: i64 = 1_000;

/// A difference between a stored value and its recomputation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The id of the version, send, user or deployment.
    pub of: String,
    /// The name of the value.
    pub what: String,
    /// The stored value.
    pub kept: String,
    /// The value according to the facts.
    pub counted: String,
}

/// The result of a verification.
#[derive(Debug, Default)]
pub struct Verification {
    /// How many versions were verified.
    pub versions: usize,
    /// How many users were verified.
    pub users: i64,
    /// All differences; empty if everything is consistent.
    pub differences: Vec<Difference>,
}

/// Verifies all versions of all workspaces. `progress` is called with the number of users verified so far.
pub async fn run(db: &Database, progress: impl Fn(i64)) -> Result<Verification, StorageError> {
    let snapshot = db.snapshot().await?;
    let mut verifier = Verifier { db: &snapshot, found: Verification::default(), sends: HashMap::new() };
    let sql = "SELECT * FROM versions ORDER BY id".to_owned();
    for version in Query::on(&snapshot).models::<versions::Model>(sql).await? {
        verifier.version(&version, &progress).await?;
    }
    verifier.sends().await?;
    let found = verifier.found;
    snapshot.commit().await?;
    Ok(found)
}

struct Verifier<'a> {
    db: &'a DatabaseTransaction,
    found: Verification,
    sends: HashMap<SendId, Tally>,
}

/// The deployments of some users, with their recomputed cells.
struct Recount {
    deployments: Vec<(deployments::Model, Cell)>,
}

/// A user's message, with what decides whether it is an answer.
struct Turn {
    place: (Timestamp, Option<String>),
    kind: MessageKind,
    /// Whether no send made the deployment, and it did not begin before this: then the least of all messages began it.
    by_user: bool,
    /// The time from which messages are answers; `None` if there was nothing to answer.
    since: Option<Timestamp>,
}

impl Turn {
    fn read(row: &mut Row<'_>) -> Result<Self, StorageError> {
        Ok(Self {
            place: (row.time()?, row.value()?),
            kind: row.code()?,
            by_user: row.value()?,
            since: row.optional_time()?,
        })
    }

    fn first_answer(mut turns: Vec<Self>) -> Option<Timestamp> {
        turns.sort_by(|one, other| one.place.cmp(&other.place));
        let skipped = usize::from(turns.first()?.by_user);
        let answers = turns.into_iter().skip(skipped).filter(|turn| {
            let asked = turn.since.is_some_and(|since| since.seconds() <= turn.place.0.seconds());
            asked && turn.kind != MessageKind::Reaction
        });
        answers.map(|turn| turn.place.0).next()
    }
}

impl Verifier<'_> {
    async fn version(&mut self, version: &versions::Model, progress: &impl Fn(i64)) -> Result<(), StorageError> {
        let (mut tally, mut attempts) = (Tally::default(), 0_i64);
        let mut place = (-1, Uuid::nil());
        loop {
            let users = self.users_behind(version.id, place).await?;
            let Some(last) = users.last() else { break };
            place = (last.deployed_at, last.id);
            let recount = self.recount(&users).await?;
            attempts += i64::try_from(recount.deployments.len()).unwrap_or(i64::MAX);
            self.users(&users, &recount, &mut tally)?;
            self.found.users += i64::try_from(users.len()).unwrap_or(i64::MAX);
            progress(self.found.users);
        }
        self.found.versions += 1;
        let name = VersionId(version.id).to_string();
        self.compare(&name, "totalDeployments", &version.total_deployments, &attempts);
        let kept = ledger::read_tallies(self.db, &[version.id.into()]).await?.remove(&version.id.into());
        self.compare_tallies(&name, &kept.unwrap_or_default(), &tally);
        self.log(version, &name, &tally).await?;
        self.funnel(version).await
    }

    async fn users_behind(&self, version: Uuid, (at, id): (i64, Uuid)) -> Result<Vec<users::Model>, StorageError> {
        let mut query = Query::on(self.db);
        let (version, at, id, limit) = (query.bind(version), query.bind(at), query.bind(id), query.bind(BATCH_SIZE));
        let sql = format!(
            "SELECT * FROM users WHERE version_id = {version} AND (deployed_at, id) > ({at}, {id}) \
             ORDER BY deployed_at, id LIMIT {limit}"
        );
        query.models(sql).await
    }

    async fn recount(&mut self, users: &[users::Model]) -> Result<Recount, StorageError> {
        let ids: Vec<UserId> = users.iter().map(|user| user.id.into()).collect();
        let firsts = self.first_messages(&ids).await?;
        let answers = self.answers(&ids).await?;
        let mut query = Query::on(self.db);
        let ids = query.among("user_id", &ids);
        let sql = format!("SELECT * FROM deployments WHERE {ids} ORDER BY user_id, number");
        let mut counted = Vec::new();
        for row in query.models::<deployments::Model>(sql).await? {
            let id: DeploymentId = row.id.into();
            let facts = DeploymentFacts { answered: answers.get(&id).copied(), ..deployment_facts(&row)? };
            let name = id.to_string();
            self.compare(&name, "answeredAt", &row.answered_at, &facts.answered.map(Timestamp::micros));
            let cell = Cell::of(&facts, firsts.get(&id));
            if let Some(send) = row.send_id {
                self.sends.entry(send.into()).or_default().add(cell, 1);
            }
            counted.push((row, cell));
        }
        Ok(Recount { deployments: counted })
    }

    async fn first_messages(&self, users: &[UserId]) -> Result<HashMap<DeploymentId, MessageFacts>, StorageError> {
        let mut query = Query::on(self.db);
        let users = query.among("user_id", users);
        let sql = format!("SELECT * FROM messages WHERE first AND {users}");
        let rows = query.models::<messages::Model>(sql).await?;
        rows.into_iter().map(|row| message_entry(row).map(|entry| (entry.deployment, entry.facts))).collect()
    }

    /// Recomputes the earliest answer of each deployment: at or after its first message, in whole seconds, or its beginning if
    /// another system never reported a first message. A message that began the deployment is not an answer. What a flow
    /// jumped to was begun by none.
    async fn answers(&self, users: &[UserId]) -> Result<HashMap<DeploymentId, Timestamp>, StorageError> {
        let mut query = Query::on(self.db);
        let users = query.among("a.user_id", users);
        let sender = query.bind(Sender::User.code());
        let sql = format!(
            "SELECT a.deployment_id, a.at, a.provider_message_id, a.kind, \
             d.send_id IS NULL AND COALESCE(a.at <= d.began_at, FALSE) AS by_user, \
             COALESCE(f.at, CASE WHEN d.send_id IS NOT NULL THEN d.began_at END) AS since FROM messages a \
             JOIN deployments d ON d.id = a.deployment_id LEFT JOIN messages f ON f.deployment_id = d.id AND f.first \
             WHERE {users} AND a.sender = {sender}"
        );
        let mut turns: HashMap<DeploymentId, Vec<Turn>> = HashMap::new();
        for (deployment, turn) in query.all(sql, |row| Ok((row.id()?, Turn::read(row)?))).await? {
            turns.entry(deployment).or_default().push(turn);
        }
        Ok(turns.into_iter().filter_map(|(id, turns)| Some((id, Turn::first_answer(turns)?))).collect())
    }

    fn users(&mut self, users: &[users::Model], recount: &Recount, tally: &mut Tally) -> Result<(), StorageError> {
        let latest: BTreeMap<Uuid, (i32, Cell)> =
            recount.deployments.iter().map(|(row, cell)| (row.user_id, (row.number, *cell))).collect();
        for user in users {
            let name = UserId(user.id).to_string();
            let Some((number, cell)) = latest.get(&user.id) else {
                self.compare(&name, "deployments", &user.deployments, &0);
                continue;
            };
            self.compare(&name, "deployments", &user.deployments, number);
            self.compare(&name, "standing", &user_entry(user)?.standing(), cell);
            tally.add(*cell, 1);
        }
        Ok(())
    }

    /// Checks that the log has every number up to the revision exactly once, and that its moves add up to the tally. Of a
    /// log that was trimmed, only the numbers can be checked.
    async fn log(&mut self, version: &versions::Model, name: &str, tally: &Tally) -> Result<(), StorageError> {
        let mut query = Query::on(self.db);
        let id = query.bind(version.id);
        let sql = format!(
            "SELECT cell_before, cell, COUNT(*), MAX(revision) FROM changes WHERE version_id = {id} GROUP BY cell_before, cell"
        );
        let (mut moved, mut count, mut last) = (Tally::default(), 0_i64, version.trimmed);
        let read =
            |row: &mut Row<'_>| Ok((row.optional_cell()?, row.cell()?, row.value::<i64>()?, row.value::<i64>()?));
        for (before, after, times, newest) in query.all(sql, read).await? {
            if let Some(before) = before {
                moved.add(before, -times);
            }
            moved.add(after, times);
            count += times;
            last = last.max(newest);
        }
        self.compare(name, "revision", &version.revision, &last);
        self.compare(name, "changes", &(version.revision - version.trimmed), &count);
        if version.trimmed == 0 {
            self.compare_tallies(&format!("{name} log"), &moved, tally);
        }
        Ok(())
    }

    async fn sends(&mut self) -> Result<(), StorageError> {
        let counted = std::mem::take(&mut self.sends);
        let sql = "SELECT send_id FROM send_tally GROUP BY send_id".to_owned();
        let kept: Vec<SendId> = Query::on(self.db).ids(sql).await?;
        let ids: std::collections::BTreeSet<SendId> = kept.into_iter().chain(counted.keys().copied()).collect();
        for chunk in ids.into_iter().collect::<Vec<_>>().chunks(500) {
            let mut kept = ledger::read_send_tallies(self.db, chunk).await?;
            for send in chunk {
                let counted = counted.get(send).cloned().unwrap_or_default();
                self.compare_tallies(&send.to_string(), &kept.remove(send).unwrap_or_default(), &counted);
            }
        }
        Ok(())
    }

    fn compare_tallies(&mut self, of: &str, kept: &Tally, counted: &Tally) {
        for (cell, kept, counted) in kept.differences(counted) {
            self.compare(of, &format!("{cell:?}"), &kept, &counted);
        }
    }

    fn compare<T: PartialEq + std::fmt::Debug>(&mut self, of: &str, what: &str, kept: &T, counted: &T) {
        if kept != counted {
            let (kept, counted) = (format!("{kept:?}"), format!("{counted:?}"));
            self.found.differences.push(Difference { of: of.to_owned(), what: what.to_owned(), kept, counted });
        }
    }
}
