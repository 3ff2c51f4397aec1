//! Deployments, their messages and variables, and a user's history.

use std::collections::BTreeMap;

use entity::{deployments, messages};
use sea_orm::{EntityTrait, Set};

use super::on_both_databases;
use super::seed::{Seed, UserSeed, at};
use crate::domain::code::Coded;
use crate::domain::failure::{FailureReason, OwnFailure, ProviderFailure};
use crate::domain::id::{DeploymentId, MessageId, SendId, UserId};
use crate::domain::merge::{DeploymentFacts, MessageFacts, Session};
use crate::domain::message::{MessageKind, Sender};
use crate::domain::page::Page;
use crate::domain::standing::SessionStatus;
use crate::storage::{self, Database};

on_both_databases!(
    a_deployment_has_its_facts_and_those_of_its_first_message,
    the_latest_deployment_is_the_one_with_the_highest_number,
    a_message_comes_back_as_it_was_stored,
    a_deployment_has_its_part_of_the_history,
    messages_are_found_by_the_changes_that_added_them,
    variables_are_those_of_the_latest_deployment,
);

const ALL: Page = Page { size: 200, backward: false, after: None, before: None };

async fn a_deployment_has_its_facts_and_those_of_its_first_message(db: Database) {
    let seed = Seed::new(&db).await;
    let user = seed.user(seed.version().await, UserSeed { sends: vec![None, None], ..UserSeed::default() }).await;
    let [first, second] = deployments_of(&seed, user).await[..].try_into().unwrap();
    seed.insert(vec![messages::Model {
        first: true,
        accepted_at: Some(2),
        unknown_at: Some(3),
        ..seed.message(user, first, 1)
    }])
    .await;
    let known = deployments::ActiveModel {
        id: Set(second.0),
        dispatched_at: Set(Some(11)),
        failed_at: Set(Some(12)),
        failed_code: Set(Some(131_026)),
        failed_reason: Set(Some(FailureReason::Undeliverable.code())),
        failed_text: Set(Some("undeliverable".to_owned())),
        refused_at: Set(Some(13)),
        refused_reason: Set(Some(FailureReason::Expired.code())),
        answered_at: Set(Some(14)),
        finished_at: Set(Some(15)),
        session_status: Set(Some(SessionStatus::Rating.code())),
        session_at: Set(Some(16)),
        ..Default::default()
    };
    deployments::Entity::update(known).exec(db.writer()).await.unwrap();

    let found = storage::deployments::find_many(&seed.tenant, &[first, second]).await.unwrap();
    let facts = MessageFacts { accepted: Some(at(2)), unknown: Some(at(3)), ..MessageFacts::default() };
    assert_eq!(found[&first].first, Some(facts));
    assert_eq!(found[&first].facts, DeploymentFacts::default());
    assert_eq!(found[&second].first, None);
    assert_eq!(found[&second].facts, everything_of_the_second());
}

fn everything_of_the_second() -> DeploymentFacts {
    let text = "undeliverable".to_owned();
    let failed = ProviderFailure { at: at(12), code: Some(131_026), reason: FailureReason::Undeliverable, text };
    let own_failure = Some(OwnFailure { at: at(13), reason: FailureReason::Expired });
    DeploymentFacts {
        reported: MessageFacts { failed: Some(failed), own_failure, ..MessageFacts::default() },
        dispatched: Some(at(11)),
        answered: Some(at(14)),
        finished: Some(at(15)),
        session: Some(Session { at: at(16), status: SessionStatus::Rating }),
    }
}

async fn the_latest_deployment_is_the_one_with_the_highest_number(db: Database) {
    let seed = Seed::new(&db).await;
    let (conversation, version) = seed.conversation("A conversation", 1).await;
    let row = seed.send_row(conversation, version, 1);
    let send_id = SendId(row.id);
    seed.insert(vec![row]).await;
    let sends = vec![None, None, Some(send_id)];
    let user = seed.user(version, UserSeed { sends, ..UserSeed::default() }).await;
    let other = seed.user(version, UserSeed::default()).await;

    let latest = storage::deployments::latest_of(&seed.tenant, &[user, other]).await.unwrap();
    assert_eq!((latest[&user].number, latest[&user].send), (3, Some(send_id)));
    assert_eq!((latest[&other].number, latest[&other].send), (1, None));

    let pages = storage::deployments::pages(&seed.tenant, &[user, other], &ALL).await.unwrap();
    let numbers: Vec<_> = pages[&user].rows.iter().map(|(_, deployment)| deployment.number).collect();
    assert_eq!(numbers, [3, 2, 1]);
    let counts = storage::deployments::counts(&seed.tenant, &[user, other]).await.unwrap();
    assert_eq!((counts[&user], counts[&other]), (3, 1));
}

