//! What the database itself refuses.

use entity::{contacts, conversations, deployments, lines, messages, sends, tally, users};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait, QueryOrder, QuerySelect, SqlErr};

use crate::database::Database;
use crate::rows::{self, Row, id};

/// The kind of rule that a row breaks.
#[derive(Debug, PartialEq)]
enum Broken {
    Unique,
    Reference,
    Check,
}

pub(crate) async fn attempts_are_numbered_once_within_a_user(database: Database) -> Result<(), DbErr> {
    let db = database.migrated().await?;
    rows::store_one_of_each(&db).await?;
    let again = deployments::Model { id: id(101), ..rows::deployment() };
    let next = deployments::Model { id: id(101), number: 2, ..rows::deployment() };

    assert_eq!(broken_by(&db, again).await?, Some(Broken::Unique));
    assert_eq!(broken_by(&db, next).await?, None);
    Ok(())
}

pub(crate) async fn a_user_has_a_failure_reason_exactly_while_failed(database: Database) -> Result<(), DbErr> {
    let db = database.migrated().await?;
    rows::store_one_of_each(&db).await?;
    let contact = contacts::Model { id: id(101), phone: Some("+4915112345678".to_owned()), ..rows::contact_by_phone() };
    rows::store(&db, contact).await?;
    let user = users::Model { id: id(102), contact_id: id(101), ..rows::user() };
    let reason_without_failure = users::Model { status: 2, failure_reason: Some(0), ..user.clone() };
    let failure_without_reason = users::Model { status: 6, failure_reason: None, ..user.clone() };
    let failure = users::Model { status: 6, failure_reason: Some(18), ..user };

    assert_eq!(broken_by(&db, reason_without_failure).await?, Some(Broken::Check));
    assert_eq!(broken_by(&db, failure_without_reason).await?, Some(Broken::Check));
    assert_eq!(broken_by(&db, failure).await?, None);
    Ok(())
}

pub(crate) async fn a_tally_is_never_negative(database: Database) -> Result<(), DbErr> {
    let db = database.migrated().await?;
    rows::store_one_of_each(&db).await?;
    let cell = tally::Model { cell: 101, ..rows::tally() };

    assert_eq!(broken_by(&db, tally::Model { users: -1, ..cell.clone() }).await?, Some(Broken::Check));
    assert_eq!(broken_by(&db, tally::Model { users: 0, ..cell }).await?, None);
    Ok(())
}

pub(crate) async fn a_row_of_an_unknown_workspace_is_refused(database: Database) -> Result<(), DbErr> {
    let db = database.migrated().await?;
    let line = lines::Model { workspace_id: id(101), ..rows::line() };

    assert_eq!(broken_by(&db, line).await?, Some(Broken::Reference));
    Ok(())
}

pub(crate) async fn a_contact_is_known_by_something(database: Database) -> Result<(), DbErr> {
    let db = database.migrated().await?;
    rows::store(&db, rows::workspace()).await?;
    let nobody = contacts::Model { phone: None, ..rows::contact_by_phone() };

    assert_eq!(broken_by(&db, nobody).await?, Some(Broken::Check));
    assert_eq!(broken_by(&db, rows::contact_by_phone()).await?, None);
    Ok(())
}

pub(crate) async fn a_failure_is_known_with_its_reason_and_text_or_not_at_all(database: Database) -> Result<(), DbErr> {
    let db = database.migrated().await?;
    rows::store_one_of_each(&db).await?;
    let message = messages::Model { id: id(101), first: false, provider_message_id: None, ..rows::message() };
    let without_reason = messages::Model { failed_reason: None, ..message.clone() };
    let without_text = messages::Model { failed_text: None, ..message.clone() };
    let without_time = messages::Model { failed_at: None, ..message.clone() };
    let without_code = messages::Model { failed_code: None, ..message };

    assert_eq!(broken_by(&db, without_reason).await?, Some(Broken::Check));
    assert_eq!(broken_by(&db, without_text).await?, Some(Broken::Check));
    assert_eq!(broken_by(&db, without_time).await?, Some(Broken::Check));
    assert_eq!(broken_by(&db, without_code).await?, None);
    Ok(())
}

pub(crate) async fn a_deployment_has_one_first_message_and_any_number_of_others(
    database: Database,
) -> Result<(), DbErr> {
    let db = database.migrated().await?;
    rows::store_one_of_each(&db).await?;
    let message = messages::Model { id: id(101), provider_message_id: None, ..rows::message() };

    assert_eq!(broken_by(&db, message.clone()).await?, Some(Broken::Unique));
    for n in 101..=102 {
        let other = messages::Model { id: id(n), first: false, ..message.clone() };
        assert_eq!(broken_by(&db, other).await?, None);
    }
    Ok(())
}

pub(crate) async fn an_idempotency_key_is_used_once_and_none_any_number_of_times(
    database: Database,
) -> Result<(), DbErr> {
    let db = database.migrated().await?;
    rows::store_one_of_each(&db).await?;
    let send = sends::Model { id: id(101), ..rows::send() };

    assert_eq!(broken_by(&db, send.clone()).await?, Some(Broken::Unique));
    for n in 101..=102 {
        let unnamed = sends::Model { id: id(n), idempotency_key: None, input_digest: None, ..send.clone() };
        assert_eq!(broken_by(&db, unnamed).await?, None);
    }
    Ok(())
}

/// Bites where the server's own order is a language's, in which "a" comes before "B".
pub(crate) async fn names_are_ordered_bytewise(database: Database) -> Result<(), DbErr> {
    let db = database.migrated().await?;
    rows::store(&db, rows::workspace()).await?;
    rows::store(&db, rows::line()).await?;
    for (n, name) in (101..).zip(["é", "a", "B", "z"]) {
        rows::store(&db, conversations::Model { id: id(n), name: name.to_owned(), ..rows::conversation() }).await?;
    }

    let names: Vec<String> = conversations::Entity::find()
        .select_only()
        .column(conversations::Column::Name)
        .order_by_asc(conversations::Column::Name)
        .into_tuple()
        .all(&db)
        .await?;
    assert_eq!(names, ["B", "a", "z", "é"]);
    Ok(())
}

/// The rule that the row breaks; none where it was stored.
async fn broken_by(db: &DatabaseConnection, row: impl Row) -> Result<Option<Broken>, DbErr> {
    let Err(refusal) = rows::store(db, row).await else { return Ok(None) };
    match refusal.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => Ok(Some(Broken::Unique)),
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => Ok(Some(Broken::Reference)),
        _ if refusal.to_string().to_lowercase().contains("check constraint") => Ok(Some(Broken::Check)),
        _ => Err(refusal),
    }
}
