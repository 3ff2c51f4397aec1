//! Metrics of versions and the progress of sends.

use entity::{tally, versions};
use sea_orm::{EntityTrait, Set};

use super::on_both_databases;
use super::seed::{Seed, at};
use crate::domain::id::SendId;
use crate::domain::metrics::VersionHead;
use crate::domain::standing::{Cell, DeploymentStatus};
use crate::storage::{Database, metrics, sends};

on_both_databases!(
    metrics_are_the_tally_with_the_versions_head,
    a_version_without_users_has_metrics,
    a_send_has_the_tally_of_its_deployments,
);

const READ: Cell = Cell { status: DeploymentStatus::Read, ..Cell::QUEUED };

async fn metrics_are_the_tally_with_the_versions_head(db: Database) {
    let seed = Seed::new(&db).await;
    let (version, other) = (seed.version().await, seed.version().await);
    let failed = Cell { status: DeploymentStatus::Failed, ..Cell::QUEUED };
    let cells = [(version, READ, 5), (version, Cell::QUEUED, 10_000_000_000), (version, failed, 0), (other, READ, 1)];
    let rows: Vec<tally::Model> = cells.map(|(version, cell, users)| seed.tally(version, cell, users)).to_vec();
    seed.insert(rows).await;
    let changed = versions::ActiveModel {
        id: Set(version.0),
        revision: Set(12),
        changed_at: Set(Some(99)),
        total_deployments: Set(7),
        ..Default::default()
    };
    versions::Entity::update(changed).exec(db.writer()).await.unwrap();

    let found = metrics::find_many(&seed.tenant, &[version, other]).await.unwrap();
    let head = VersionHead { id: version, number: 1, revision: 12, as_of: at(99), total_deployments: 7 };
    assert_eq!(found[&version].head(), &head);
    assert_eq!(found[&version].tally(), &[(READ, 5), (Cell::QUEUED, 10_000_000_000)].into_iter().collect());
    assert_eq!(found[&other].total_users(), 1);
}

async fn a_version_without_users_has_metrics(db: Database) {
    let seed = Seed::new(&db).await;
    let version = seed.conversation("A conversation", 42).await.1;
    let metrics = &metrics::find_many(&seed.tenant, &[version]).await.unwrap()[&version];
    assert_eq!((metrics.total_users(), metrics.head().revision, metrics.head().as_of), (0, 0, at(42)));
}

async fn a_send_has_the_tally_of_its_deployments(db: Database) {
    let seed = Seed::new(&db).await;
    let (conversation, version) = seed.conversation("A conversation", 1).await;
    let (older, newer) = (seed.send_row(conversation, version, 1), seed.send_row(conversation, version, 2));
    let ids = [SendId(older.id), SendId(newer.id)];
    seed.insert(vec![older, newer]).await;
    seed.insert(vec![seed.send_tally(ids[0], READ, 3)]).await;

    let tallies = sends::tallies(&seed.tenant, &ids).await.unwrap();
    assert_eq!((tallies[&ids[0]].total(), tallies[&ids[1]].total()), (3, 0));
    assert_eq!(sends::counts(&seed.tenant, &[conversation]).await.unwrap()[&conversation], 2);
    let found = sends::find_many(&seed.tenant, &ids).await.unwrap();
    assert_eq!((found[&ids[0]].conversation, found[&ids[0]].version), (conversation, version));
    let all = crate::domain::page::Page { size: 9, backward: false, after: None, before: None };
    let listed = &sends::pages(&seed.tenant, &[conversation], &all).await.unwrap()[&conversation];
    assert!(listed.rows.iter().map(|(_, send)| send.id).eq([ids[1], ids[0]]));
}
