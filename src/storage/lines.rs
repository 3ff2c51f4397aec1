//! Lines.

use entity::lines;
use sea_orm::{DatabaseTransaction, EntityTrait, Set, TryInsertResult};

use super::query::Query;
use super::row::Row;
use super::source::Source;
use super::{Database, Found, StorageError, Tenant, dialect};
use crate::domain::clock::Timestamp;
use crate::domain::id::{LineId, WorkspaceId};
use crate::domain::inbound::InboundRules;
use crate::domain::line::{Line, LineStop};
use crate::domain::phone::Phone;

const LINES: Source<Line> = Source {
    table: "lines",
    columns: "lines.id, lines.phone, lines.phone_number_id, lines.name, lines.messages_per_second, lines.external, \
              lines.stop_text, lines.stop_code, coalesce(lines.stopped_at, lines.resumed_at, lines.created_at), \
              lines.inbound_rules, lines.default_conversation_id",
    joins: "",
    read,
};

/// Creates a line; `false` if its provider's id is taken, in any workspace.
pub async fn create(tenant: &Tenant, line: &Line, now: Timestamp) -> Result<bool, StorageError> {
    let row = lines::ActiveModel {
        id: Set(line.id.0),
        workspace_id: Set(tenant.workspace().0),
        phone: Set(line.phone.as_str().to_owned()),
        phone_number_id: Set(line.phone_number_id.clone()),
        name: Set(line.name.clone()),
        messages_per_second: Set(rate(line)),
        external: Set(line.external),
        created_at: Set(now.micros()),
        ..Default::default()
    };
    let insert = lines::Entity::insert(row).on_conflict_do_nothing_on([lines::Column::PhoneNumberId]);
    let inserted = insert.exec_without_returning(tenant.database().writer()).await?;
    Ok(matches!(inserted, TryInsertResult::Inserted(1)))
}

/// Changes what an operator may change of a line: its name, rate, inbound rules and default conversation. `false` if
/// there is no such line.
pub async fn update(tenant: &Tenant, line: &Line) -> Result<bool, StorageError> {
    let mut query = Query::on(tenant.database().writer());
    let (workspace, id) = (query.bind(tenant.workspace().0), query.bind(line.id.0));
    let (name, rate) = (query.bind(line.name.as_str()), query.bind(rate(line)));
    let rules = query.bind(write_rules(&line.inbound_rules)?);
    let conversation = query.bind(line.default_conversation.map(|conversation| conversation.0));
    let sql = format!(
        "UPDATE lines SET name = {name}, messages_per_second = {rate}, inbound_rules = {rules}, \
         default_conversation_id = {conversation} WHERE workspace_id = {workspace} AND id = {id}"
    );
    Ok(query.execute(sql).await? == 1)
}

/// Stops a line because of an error. If it is stopped already, only the error and the time of the next probe change:
/// `next_probe` tells it from the number of probes so far.
pub async fn stop(
    db: &Database,
    line: LineId,
    stop: &LineStop,
    now: Timestamp,
    next_probe: impl Fn(u32) -> Timestamp,
) -> Result<(), StorageError> {
    let transaction = db.begin().await?;
    let probe_at = next_probe(probes(&transaction, line).await?);
    let mut query = Query::on(&transaction);
    let (line, now, code) = (query.bind(line.0), query.bind(now.micros()), query.bind(stop.code));
    let (text, probe_at) = (query.bind(stop.text.as_str()), query.bind(probe_at.micros()));
    let sql = format!(
        "UPDATE lines SET probes = CASE WHEN stopped_at IS NULL THEN 0 ELSE probes + 1 END, \
         stopped_at = coalesce(stopped_at, {now}), stop_code = {code}, stop_text = {text}, probe_at = {probe_at} \
         WHERE id = {line}"
    );
    query.execute(sql).await?;
    Ok(transaction.commit().await?)
}

/// Sets the time of the next probe of a stopped line, since the last one told nothing.
pub async fn probe_later(
    db: &Database,
    line: LineId,
    next_probe: impl Fn(u32) -> Timestamp,
) -> Result<(), StorageError> {
    let transaction = db.begin().await?;
    let probe_at = next_probe(probes(&transaction, line).await?);
    let mut query = Query::on(&transaction);
    let (line, probe_at) = (query.bind(line.0), query.bind(probe_at.micros()));
    let sql = format!(
        "UPDATE lines SET probes = probes + 1, probe_at = {probe_at} WHERE id = {line} AND stopped_at IS NOT NULL"
    );
    query.execute(sql).await?;
    Ok(transaction.commit().await?)
}

