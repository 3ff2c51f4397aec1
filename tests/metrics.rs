//! The figures, and what always holds between them.

use std::sync::Arc;

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::support::trial::tests;
use crate::support::webhook::{Webhook, failed, in_reply_to, status, text};
use crate::support::workspace::{Person, Workspace, recipients, wa_id};

tests! {
    on_both_databases: [
        figures_before_anything_happened_are_zero_and_the_rate_is_null,
        each_status_counts_where_it_belongs,
        an_answer_proves_delivery_and_a_reaction_proves_nothing,
        a_later_proof_of_delivery_wins_over_a_failure,
        failures_are_counted_by_reason_the_most_frequent_first,
        the_figures_agree_with_each_other_and_with_the_list_at_any_moment,
        fifty_conversations_tell_their_figures_at_once,
    ],
}

async fn figures_before_anything_happened_are_zero_and_the_rate_is_null(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let metrics = workspace.metrics(&conversation).await;
    let statuses = ["QUEUED", "ACCEPTED", "HELD", "SENT", "DELIVERED", "READ", "FAILED"];
    let expected = json!({
        "versionNumber": 1, "totalUsers": 0, "messagesSent": 0, "inProcess": 0, "sendFailure": 0, "delivered": 0,
        "responses": 0, "responseRate": null, "read": 0, "inFlow": 0, "finished": 0, "byFailure": [], "revision": 0,
        "totalDeployments": 0, "asOf": metrics["asOf"],
        "byStatus": statuses.map(|status| json!({ "status": status, "count": 0 })),
    });
    assert_eq!(metrics, expected);
}

async fn each_status_counts_where_it_belongs(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let people = workspace.send_to(&conversation, 0, 6).await;
    let at = workspace.server.clock.seconds();
    let status = |person: &Person, name: &str| status(&person.wamid, Some(&person.message), name, at);
    let webhook = Webhook::of("1000")
        .status(status(&people[1], "sent"))
        .status(status(&people[2], "delivered"))
        .status(status(&people[3], "read"))
        .status(status(&people[4], "played"))
        .status(failed(&people[5].wamid, Some(&people[5].message), 130_472, at));
    workspace.server.post(&webhook.payload()).await;
    let metrics = workspace.metrics(&conversation).await;
    let counts: Vec<_> = metrics["byStatus"].as_array().unwrap().iter().map(|one| one["count"].clone()).collect();
    assert_eq!(counts, [1, 0, 0, 1, 1, 2, 1]);
    for (figure, count) in
        [("totalUsers", 6), ("inProcess", 2), ("messagesSent", 3), ("delivered", 3), ("read", 2), ("sendFailure", 1)]
    {
        assert_eq!(metrics[figure], count, "{figure}");
    }
    assert_eq!(metrics["responseRate"], 0.0);
    assert_eq!(metrics["byFailure"], json!([{ "reason": "EXPERIMENT", "count": 1 }]));
}

async fn an_answer_proves_delivery_and_a_reaction_proves_nothing(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let people = workspace.send_to(&conversation, 0, 2).await;
    let at = workspace.server.clock.seconds();
    let sent = |person: &Person| status(&person.wamid, Some(&person.message), "sent", at);
    let answer = text("wamid.answer", &wa_id(&people[0].phone), "Yes", at + 1);
    let reaction = json!({ "from": wa_id(&people[1].phone), "id": "wamid.reaction", "timestamp": (at + 1).to_string(),
        "type": "reaction", "reaction": { "message_id": people[1].wamid, "emoji": "👍" } });
    let webhook = Webhook::of("1000")
        .status(sent(&people[0]))
        .status(sent(&people[1]))
        .message(in_reply_to(answer, &people[0].wamid))
        .message(reaction);
    workspace.server.post(&webhook.payload()).await;
    let metrics = workspace.metrics(&conversation).await;
    for (figure, count) in [("messagesSent", 1), ("responses", 1), ("inFlow", 1), ("read", 0), ("inProcess", 1)] {
        assert_eq!(metrics[figure], count, "{figure}");
    }
    assert_eq!(metrics["responseRate"], 100.0);
    let fields = "phone deploymentStatus stage lastActivityAt deployments { nodes { deliveredAt respondedAt } }";
    let users = workspace.users(&conversation, fields).await;
    for (person, status, stage) in [(&people[0], "DELIVERED", json!("IN_FLOW")), (&people[1], "SENT", Value::Null)] {
        let user = users.iter().find(|user| user["phone"] == person.phone).unwrap();
        assert_eq!((&user["deploymentStatus"], &user["stage"]), (&json!(status), &stage));
        assert!(user["lastActivityAt"].is_string(), "both did something");
        assert_eq!(user["deployments"]["nodes"][0]["deliveredAt"], Value::Null, "nobody reported it");
        assert_eq!(user["deployments"]["nodes"][0]["respondedAt"].is_string(), status == "DELIVERED");
    }
}

