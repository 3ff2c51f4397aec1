//! A step of the schema: plain SQL, in the words of PostgreSQL. What SQLite says differently stands only here.
//!
//! SQL rather than a schema builder, because the steps are all about keys, checks and partial indexes, and because both
//! databases understand the same SQL but for two words.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// One step of the schema, there and back.
pub(crate) struct Step {
    /// The file's name, by which the database remembers that the step was taken; never changes.
    pub(crate) name: &'static str,
    /// Makes what the step adds.
    pub(crate) up: &'static str,
    /// Takes it away again.
    pub(crate) down: &'static str,
}

impl MigrationName for Step {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, self.up).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, self.down).await
    }

    /// SQLite, too, can take a half-made step back; it is only not asked to by default.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

async fn execute(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    let sql = translate(sql, manager.get_database_backend());
    manager.get_connection().execute_unprepared(&sql).await?;
    Ok(())
}

/// SQLite has no type for UUIDs, which are stored as their 16 bytes, and compares all text bytewise anyway. Those 16
/// bytes and that text then order as they do in PostgreSQL. Room for rows to be updated in place is PostgreSQL's matter, and
/// so is what references cost: SQLite looks them up in no time, and cannot change the constraints of a table.
fn translate(sql: &str, backend: DbBackend) -> String {
    match backend {
        DbBackend::Sqlite => {
            let sql = sql.replace(" uuid ", " blob ").replace(r#" COLLATE "C""#, "");
            let sql = sql.replace(" WITH (fillfactor = 75)", "");
            let alters_constraint = |line: &str| line.contains("ALTER TABLE") && line.contains(" CONSTRAINT ");
            sql.lines().filter(|line| !alters_constraint(line)).collect::<Vec<_>>().join("\n")
        }
        _ => sql.to_owned(),
    }
}
