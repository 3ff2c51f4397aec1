//! `recordFacts`: the webhooks' door, for teams whose own system does the talking.

use serde_json::{Value, json};

use crate::support::database::Database;
use crate::support::trial::{Fixture, tests};
use crate::support::wait::until;
use crate::support::workspace::{Line, Person, RECORD_FACTS, Workspace, flow, phone, recipients};

tests! {
    on_both_databases: [
        every_status_can_be_recorded,
        a_failure_is_told_by_its_code_or_by_its_reason,
        sessions_ends_and_variables_are_the_latest_the_earliest_and_the_latest,
        facts_recorded_again_change_nothing,
        a_deployment_is_named_by_any_of_its_messages,
        what_is_not_known_yet_is_parked_and_merged_when_it_is,
        an_unknown_deployment_is_not_found_and_nothing_is_recorded,
        a_fact_that_is_still_to_come_is_refused,
        a_thousand_facts_are_taken_and_not_one_more,
        whatever_is_wrong_with_a_fact_names_its_place_and_nothing_is_recorded,
        a_fact_is_of_exactly_one_kind,
        a_user_is_named_by_phone_or_by_whatsapp_id,
        a_whatsapp_id_finds_whom_a_send_knows_by_phone,
        what_was_told_before_its_send_is_merged_with_it,
        every_answer_counts_where_what_was_sent_is_not_reported,
    ],
}

/// One person of an outbound conversation on a line on which another system sends.
struct External {
    workspace: Workspace,
    line: Line,
    conversation: String,
    person: Person,
}

impl Fixture for External {
    async fn make(database: Database) -> Self {
        let workspace = Workspace::make(database).await;
        let line = workspace.another_line(true).await;
        let conversation = workspace.conversation_on(&line, "External", "OUTBOUND", flow()).await;
        let person = workspace.send_to(&conversation, 0, 1).await.remove(0);
        Self { workspace, line, conversation, person }
    }
}

impl External {
    fn status(&self, status: &str, at: &str) -> Value {
        json!({ "status": { "deploymentId": self.person.deployment, "status": status, "at": at } })
    }

    fn message(&self, sender: &str, id: &str) -> Value {
        json!({ "message": { "lineId": self.line.id, "phone": phone(0), "sender": sender, "kind": "TEXT", "text": id,
            "at": self.now(), "providerMessageId": id } })
    }

    fn now(&self) -> String {
        bluetick::domain::clock::Clock::now(&*self.workspace.server.clock).to_string()
    }

    async fn user(&self, fields: &str) -> Value {
        self.workspace.user(&self.conversation, fields).await
    }
}

async fn every_status_can_be_recorded(external: External) {
    for (number, status) in ["QUEUED", "ACCEPTED", "HELD", "SENT", "DELIVERED", "READ"].into_iter().enumerate() {
        let at = format!("2026-01-01T00:00:0{number}Z");
        external.workspace.record(json!([external.status(status, &at)])).await;
        assert_eq!(external.user("deploymentStatus").await["deploymentStatus"], status);
    }
    let deployment = external
        .user("deployments { nodes { queuedAt acceptedAt heldAt sentAt deliveredAt readAt failedAt } }")
        .await["deployments"]["nodes"][0]
        .clone();
    let expected = json!({
        "queuedAt": deployment["queuedAt"], "acceptedAt": "2026-01-01T00:00:01Z", "heldAt": "2026-01-01T00:00:02Z",
        "sentAt": "2026-01-01T00:00:03Z", "deliveredAt": "2026-01-01T00:00:04Z", "readAt": "2026-01-01T00:00:05Z",
        "failedAt": null,
    });
    assert_eq!(deployment, expected);
}

async fn a_failure_is_told_by_its_code_or_by_its_reason(external: External) {
    let at = "2026-01-01T00:00:00Z";
    let conversation = &external.conversation;
    external.workspace.send(conversation, recipients(1, 4)).await;
    let people = external.workspace.people(conversation).await;
    let cases = [
        (json!({ "failureCode": 131_049 }), "WITHHELD", json!(131_049), true),
        (
            json!({ "failureReason": "BLOCKED_CONTACT", "failureMessage": "No more" }),
            "BLOCKED_CONTACT",
            json!(null),
            false,
        ),
        (json!({ "failureCode": 7, "failureReason": "POLICY" }), "POLICY", json!(7), false),
        (json!({ "failureReason": "EXPIRED" }), "EXPIRED", json!(null), true),
        (json!({}), "OTHER", json!(null), false),
    ];
    for (person, (extra, ..)) in people.iter().zip(&cases) {
        let mut fact = json!({ "deploymentId": person.deployment, "status": "FAILED", "at": at });
        fact.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        external.workspace.record(json!([{ "status": fact }])).await;
    }
    let users = external.workspace.users(conversation, "phone failure { reason code retryable at message }").await;
    for (person, (extra, reason, code, retryable)) in people.iter().zip(&cases) {
        let failure = &users.iter().find(|user| user["phone"] == person.phone).unwrap()["failure"];
        assert_eq!((&failure["reason"], &failure["code"]), (&json!(reason), code), "{extra}");
        assert_eq!((&failure["retryable"], &failure["at"]), (&json!(retryable), &json!(at)), "{extra}");
    }
}