async fn a_later_proof_of_delivery_wins_over_a_failure(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let person = workspace.send_to(&conversation, 0, 1).await.remove(0);
    let at = workspace.server.clock.seconds();
    let own = Some(person.message.as_str());
    workspace.server.post(&Webhook::of("1000").status(failed(&person.wamid, own, 131_026, at)).payload()).await;
    assert_eq!(workspace.metrics(&conversation).await["sendFailure"], 1);
    workspace.server.post(&Webhook::of("1000").status(status(&person.wamid, own, "delivered", at + 1)).payload()).await;
    let metrics = workspace.metrics(&conversation).await;
    let figures = (&metrics["sendFailure"], &metrics["messagesSent"], &metrics["byFailure"]);
    assert_eq!(figures, (&json!(0), &json!(1), &json!([])));
    let user =
        workspace.user(&conversation, "failure { reason } deployments { nodes { failedAt failure { reason } } }").await;
    assert_eq!(user["failure"], Value::Null);
    assert_eq!(user["deployments"]["nodes"][0]["failure"], Value::Null);
    assert!(user["deployments"]["nodes"][0]["failedAt"].is_string(), "the failure's time stays");
}

async fn failures_are_counted_by_reason_the_most_frequent_first(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let people = workspace.send_to(&conversation, 0, 60).await;
    let at = workspace.server.clock.seconds();
    let reasons = [
        ("INVALID_PHONE", vec![131_021, 131_030]),
        ("UNDELIVERABLE", vec![131_026]),
        ("BLOCKED_CONTACT", vec![130_403]),
        ("OPTED_OUT", vec![131_050]),
        ("RATE_LIMITED", vec![4, 80_007, 130_429, 131_056]),
        ("TEMPLATE_PARAMETERS", vec![131_008, 131_009, 132_000, 132_005, 132_012, 132_018]),
        ("TEMPLATE_UNAVAILABLE", vec![132_001, 132_007, 132_015, 132_016, 132_068, 132_069]),
        ("WITHHELD", vec![131_049]),
        ("EXPERIMENT", vec![130_472]),
        ("POLICY", vec![130_497, 131_047, 131_048, 131_064, 368]),
        ("LINE_UNAVAILABLE", vec![0, 3, 10, 33, 190, 200, 299, 131_005, 131_031, 131_037, 131_042, 131_045, 133_010]),
        ("PROVIDER_ERROR", vec![1, 2, 131_000, 131_016, 131_057, 133_004]),
        ("OTHER", vec![5, 131_051, 999_999]),
    ];
    let codes = reasons.iter().flat_map(|(reason, codes)| codes.iter().map(move |code| (*reason, *code)));
    let failures: Vec<_> = people.iter().zip(codes).collect();
    let webhook = failures.iter().fold(Webhook::of("1000"), |webhook, (person, (_, code))| {
        webhook.status(failed(&person.wamid, Some(&person.message), *code, at))
    });
    workspace.server.post(&webhook.payload()).await;
    let users = workspace.users(&conversation, "phone failure { reason code message at }").await;
    for (person, (reason, code)) in &failures {
        let user = users.iter().find(|user| user["phone"] == person.phone).unwrap();
        assert_eq!((&user["failure"]["reason"], &user["failure"]["code"]), (&json!(reason), &json!(code)));
    }
    let by_failure = workspace.metrics(&conversation).await["byFailure"].clone();
    let counted: Vec<_> = by_failure.as_array().unwrap().iter().map(|one| one["count"].as_i64().unwrap()).collect();
    assert!(counted.is_sorted_by(|one, other| one >= other), "{counted:?}");
    for (reason, codes) in &reasons {
        let count = json!({ "reason": reason, "count": codes.len() });
        assert!(by_failure.as_array().unwrap().contains(&count), "{count} in {by_failure}");
    }
}

