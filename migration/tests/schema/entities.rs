//! The entities against the tables that they describe.

use std::collections::BTreeSet;

use entity::{
    audit, changes, contacts, conversations, deployments, funnel, funnel_times, kept, leases, lines, messages, outbox,
    parked, reached, send_tally, sends, sessions, staged, stream_tokens, tally, tokens, uploads, users, variable_names,
    variables, versions, workspaces,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait, IdenStatic, Iterable, Statement,
};

use crate::database::Database;
use crate::rows;

const SQLITE_COLUMNS: &str = r#"
    SELECT t.name || '.' || c.name || CASE c."notnull" WHEN 0 THEN ' null' ELSE ' not null' END AS line
    FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name <> 'seaql_migrations'"#;

const POSTGRES_COLUMNS: &str = "
    SELECT table_name || '.' || column_name || CASE is_nullable WHEN 'YES' THEN ' null' ELSE ' not null' END AS line
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'seaql_migrations'";

pub(crate) async fn entities_and_tables_have_the_same_columns(database: Database) -> Result<(), DbErr> {
    let db = database.migrated().await?;
    assert_eq!(columns_of_entities(), columns_of_tables(&db).await?);
    Ok(())
}

pub(crate) async fn a_row_of_every_table_comes_back_as_it_was_stored(database: Database) -> Result<(), DbErr> {
    let db = database.migrated().await?;
    rows::store_one_of_each(&db).await
}

fn columns_of_entities() -> BTreeSet<String> {
    let entities = [
        columns_of::<workspaces::Entity>(),
        columns_of::<tokens::Entity>(),
        columns_of::<lines::Entity>(),
        columns_of::<leases::Entity>(),
        columns_of::<contacts::Entity>(),
        columns_of::<conversations::Entity>(),
        columns_of::<versions::Entity>(),
        columns_of::<variable_names::Entity>(),
        columns_of::<sends::Entity>(),
        columns_of::<users::Entity>(),
        columns_of::<deployments::Entity>(),
        columns_of::<variables::Entity>(),
        columns_of::<messages::Entity>(),
        columns_of::<stream_tokens::Entity>(),
        columns_of::<tally::Entity>(),
        columns_of::<send_tally::Entity>(),
        columns_of::<audit::Entity>(),
        columns_of::<changes::Entity>(),
        columns_of::<outbox::Entity>(),
        columns_of::<sessions::Entity>(),
        columns_of::<funnel::Entity>(),
        columns_of::<funnel_times::Entity>(),
        columns_of::<uploads::Entity>(),
        columns_of::<staged::Entity>(),
        columns_of::<reached::Entity>(),
        columns_of::<parked::Entity>(),
        columns_of::<kept::Entity>(),
    ];
    entities.into_iter().flatten().collect()
}

fn columns_of<E: EntityTrait>() -> Vec<String> {
    let table = E::default();
    let line = |column: E::Column| {
        let null = if column.def().is_null() { "null" } else { "not null" };
        format!("{}.{} {null}", table.table_name(), column.as_str())
    };
    E::Column::iter().map(line).collect()
}

async fn columns_of_tables(db: &DatabaseConnection) -> Result<BTreeSet<String>, DbErr> {
    let backend = db.get_database_backend();
    let sql = if backend == DbBackend::Sqlite { SQLITE_COLUMNS } else { POSTGRES_COLUMNS };
    let rows = db.query_all_raw(Statement::from_string(backend, sql)).await?;
    rows.iter().map(|row| row.try_get("", "line")).collect()
}