/// Lets a stopped line send again; any other stays as it is.
pub async fn resume(tenant: &Tenant, line: LineId, now: Timestamp) -> Result<(), StorageError> {
    let mut query = Query::on(tenant.database().writer());
    let workspace = query.bind(tenant.workspace().0);
    let (line, now) = (query.bind(line.0), query.bind(now.micros()));
    let sql = format!(
        "UPDATE lines SET stopped_at = NULL, stop_code = NULL, stop_text = NULL, probe_at = NULL, probes = 0, \
         resumed_at = {now} WHERE workspace_id = {workspace} AND id = {line} AND stopped_at IS NOT NULL"
    );
    query.execute(sql).await?;
    Ok(())
}

/// How often a stopped line was probed; 0 for one that is not stopped. The line's row is locked.
async fn probes(db: &DatabaseTransaction, line: LineId) -> Result<u32, StorageError> {
    let mut query = Query::on(db);
    let (line, lock) = (query.bind(line.0), dialect::for_update(query.backend()));
    let sql = format!("SELECT CAST(probes AS bigint) FROM lines WHERE id = {line} {lock}");
    let probes = query.number(sql).await?.unwrap_or_default();
    Ok(u32::try_from(probes).unwrap_or_default())
}

fn rate(line: &Line) -> i32 {
    i32::try_from(line.messages_per_second).unwrap_or(i32::MAX)
}

/// Lines by id.
pub async fn find_many(tenant: &Tenant, ids: &[LineId]) -> Found<LineId, Line> {
    LINES.find_many(tenant, ids, |line| line.id).await
}

/// All lines of the workspace, oldest first.
pub async fn list(tenant: &Tenant) -> Result<Vec<Line>, StorageError> {
    let sql = format!("{} ORDER BY lines.created_at, lines.id", LINES.select("lines.workspace_id = $1"));
    Query::of(tenant).all(sql, read).await
}

fn read(row: &mut Row<'_>) -> Result<Line, StorageError> {
    Ok(Line {
        id: row.id()?,
        phone: Phone::stored(row.value()?),
        phone_number_id: row.value()?,
        name: row.value()?,
        messages_per_second: u32::try_from(row.value::<i32>()?).map_err(|_| StorageError::Corrupt("rate"))?,
        external: row.value()?,
        stop: read_stop(row)?,
        state_since: row.time()?,
        inbound_rules: read_rules(row.value::<Option<String>>()?.as_deref())?,
        default_conversation: row.optional_id()?,
    })
}

/// Rules as they are stored; null if there are none.
pub(super) fn read_rules(stored: Option<&str>) -> Result<InboundRules, StorageError> {
    let rules = stored.map(serde_json::from_str).transpose();
    Ok(rules.map_err(|_| StorageError::Corrupt("inbound rules"))?.unwrap_or_default())
}

fn write_rules(rules: &InboundRules) -> Result<Option<String>, StorageError> {
    let rules = Some(rules).filter(|rules| !rules.0.is_empty());
    let written = rules.map(serde_json::to_string).transpose();
    written.map_err(|_| StorageError::Corrupt("inbound rules"))
}

fn read_stop(row: &mut Row<'_>) -> Result<Option<LineStop>, StorageError> {
    let (text, code) = (row.value::<Option<String>>()?, row.value()?);
    Ok(text.map(|text| LineStop { code, text }))
}

/// The workspace and line with the provider's id of a number, which never change. `None` if there is no such line.
pub async fn owner(db: &Database, phone_number_id: &str) -> Result<Option<(WorkspaceId, LineId)>, StorageError> {
    let mut query = Query::anywhere(db);
    let id = query.bind(phone_number_id);
    let sql = format!("SELECT workspace_id, id FROM lines WHERE phone_number_id = {id}");
    let owners = query.all(sql, |row| Ok((row.id()?, row.id()?))).await?;
    Ok(owners.into_iter().next())
}
