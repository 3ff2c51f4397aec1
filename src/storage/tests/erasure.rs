//! Erasing who was silent; the rest of it is tested from outside.

use super::on_both_databases;
use super::seed::{Seed, UserSeed, at};
use crate::storage::Database;
use crate::storage::erasure::{self, Erasure, Person};

on_both_databases!(who_was_heard_meanwhile_is_not_erased_as_silent);

async fn who_was_heard_meanwhile_is_not_erased_as_silent(db: Database) {
    let seed = Seed::new(&db).await;
    let user = UserSeed { deployed_at: 5, activity_at: 7, ..UserSeed::default() };
    let person = Person::User(seed.user(seed.version().await, user).await);
    let contact = erasure::find(&seed.tenant, &person).await.unwrap()[0];
    let erased = erasure::erase(&seed.tenant, contact, Some(at(7)), at(9)).await.unwrap();
    assert_eq!(erased, Erasure::Heard);
    assert_eq!(erasure::find(&seed.tenant, &person).await.unwrap(), [contact]);
}
