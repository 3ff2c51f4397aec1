//! Lines.

use entity::lines;
use sea_orm::{EntityTrait, Set, TryInsertResult};

use super::query::Query;
use super::row::Row;
use super::source::Source;
use super::{Database, Found, StorageError, Tenant};
use crate::domain::clock::Timestamp;
use crate::domain::id::{LineId, WorkspaceId};
use crate::domain::line::Line;
use crate::domain::phone::Phone;

const LINES: Source<Line> = Source {
    table: "lines",
    columns: "lines.id, lines.phone, lines.phone_number_id, lines.name, lines.messages_per_second, lines.external",
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
        messages_per_second: Set(i32::try_from(line.messages_per_second).unwrap_or(i32::MAX)),
        external: Set(line.external),
        created_at: Set(now.micros()),
        ..Default::default()
    };
    let insert = lines::Entity::insert(row).on_conflict_do_nothing_on([lines::Column::PhoneNumberId]);
    let inserted = insert.exec_without_returning(tenant.database().writer()).await?;
    Ok(matches!(inserted, TryInsertResult::Inserted(1)))
}

/// Lines by id.
pub async fn find_many(tenant: &Tenant, ids: &[LineId]) -> Found<LineId, Line> {
    LINES.find_many(tenant, ids, |line| line.id).await
}

/// All lines of the workspace, oldest first.
pub async fn list(tenant: &Tenant) -> Result<Vec<Line>, StorageError> {
    let sql = format!("{} ORDER BY lines.created_at, lines.id", LINES.select("TRUE"));
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
    })
}

/// The workspace and line with the provider's id of a number, which never change. `None` if there is no such line.
pub async fn owner(db: &Database, phone_number_id: &str) -> Result<Option<(WorkspaceId, LineId)>, StorageError> {
    let mut query = Query::anywhere(db);
    let id = query.bind(phone_number_id);
    let sql = format!("SELECT workspace_id, id FROM lines WHERE phone_number_id = {id}");
    let owners = query.all(sql, |row| Ok((row.id()?, row.id()?))).await?;
    Ok(owners.into_iter().next())
}