async fn sessions_ends_and_variables_are_the_latest_the_earliest_and_the_latest(external: External) {
    let deployment = &external.person.deployment;
    let at = |second: i64| format!("2026-01-01T00:00:{second:02}Z");
    let mut facts = Vec::new();
    for (second, status, city) in [(20, "AGENT", "Cali"), (30, "BOT", "Bogotá"), (10, "COMPLETED", "Lima")] {
        let (at, of) = (at(second), deployment);
        facts.push(json!({ "session": { "deploymentId": of, "sessionStatus": status, "at": at } }));
        facts.push(json!({ "finished": { "deploymentId": of, "at": at } }));
        facts.push(json!({ "variable": { "deploymentId": of, "name": "city", "value": city, "at": at } }));
    }
    external.workspace.record(json!(facts)).await;
    let fields = "sessionStatus stage deploymentStatus variables { name value updatedAt }
        deployments { nodes { finishedAt respondedAt } }";
    let expected = json!({
        "sessionStatus": "BOT", "stage": "FINISHED", "deploymentStatus": "DELIVERED",
        "variables": [{ "name": "city", "value": "Bogotá", "updatedAt": at(30) }],
        "deployments": { "nodes": [{ "finishedAt": at(10), "respondedAt": at(10) }] },
    });
    assert_eq!(external.user(fields).await, expected);
    let metrics = external.workspace.metrics(&external.conversation).await;
    assert_eq!((&metrics["finished"], &metrics["inFlow"], &metrics["responses"]), (&json!(1), &json!(0), &json!(1)));
}

async fn facts_recorded_again_change_nothing(external: External) {
    let facts = json!([
        external.message("COMPANY", "first"),
        external.message("USER", "answer"),
        external.status("READ", "2026-01-01T00:00:00Z"),
    ]);
    external.workspace.record(facts.clone()).await;
    let before = external.workspace.metrics(&external.conversation).await;
    external.workspace.record(facts).await;
    assert_eq!(external.workspace.metrics(&external.conversation).await, before);
}

async fn a_deployment_is_named_by_any_of_its_messages(external: External) {
    let facts = json!([external.message("COMPANY", "first"), external.message("BOT", "second")]);
    external.workspace.record(facts).await;
    let at = external.now();
    external
        .workspace
        .record(json!([
            { "session": { "providerMessageId": "second", "sessionStatus": "AGENT", "at": at } },
            { "variable": { "providerMessageId": "first", "name": "city", "value": "Lima", "at": at } },
            { "finished": { "providerMessageId": "second", "at": at } },
        ]))
        .await;
    let user = external.user("sessionStatus stage variable(name: \"city\")").await;
    assert_eq!(user, json!({ "sessionStatus": "AGENT", "stage": "FINISHED", "variable": "Lima" }));
}

async fn what_is_not_known_yet_is_parked_and_merged_when_it_is(external: External) {
    let at = external.now();
    let early = json!([
        { "status": { "providerMessageId": "first", "status": "READ", "at": at } },
        { "variable": { "providerMessageId": "first", "name": "city", "value": "Lima", "at": at } },
        { "finished": { "providerMessageId": "first", "at": at } },
        { "session": { "providerMessageId": "first", "sessionStatus": "BOT", "at": at } },
    ]);
    let payload = external.workspace.try_record(early).await;
    assert_eq!(payload, json!({ "recorded": 0, "parked": 4, "userErrors": [] }));
    external.workspace.record(json!([external.message("COMPANY", "first")])).await;
    let expected =
        json!({ "deploymentStatus": "READ", "variable": "Lima", "stage": "FINISHED", "sessionStatus": "BOT" });
    until("all of it is merged", async || {
        let user = external.user("deploymentStatus variable(name: \"city\") stage sessionStatus").await;
        (user == expected).then_some(())
    })
    .await;
}

