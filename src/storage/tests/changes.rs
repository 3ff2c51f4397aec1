//! The log of changes.

use entity::{changes as rows, versions};
use sea_orm::{EntityTrait, Set};

use super::on_both_databases;
use super::seed::{Seed, UserSeed, at};
use crate::domain::id::{ConversationId, VersionId, new_key};
use crate::domain::standing::{Cell, DeploymentStatus};
use crate::domain::user::{Change, ChangeKinds};
use crate::storage::changes::Extent;
use crate::storage::{Database, changes, conversations};

on_both_databases!(
    changes_are_read_behind_a_revision_in_order,
    a_log_is_trimmed_from_its_beginning_in_steps,
    watchers_follow_versions_of_any_workspace,
);

async fn changes_are_read_behind_a_revision_in_order(db: Database) {
    let seed = Seed::new(&db).await;
    let (version, other) = (seed.version().await, seed.version().await);
    let user = seed.user(version, UserSeed::default()).await;
    let read = Cell { status: DeploymentStatus::Read, ..Cell::QUEUED };
    let third = rows::Model { cell_before: Some(0), cell: read.code(), kinds: 130, ..seed.change(version, user, 3) };
    let log = [4, 1, 2].map(|revision| seed.change(version, user, revision));
    seed.insert([log.to_vec(), vec![third, seed.change(other, user, 2)]].concat()).await;

    let read_after = async |revision, limit| changes::after(&seed.tenant, version, revision, limit).await.unwrap();
    let revisions = |changes: Vec<Change>| changes.iter().map(|change| change.revision).collect::<Vec<_>>();
    assert_eq!(revisions(read_after(0, 9).await), [1, 2, 3, 4]);
    assert_eq!(revisions(read_after(1, 2).await), [2, 3]);
    assert_eq!(revisions(read_after(4, 9).await), [0; 0]);
    let before = Some(Cell::QUEUED);
    let kinds = ChangeKinds::from_bits(130);
    assert_eq!(read_after(2, 1).await, [Change { revision: 3, user, at: at(3), kinds, before, after: read }]);
}

async fn a_log_is_trimmed_from_its_beginning_in_steps(db: Database) {
    let seed = Seed::new(&db).await;
    let (version, other) = (seed.version().await, seed.version().await);
    let user = seed.user(version, UserSeed::default()).await;
    // A change was recorded at its revision.
    let log = (1..=9).map(|revision| seed.change(version, user, revision));
    seed.insert(log.chain([seed.change(other, user, 1)]).collect()).await;
    let changed = versions::ActiveModel { id: Set(version.0), revision: Set(9), ..Default::default() };
    versions::Entity::update(changed).exec(db.writer()).await.unwrap();

    let extent = async || changes::extent(&seed.tenant, version).await.unwrap().unwrap();
    let old = async |time| changes::beginning_before(&db, at(time), 10).await.unwrap();
    let trim = async |time, limit| changes::trim(&db, version, at(time), limit).await.unwrap();
    assert_eq!((old(1).await, trim(1, 10).await), (vec![], 0));
    assert_eq!(extent().await, Extent { trimmed: 0, revision: 9 });
    let mut both = old(2).await;
    both.sort_unstable();
    assert_eq!(both, [version, other]);

    assert_eq!((trim(6, 2).await, extent().await.trimmed), (2, 2));
    assert_eq!((trim(6, 10).await, extent().await.trimmed), (3, 5));
    assert_eq!((old(6).await, trim(6, 10).await), (vec![other], 0));
    let rest = changes::after(&seed.tenant, version, 5, 10).await.unwrap();
    assert_eq!(rest.iter().map(|change| change.revision).collect::<Vec<_>>(), [6, 7, 8, 9]);
    assert_eq!((trim(100, 10).await, extent().await), (4, Extent { trimmed: 9, revision: 9 }));
    assert_eq!(old(100).await, [other]);
}

async fn watchers_follow_versions_of_any_workspace(db: Database) {
    let (one, other) = (Seed::new(&db).await, Seed::new(&db).await);
    let (conversation, first) = one.conversation("A conversation", 1).await;
    let (foreign, version) = other.conversation("A conversation", 1).await;
    let changed = versions::ActiveModel { id: Set(version.0), revision: Set(5), ..Default::default() };
    versions::Entity::update(changed).exec(db.writer()).await.unwrap();
    let second = conversations::publish(&one.tenant, conversation, "{}", at(2)).await.unwrap().unwrap();

    let revisions = changes::revisions(&db, &[first, version, VersionId(new_key())]).await.unwrap();
    assert_eq!(revisions, [(first, 0), (version, 5)].into());
    let asked = [conversation, foreign, ConversationId(new_key())];
    let current = changes::current_versions(&db, &asked).await.unwrap();
    assert_eq!(current, [(conversation, second.id), (foreign, version)].into());
}