async fn the_figures_agree_with_each_other_and_with_the_list_at_any_moment(workspace: Workspace) {
    let conversation = workspace.conversation("Welcome").await;
    let people = Arc::new(workspace.send_to(&conversation, 0, 60).await);
    let at = workspace.server.clock.seconds();
    let storm = (0..4_u64).map(|seed| {
        let (people, workspace) = (Arc::clone(&people), &workspace);
        async move {
            let mut chance = StdRng::seed_from_u64(seed);
            for _ in 0..25 {
                let webhook = (0..12).fold(Webhook::of("1000"), |webhook, _| {
                    let person = &people[chance.random_range(0..people.len())];
                    random_update(webhook, person, at + chance.random_range(0..60), &mut chance)
                });
                assert_eq!(workspace.server.post(&webhook.payload()).await, 200);
            }
        }
    });
    let mut looks = Vec::new();
    let look = async {
        let mut revision = 0;
        while revision < 400 && looks.len() < 200 {
            let metrics = workspace.metrics(&conversation).await;
            revision = metrics["revision"].as_i64().unwrap();
            looks.push(metrics);
        }
    };
    futures_util::join!(join_all(storm), look);
    looks.push(workspace.metrics(&conversation).await);
    for metrics in &looks {
        assert_consistent(metrics);
    }
    assert!(looks.is_sorted_by_key(|metrics| metrics["revision"].as_i64()), "figures never go back");
    let last = looks.last().unwrap();
    for status in last["byStatus"].as_array().unwrap() {
        let document = "query($id: ID!, $status: [DeploymentStatus!]) { conversation(id: $id) {
            users(filter: { deploymentStatus: $status }, first: 200) { totalCount nodes { id } } } }";
        let variables = json!({ "id": conversation, "status": status["status"] });
        let found = workspace.api.ask_one(document, variables).await["users"].clone();
        assert_eq!(found["totalCount"], status["count"]);
        assert_eq!(json!(found["nodes"].as_array().unwrap().len()), status["count"]);
    }
    assert_eq!(workspace.server.differences().await, []);
}

async fn fifty_conversations_tell_their_figures_at_once(workspace: Workspace) {
    let mut expected = Vec::new();
    for number in 0..50 {
        let conversation = workspace.conversation(&format!("Conversation {number:02}")).await;
        if number % 5 > 0 {
            workspace.send(&conversation, recipients(number, number % 5)).await;
        }
        expected.push(json!({ "id": conversation, "metrics": { "totalUsers": number % 5, "inProcess": number % 5 } }));
    }
    let document = "{ conversations(first: 50, orderBy: { field: NAME, direction: ASC }) {
        nodes { id metrics { totalUsers inProcess } } } }";
    let found = workspace.api.ask_one(document, json!({})).await;
    assert_eq!(found["nodes"], json!(expected));
}

/// Something that may happen to somebody.
fn random_update(webhook: Webhook, person: &Person, at: i64, chance: &mut StdRng) -> Webhook {
    let own = Some(person.message.as_str());
    match chance.random_range(0..6) {
        0 => webhook.status(status(&person.wamid, own, "sent", at)),
        1 | 2 => webhook.status(status(&person.wamid, own, "delivered", at)),
        3 => webhook.status(status(&person.wamid, own, "read", at)),
        4 => webhook.status(failed(&person.wamid, own, [131_026, 131_049, 130_472][chance.random_range(0..3)], at)),
        _ => {
            let id = format!("wamid.{}", chance.random_range(0..1_000_000_000_u64));
            webhook.message(in_reply_to(text(&id, &wa_id(&person.phone), "Hi", at), &person.wamid))
        }
    }
}

/// Whatever happened, these hold.
fn assert_consistent(metrics: &Value) {
    let figure = |name: &str| metrics[name].as_i64().unwrap();
    assert_eq!(figure("totalUsers"), figure("messagesSent") + figure("inProcess") + figure("sendFailure"), "{metrics}");
    assert!(figure("responses") <= figure("messagesSent"), "{metrics}");
    assert_eq!(figure("delivered"), figure("messagesSent"), "{metrics}");
    assert_eq!(figure("responses"), figure("inFlow") + figure("finished"), "{metrics}");
    let sum =
        |list: &str| metrics[list].as_array().unwrap().iter().map(|one| one["count"].as_i64().unwrap()).sum::<i64>();
    assert_eq!(sum("byStatus"), figure("totalUsers"), "{metrics}");
    assert_eq!(sum("byFailure"), figure("sendFailure"), "{metrics}");
    let rate = (figure("messagesSent") > 0).then(|| figure("responses") as f64 / figure("messagesSent") as f64 * 100.0);
    // serde_json reads a float to its last bit or the one beside it.
    let near = |rate: f64| metrics["responseRate"].as_f64().is_some_and(|shown| (shown - rate).abs() < 1e-9);
    assert!(rate.map_or(metrics["responseRate"].is_null(), near), "{metrics}");
}