async fn an_unknown_deployment_is_not_found_and_nothing_is_recorded(external: External) {
    let unknown = format!("dep_{}", "0".repeat(32));
    for id in [&unknown, &external.person.user, &external.conversation] {
        let status = json!({ "deploymentId": id, "status": "READ", "at": "2026-01-01T00:00:00Z" });
        let facts = json!([external.status("READ", "2026-01-01T00:00:00Z"), { "status": status }]);
        let payload = external.workspace.try_record(facts).await;
        assert_eq!((&payload["recorded"], &payload["parked"]), (&json!(0), &json!(0)));
        assert_eq!(payload["userErrors"][0]["code"], "NOT_FOUND");
        assert_eq!(payload["userErrors"][0]["field"], json!(["facts", "1", "status", "deploymentId"]));
    }
    assert_eq!(external.user("deploymentStatus").await["deploymentStatus"], "QUEUED");
}

async fn a_fact_that_is_still_to_come_is_refused(external: External) {
    let clock = &external.workspace.server.clock;
    let ahead = |seconds: u64| {
        use bluetick::domain::clock::Clock;
        clock.now().plus(std::time::Duration::from_secs(seconds)).to_string()
    };
    let payload = external.workspace.try_record(json!([external.status("READ", &ahead(400))])).await;
    assert_eq!(payload["userErrors"][0]["code"], "INVALID");
    assert_eq!(payload["userErrors"][0]["field"], json!(["facts", "0", "status", "at"]));
    assert_eq!(external.user("deploymentStatus").await["deploymentStatus"], "QUEUED");
    external.workspace.record(json!([external.status("READ", &ahead(200))])).await;
}

async fn a_thousand_facts_are_taken_and_not_one_more(external: External) {
    let facts = |count: usize| -> Value {
        (0..count).map(|number| external.status("READ", &format!("2026-01-01T00:00:00.{number:06}Z"))).collect()
    };
    let payload = external.workspace.try_record(facts(1_001)).await;
    assert_eq!(payload["userErrors"][0]["code"], "TOO_MANY");
    assert_eq!(payload["userErrors"][0]["field"], json!(["facts"]));
    external.workspace.record(facts(1_000)).await;
    external.workspace.record(json!([])).await;
}

async fn whatever_is_wrong_with_a_fact_names_its_place_and_nothing_is_recorded(external: External) {
    let (at, of) = ("2026-01-01T00:00:00Z", &external.person.deployment);
    let long = "x".repeat(1_000_000);
    let message = |field: &str, value: Value| {
        let mut message = external.message("USER", "wamid.1");
        message["message"][field] = value;
        message
    };
    for (fact, field) in [
        (json!({ "status": { "status": "READ", "at": at } }), json!(["facts", "0", "status"])),
        (
            json!({ "status": { "deploymentId": of, "providerMessageId": "a", "status": "READ", "at": at } }),
            json!(["facts", "0", "status"]),
        ),
        (
            json!({ "status": { "providerMessageId": "", "status": "READ", "at": at } }),
            json!(["facts", "0", "status", "providerMessageId"]),
        ),
        (
            json!({ "status": { "deploymentId": of, "status": "READ", "failureCode": 1, "at": at } }),
            json!(["facts", "0", "status", "failureCode"]),
        ),
        (
            json!({ "status": { "deploymentId": of, "status": "FAILED", "failureMessage": long, "at": at } }),
            json!(["facts", "0", "status", "failureMessage"]),
        ),
        (
            json!({ "variable": { "deploymentId": of, "name": "", "value": "a", "at": at } }),
            json!(["facts", "0", "variable", "name"]),
        ),
        (
            json!({ "variable": { "deploymentId": of, "name": "a", "value": "\0", "at": at } }),
            json!(["facts", "0", "variable", "value"]),
        ),
        (message("providerMessageId", json!("a\0b")), json!(["facts", "0", "message", "providerMessageId"])),
        (message("providerMessageId", json!(long)), json!(["facts", "0", "message", "providerMessageId"])),
        (message("text", json!(long)), json!(["facts", "0", "message", "text"])),
        (message("payload", json!({ "a": "\0" })), json!(["facts", "0", "message", "payload"])),
        (message("phone", json!("nobody")), json!(["facts", "0", "message", "phone"])),
        (message("phone", json!("+57 12")), json!(["facts", "0", "message", "phone"])),
        (message("phone", json!(null)), json!(["facts", "0", "message"])),
        (message("whatsappId", json!("not digits")), json!(["facts", "0", "message", "whatsappId"])),
        (message("inReplyTo", json!("")), json!(["facts", "0", "message", "inReplyTo"])),
    ] {
        let payload = external.workspace.try_record(json!([fact, external.status("READ", at)])).await;
        assert_eq!(payload["userErrors"][0]["code"], "INVALID", "{field}: {payload}");
        assert_eq!(payload["userErrors"][0]["field"], field);
    }
    assert_eq!(external.user("deploymentStatus").await["deploymentStatus"], "QUEUED");
}

