//! What holds for every list: pages between two places, parents without rows, one statement for many parents.

use entity::messages;

use super::on_both_databases;
use super::seed::{Seed, UserSeed};
use crate::domain::filter::UserFilter;
use crate::domain::id::{DeploymentId, UserId, VersionId, new_key};
use crate::domain::page::{Key, Page, Slice};
use crate::domain::user::UserOrder;
use crate::storage::users::UserQuery;
use crate::storage::{self, Database, Tenant};

on_both_databases!(
    a_page_lies_between_two_places,
    a_page_of_no_rows_tells_only_of_more,
    many_parents_have_the_pages_that_each_has_alone,
    another_workspace_sees_nothing,
    no_keys_find_nothing,
    more_parents_than_a_statement_may_have_parts,
);

async fn a_page_lies_between_two_places(db: Database) {
    let seed = Seed::new(&db).await;
    let version = seed.version().await;
    let users = (0..10).map(|number| UserSeed { deployed_at: number / 2, ..UserSeed::default() }).collect();
    seed.users(version, users).await;
    let all = page_of(&seed, version, &page(200, false, None, None)).await;
    let places: Vec<_> = all.rows.iter().map(|(key, _)| key.clone()).collect();

    let between = |size, backward| page(size, backward, Some(places[2].clone()), Some(places[8].clone()));
    for (size, backward, expected, has_next, has_previous) in [
        (9, false, 3..8, false, true),
        (9, true, 3..8, true, false),
        (2, false, 3..5, true, true),
        (2, true, 6..8, true, true),
    ] {
        let slice = page_of(&seed, version, &between(size, backward)).await;
        assert!(slice.rows.iter().map(|(key, _)| key).eq(&places[expected]));
        assert_eq!((slice.has_next, slice.has_previous), (has_next, has_previous));
    }
}

async fn a_page_of_no_rows_tells_only_of_more(db: Database) {
    let seed = Seed::new(&db).await;
    let (version, empty) = (seed.version().await, seed.version().await);
    seed.user(version, UserSeed::default()).await;
    let page = page(0, false, None, None);
    let pages = storage::users::pages(&seed.tenant, &[version, empty], &everybody(), &page).await.unwrap();
    assert_eq!(pages[&version], Slice { has_next: true, ..Slice::empty() });
    assert_eq!(pages[&empty], Slice::empty());
}

async fn many_parents_have_the_pages_that_each_has_alone(db: Database) {
    let seed = Seed::new(&db).await;
    let version = seed.version().await;
    let users = seed.users(version, vec![UserSeed::default(); 5]).await;
    let mut rows = Vec::new();
    for (number, &user) in (0..).zip(&users) {
        rows.extend(history(&seed, user, number * 3).await);
    }
    seed.insert(rows).await;

    let middle = Some(Key::number(4, new_key()));
    for page in [
        page(4, false, None, None),
        page(4, true, None, None),
        page(3, false, middle.clone(), None),
        page(3, true, None, middle),
    ] {
        let asked = [users.clone(), users.clone()].concat();
        let together = storage::messages::pages_of_users(&seed.tenant, &asked, &page).await.unwrap();
        assert_eq!(together.len(), users.len());
        for user in &users {
            let alone = storage::messages::pages_of_users(&seed.tenant, &[*user], &page).await.unwrap();
            assert_eq!(alone[user], together[user], "{page:?}");
        }
    }
}

async fn another_workspace_sees_nothing(db: Database) {
    let (own, foreign) = (Seed::new(&db).await, Seed::new(&db).await.tenant);
    let (conversation, version) = own.conversation("A conversation", 1).await;
    let user = own.user(version, UserSeed::default()).await;
    let all = page(9, false, None, None);
    assert_eq!(page_of(&own, version, &all).await.rows.len(), 1);

    assert!(storage::users::find_many(&foreign, &[user]).await.unwrap().is_empty());
    assert!(storage::conversations::find_many(&foreign, &[conversation]).await.unwrap().is_empty());
    assert!(storage::metrics::find_many(&foreign, &[version]).await.unwrap().is_empty());
    assert!(storage::deployments::latest_of(&foreign, &[user]).await.unwrap().is_empty());
    for versions in [&[version][..], &[version, VersionId(new_key())]] {
        let pages = storage::users::pages(&foreign, versions, &everybody(), &all).await.unwrap();
        assert_eq!(pages[&version], Slice::empty());
    }
    let counts = storage::users::counts(&foreign, &[version], &UserFilter::everybody()).await.unwrap();
    assert_eq!(counts[&version], 0);
}

async fn no_keys_find_nothing(db: Database) {
    // Of a workspace that is not there, in a database that could not be asked: no statement is sent.
    let tenant = Tenant::new(db.clone(), new_key().into());
    db.reader().clone().close().await.unwrap();
    assert!(storage::users::find_many(&tenant, &[]).await.unwrap().is_empty());
    let all = page(9, false, None, None);
    assert!(storage::messages::pages_of_users(&tenant, &[], &all).await.unwrap().is_empty());
    assert!(storage::metrics::find_many(&tenant, &[]).await.unwrap().is_empty());
    assert!(storage::variables::of_users(&tenant, &[]).await.unwrap().is_empty());
    assert!(storage::changes::revisions(&db, &[]).await.unwrap().is_empty());
}

/// SQLite allows 500 parts of a compound statement.
async fn more_parents_than_a_statement_may_have_parts(db: Database) {
    let seed = Seed::new(&db).await;
    let user = seed.user(seed.version().await, UserSeed::default()).await;
    seed.insert(history(&seed, user, 2).await).await;
    let mut users: Vec<_> = (0..1_000).map(|_| UserId(new_key())).collect();
    users.push(user);
    let pages = storage::messages::pages_of_users(&seed.tenant, &users, &page(9, false, None, None)).await.unwrap();
    assert_eq!((pages.len(), pages[&user].rows.len()), (1_001, 2));
}

const fn page(size: usize, backward: bool, after: Option<Key>, before: Option<Key>) -> Page {
    Page { size, backward, after, before }
}

const fn everybody() -> UserQuery {
    UserQuery { filter: UserFilter::everybody(), order: UserOrder::Deployed, descending: true }
}

async fn page_of(seed: &Seed, version: VersionId, page: &Page) -> Slice<crate::domain::user::User> {
    let mut pages = storage::users::pages(&seed.tenant, &[version], &everybody(), page).await.unwrap();
    pages.remove(&version).unwrap()
}

async fn history(seed: &Seed, user: UserId, length: i64) -> Vec<messages::Model> {
    let latest = storage::deployments::latest_of(&seed.tenant, &[user]).await.unwrap();
    let deployment: DeploymentId = latest[&user].id;
    (0..length).map(|number| seed.message(user, deployment, number)).collect()
}