async fn a_message_comes_back_as_it_was_stored(db: Database) {
    let seed = Seed::new(&db).await;
    let user = seed.user(seed.version().await, UserSeed::default()).await;
    let deployment = deployments_of(&seed, user).await[0];
    let row = messages::Model {
        sender: Sender::Agent.code(),
        kind: MessageKind::Location.code(),
        text: Some("¿Dónde? 👋".to_owned()),
        payload: Some(r#"{"latitude":4.6}"#.to_owned()),
        provider_message_id: Some("wamid.1".to_owned()),
        read_at: Some(9),
        ..seed.message(user, deployment, 5)
    };
    let id = MessageId(row.id);
    seed.insert(vec![row]).await;

    let message = &storage::messages::find_many(&seed.tenant, &[id]).await.unwrap()[&id];
    assert_eq!((message.user, message.deployment, message.at), (user, deployment, at(5)));
    assert_eq!((message.sender, message.kind), (Sender::Agent, MessageKind::Location));
    assert_eq!(message.text.as_deref(), Some("¿Dónde? 👋"));
    assert_eq!(message.payload.as_deref(), Some(r#"{"latitude":4.6}"#));
    assert_eq!(message.provider_message_id.as_deref(), Some("wamid.1"));
    assert_eq!(message.facts, MessageFacts { read: Some(at(9)), ..MessageFacts::default() });
}

async fn a_deployment_has_its_part_of_the_history(db: Database) {
    let seed = Seed::new(&db).await;
    let user = seed.user(seed.version().await, UserSeed { sends: vec![None, None], ..UserSeed::default() }).await;
    let of_user = deployments_of(&seed, user).await;
    let rows = (0..9).map(|number| seed.message(user, of_user[usize::from(number % 3 == 0)], 9 - number));
    let expected =
        |part: bool| (0..9).rev().filter(move |number| (number % 3 == 0) == part).map(|number| at(9 - number));
    seed.insert(rows.collect()).await;

    let pages = storage::messages::pages_of_deployments(&seed.tenant, &of_user, &ALL).await.unwrap();
    let single = storage::messages::pages_of_deployments(&seed.tenant, &of_user[..1], &ALL).await.unwrap();
    assert_eq!(single[&of_user[0]], pages[&of_user[0]]);
    for (deployment, part) in of_user.iter().zip([false, true]) {
        assert!(pages[deployment].rows.iter().map(|(_, message)| message.at).eq(expected(part)));
    }
    let counts = storage::messages::counts_of_deployments(&seed.tenant, &of_user).await.unwrap();
    assert_eq!((counts[&of_user[0]], counts[&of_user[1]]), (6, 3));
    assert_eq!(storage::messages::counts_of_users(&seed.tenant, &[user]).await.unwrap()[&user], 9);
}

async fn messages_are_found_by_the_changes_that_added_them(db: Database) {
    let seed = Seed::new(&db).await;
    let version = seed.version().await;
    let (user, other) = (seed.user(version, UserSeed::default()).await, seed.user(version, UserSeed::default()).await);
    let (own, of_other) = (deployments_of(&seed, user).await[0], deployments_of(&seed, other).await[0]);
    let message = |revision, at| messages::Model { revision, ..seed.message(user, own, at) };
    let foreign = messages::Model { revision: 2, ..seed.message(other, of_other, 1) };
    seed.insert(vec![message(3, 1), message(2, 9), message(2, 8), message(1, 1), foreign]).await;

    let added = storage::messages::added_by(&seed.tenant, user, &[2, 3, 7]).await.unwrap();
    assert_eq!(added.iter().map(|message| message.at).collect::<Vec<_>>(), [at(8), at(9), at(1)]);
    assert_eq!(storage::messages::added_by(&seed.tenant, user, &[]).await.unwrap(), []);
}

async fn variables_are_those_of_the_latest_deployment(db: Database) {
    let seed = Seed::new(&db).await;
    let version = seed.version().await;
    let named = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let variables = vec![named(&[("city", "Cali"), ("old", "1")]), named(&[("name", "Zoë"), ("city", "Bogotá")])];
    let user = seed.user(version, UserSeed { sends: vec![None, None], variables, ..UserSeed::default() }).await;
    let without = seed.user(version, UserSeed::default()).await;

    let found = storage::variables::of_users(&seed.tenant, &[user, without]).await.unwrap();
    let values: Vec<_> = found[&user].iter().map(|(name, value)| (name.as_str(), value.value.as_str())).collect();
    assert_eq!(values, [("city", "Bogotá"), ("name", "Zoë")]);
    assert!(found[&without].is_empty());
}

/// A user's deployments, oldest first.
async fn deployments_of(seed: &Seed, user: UserId) -> Vec<DeploymentId> {
    let mut slices = storage::deployments::pages(&seed.tenant, &[user], &ALL).await.unwrap();
    let newest_first = slices.remove(&user).unwrap().rows.into_iter();
    newest_first.rev().map(|(_, deployment)| deployment.id).collect()
}