async fn a_fact_is_of_exactly_one_kind(external: External) {
    let (at, of) = ("2026-01-01T00:00:00Z", &external.person.deployment);
    let finished = json!({ "deploymentId": of, "at": at });
    let both = json!({ "finished": finished, "status": { "deploymentId": of, "status": "READ", "at": at } });
    for wrong in [both, json!({}), json!({ "finished": null })] {
        let refusal = external.workspace.api.refusal(RECORD_FACTS, json!({ "facts": [wrong] })).await;
        assert!(refusal.message.contains("facts") || refusal.message.contains("FactInput"), "{}", refusal.message);
    }
    assert_eq!(external.user("stage deploymentStatus").await, json!({ "stage": null, "deploymentStatus": "QUEUED" }));
}

async fn a_user_is_named_by_phone_or_by_whatsapp_id(external: External) {
    let inbound = crate::support::workspace::inbound_flow();
    let conversation = external.workspace.conversation_on(&external.line, "In", "INBOUND", inbound).await;
    let by = |name: &str, value: &str, id: &str| {
        let mut message = external.message("USER", id);
        message["message"].as_object_mut().unwrap().remove("phone");
        message["message"][name] = json!(value);
        message
    };
    // A Brazilian number, whose WhatsApp id has a digit less.
    let mut both = by("phone", "+5511987654321", "one");
    both["message"]["whatsappId"] = json!("551187654321");
    external.workspace.record(json!([both])).await;
    external.workspace.record(json!([by("whatsappId", "551187654321", "two")])).await;
    external.workspace.record(json!([by("phone", "+5511987654321", "three")])).await;
    let user = external.workspace.user(&conversation, "phone whatsappId history { totalCount }").await;
    let expected = json!({ "phone": "+5511987654321", "whatsappId": "551187654321", "history": { "totalCount": 3 } });
    assert_eq!(user, expected);
}

async fn a_whatsapp_id_finds_whom_a_send_knows_by_phone(external: External) {
    let mut answer = external.message("USER", "wamid.answer");
    let message = answer["message"].as_object_mut().unwrap();
    message.remove("phone");
    message.insert("whatsappId".to_owned(), json!(phone(0).trim_start_matches('+')));
    external.workspace.record(json!([external.message("COMPANY", "wamid.first"), answer])).await;
    let user = external.user("whatsappId stage history { totalCount }").await;
    let expected = json!({ "whatsappId": phone(0).trim_start_matches('+'), "stage": "IN_FLOW",
        "history": { "totalCount": 2 } });
    assert_eq!(user, expected);
}

async fn what_was_told_before_its_send_is_merged_with_it(external: External) {
    let External { workspace, line, .. } = &external;
    let conversation = workspace.conversation_on(line, "Later", "OUTBOUND", flow()).await;
    let at = bluetick::domain::clock::Clock::now(&*workspace.server.clock).plus(std::time::Duration::from_secs(60));
    let told = json!([
        { "message": { "lineId": line.id, "phone": phone(5), "sender": "COMPANY", "kind": "TEMPLATE",
            "at": at.to_string(), "providerMessageId": "wamid.early" } },
        { "status": { "providerMessageId": "wamid.early", "status": "DELIVERED", "at": at.to_string() } },
    ]);
    let payload = workspace.try_record(told).await;
    assert_eq!(payload, json!({ "recorded": 0, "parked": 2, "userErrors": [] }));
    workspace.send(&conversation, recipients(5, 1)).await;
    until("both are merged", async || {
        let user = workspace.user(&conversation, "deploymentStatus history { totalCount }").await;
        (user == json!({ "deploymentStatus": "DELIVERED", "history": { "totalCount": 1 } })).then_some(())
    })
    .await;
    assert_eq!(workspace.server.database.count("SELECT count(*) FROM parked").await, 0);
}

async fn every_answer_counts_where_what_was_sent_is_not_reported(external: External) {
    let at = external.now();
    external.workspace.record(json!([external.status("SENT", &at), external.message("USER", "wamid.answer")])).await;
    let user = external.user("deploymentStatus stage").await;
    assert_eq!(user, json!({ "deploymentStatus": "DELIVERED", "stage": "IN_FLOW" }));
    assert_eq!(external.workspace.server.differences().await, []);
}
