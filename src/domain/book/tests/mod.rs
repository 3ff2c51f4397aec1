//! The law: any order, any repetition and any batching of the same facts ends in the same rows and the same figures; and
//! what it ends in is what the design says in words.

mod cases;
mod checks;
mod draw;
mod history;
mod model;
mod opening;
mod oracle;
mod preferences;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use self::draw::history;
use self::history::arrival;
use self::model::Workspace;
use self::oracle::Reading;
use self::preferences::Told;
use crate::domain::arbitrary::config;

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_order_repetition_and_batching_of_the_same_facts_ends_in_the_same_rows(
        history in history(), one in arrival(), other in arrival(),
    ) {
        let one = Workspace::after(&history, &history.arriving(&one), &one.sizes).rows();
        let other = Workspace::after(&history, &history.arriving(&other), &other.sizes).rows();
        prop_assert_eq!(one.beyond(&other), other.beyond(&one));
    }

    #[test]
    fn users_and_deployments_stand_where_the_design_says(history in history(), arrival in arrival()) {
        let workspace = Workspace::after(&history, &history.arriving(&arrival), &arrival.sizes);
        let reading = Reading::of(&history.lines, &history.steps);
        let deployments = workspace.deployments.values().map(|one| (one.id, one.user)).collect::<BTreeMap<_, _>>();
        prop_assert_eq!(deployments, reading.deployments());
        for deployment in workspace.deployments.values() {
            let (cell, expected) = (workspace.cell(deployment), reading.standing(deployment.id));
            prop_assert_eq!(
                (cell.status, cell.stage, cell.failure_reason, deployment.facts.answered),
                (expected.status, expected.stage, expected.failure, expected.answered)
            );
            prop_assert_eq!(deployment.facts.session, expected.session);
            prop_assert_eq!(cell.session_status, expected.session.map(|session| session.status));
            prop_assert_eq!(&deployment.variables, &expected.variables);
            if deployment.send.is_none() {
                prop_assert_eq!(deployment.began, reading.began_inbound(deployment.id));
                prop_assert_eq!(deployment.began, Some(deployment.queued_at));
            }
        }
        for user in workspace.users.values() {
            prop_assert_eq!(user.activity, reading.activity(user.id));
            prop_assert_eq!(user.deployed_at, workspace.latest(user).queued_at);
        }
    }

    #[test]
    fn messages_are_where_the_design_says_and_what_cannot_be_placed_waits(history in history(), arrival in arrival()) {
        let workspace = Workspace::after(&history, &history.arriving(&arrival), &arrival.sizes);
        let reading = Reading::of(&history.lines, &history.steps);
        let expected = reading.messages();
        let reported = workspace.messages.values().filter(|one| {
            one.provider_message_id.as_ref().is_some_and(|name| name.contains("told"))
        });
        let reported: BTreeMap<_, _> = reported.map(|one| {
            (one.provider_message_id.clone().unwrap(), (one.deployment, one.sender, one.content.clone()))
        }).collect();
        prop_assert_eq!(reported, expected);
        let waiting: BTreeSet<_> = workspace.parked.keys().map(|(_, fact)| fact.clone()).collect();
        prop_assert_eq!(waiting, reading.waiting());
    }

    #[test]
    fn contacts_are_opted_out_and_blocked_where_the_design_says(history in history(), arrival in arrival()) {
        let workspace = Workspace::after(&history, &history.arriving(&arrival), &arrival.sizes);
        let reading = Reading::of(&history.lines, &history.steps);
        for (&id, contact) in &workspace.contacts {
            let facts = contact.facts;
            let last_said = facts.preference.map(|preference| preference.at);
            let told = Told { opted_out: facts.opted_out(), last_said, blocked: facts.blocked };
            prop_assert_eq!(told, reading.told_of(id));
        }
    }

    #[test]
    fn facts_that_are_known_already_change_nothing(history in history(), arrival in arrival()) {
        let mut workspace = Workspace::after(&history, &history.arriving(&arrival), &arrival.sizes);
        let before = workspace.clone();
        let settlement = workspace.commit(&history.facts());
        prop_assert_eq!(before.rows().beyond(&workspace.rows()), Vec::<String>::new());
        prop_assert!(settlement.users.is_empty() && settlement.sends.is_empty(), "{:?}", settlement);
        prop_assert!(settlement.deployments.is_empty() && settlement.variables.is_empty(), "{:?}", settlement);
        prop_assert!(settlement.contacts.is_empty() && settlement.known.is_empty(), "{:?}", settlement);
    }
}
