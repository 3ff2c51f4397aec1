//! The steps as a whole: there and back, all or none, once.

use migration::Migrator;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};
use sea_orm_migration::MigratorTrait;
use tokio::task::JoinSet;

use crate::database::Database;

/// Enough to meet: without the lock, each run of the test fails.
const NODES: usize = 8;

/// All that SQLite remembers, in its own words.
const SQLITE_SCHEMA: &str =
    "SELECT type || ' ' || name || ' ' || coalesce(sql, '') AS line FROM sqlite_master ORDER BY line";

/// All that the steps can make in PostgreSQL: columns, constraints, indexes.
const POSTGRES_SCHEMA: &str = "
    SELECT format('%s.%s %s default %s collate %s null %s',
            table_name, column_name, data_type, column_default, collation_name, is_nullable) AS line
        FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL
    SELECT format('%s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    ORDER BY line";

pub(crate) async fn up_down_and_up_again_make_the_same_schema(database: Database) -> Result<(), DbErr> {
    let db = database.connect().await?;
    Migrator::install(&db).await?;
    let empty = schema(&db).await?;

    migration::run(&db).await?;
    let first = schema(&db).await?;
    assert_ne!(first, empty);

    Migrator::down(&db, None).await?;
    assert_eq!(schema(&db).await?, empty);

    migration::run(&db).await?;
    assert_eq!(schema(&db).await?, first);
    Ok(())
}

/// A table that is in the way of the last step undoes all the steps before it, too.
pub(crate) async fn a_failing_step_leaves_nothing_behind(database: Database) -> Result<(), DbErr> {
    let db = database.connect().await?;
    db.execute_unprepared("CREATE TABLE kept (id integer)").await?;
    let before = schema(&db).await?;

    assert!(migration::run(&db).await.is_err());
    assert_eq!(schema(&db).await?, before);
    Ok(())
}

pub(crate) async fn nodes_that_start_at_once_take_every_step_once(database: Database) -> Result<(), DbErr> {
    make_hardest(&database).await?;
    let mut nodes = JoinSet::new();
    for _ in 0..NODES {
        // One after the other: a file's first switch to a write-ahead log fails where two meet, and is not at stake
        // here.
        let node = database.connect().await?;
        nodes.spawn(async move { migration::run(&node).await.map(|()| node) });
    }
    for node in nodes.join_all().await {
        let taken = Migrator::get_applied_migrations(&node?).await?;
        assert_eq!(taken.len(), Migrator::migrations().len());
    }
    Ok(())
}

/// Makes a lock as hard to take as it can be. Where the list of steps exists, as it does before every upgrade, SQLite
/// begins by reading and may find that it read too early to write; under the strictest isolation, so does PostgreSQL.
async fn make_hardest(database: &Database) -> Result<(), DbErr> {
    let db = database.connect().await?;
    Migrator::install(&db).await?;
    if let Database::Postgres { name, .. } = database {
        let sql = format!("ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'");
        db.execute_unprepared(&sql).await?;
    }
    Ok(())
}

async fn schema(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let backend = db.get_database_backend();
    let sql = if backend == DbBackend::Sqlite { SQLITE_SCHEMA } else { POSTGRES_SCHEMA };
    let rows = db.query_all_raw(Statement::from_string(backend, sql)).await?;
    rows.iter().map(|row| row.try_get("", "line")).collect()
}
