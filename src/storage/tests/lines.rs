//! Lines.

use super::on_both_databases;
use super::seed::{Seed, at, line};
use crate::domain::line::Line;
use crate::storage::{Database, lines};

on_both_databases!(lines_are_listed_oldest_first, a_providers_id_is_taken_in_whatever_workspace);

async fn lines_are_listed_oldest_first(db: Database) {
    let seed = Seed::new(&db).await;
    let (newer, older) = (
        Line { external: true, state_since: at(9), ..line("2") },
        Line { messages_per_second: 5, state_since: at(8), ..line("3") },
    );
    assert!(lines::create(&seed.tenant, &newer, at(9)).await.unwrap());
    assert!(lines::create(&seed.tenant, &older, at(8)).await.unwrap());

    let listed = lines::list(&seed.tenant).await.unwrap();
    assert_eq!(listed[1..], [older.clone(), newer]);
    assert_eq!(lines::find_many(&seed.tenant, &[older.id]).await.unwrap(), [(older.id, older)].into());
}

async fn a_providers_id_is_taken_in_whatever_workspace(db: Database) {
    let (one, other) = (Seed::new(&db).await, Seed::new(&db).await);
    assert!(lines::create(&one.tenant, &line("same"), at(1)).await.unwrap());
    assert!(!lines::create(&one.tenant, &line("same"), at(1)).await.unwrap());
    assert!(!lines::create(&other.tenant, &line("same"), at(1)).await.unwrap());
    assert_eq!(lines::list(&other.tenant).await.unwrap().len(), 1);
}
