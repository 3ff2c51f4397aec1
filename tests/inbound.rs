//! Rules of lines, and the inbound conversations that messages begin by them.

use serde_json::{Value, json};

use crate::support::trial::tests;
use crate::support::webhook::{Webhook, message, text};
use crate::support::workspace::{ARCHIVE_CONVERSATION, Workspace, inbound_flow, phone, wa_id};

tests! {
    on_both_databases: [
        a_lines_rules_are_given_and_shown_and_removed,
        rules_that_cannot_be_are_refused_with_their_place,
        a_message_begins_the_conversation_that_a_rule_chooses,
        a_rule_chooses_for_messages_of_its_line_alone,
        of_two_messages_the_first_chooses,
    ],
}

const SET_RULES: &str = "mutation($input: UpdateLineInput!) { updateLine(input: $input) {
    line { name inboundRules { keyword referral conversation { id name } } } userErrors { field code message } } }";

/// A line's inbound conversations, named by what they are for.
struct Talks {
    workspace: Workspace,
    prices: String,
    spring: String,
    newest: String,
}

impl Talks {
    async fn of(workspace: Workspace) -> Self {
        let inbound = async |name| workspace.conversation_on(&workspace.line, name, "INBOUND", inbound_flow()).await;
        let (prices, spring, newest) = (inbound("Prices").await, inbound("Spring").await, inbound("Newest").await);
        Self { workspace, prices, spring, newest }
    }

    /// The rules of the line become these.
    async fn set(&self, rules: Value) -> Value {
        let input = json!({ "id": self.workspace.line.id, "inboundRules": rules });
        self.workspace.api.change(SET_RULES, json!({ "input": input })).await["line"]["inboundRules"].clone()
    }

    /// A keyword and an advertisement.
    async fn set_usual(&self) {
        let rules = json!([
            { "keyword": "Précio", "conversationId": self.prices },
            { "referral": "https://fb.me/spring", "conversationId": self.spring },
            { "referral": "120210", "conversationId": self.spring },
        ]);
        self.set(rules).await;
    }

    /// A person, by number, writes on the line at a second.
    async fn write(&self, person: usize, second: i64, content: Value) {
        let at = self.workspace.server.clock.seconds() - 60 + second;
        let mut written = text(&format!("wamid.{person}.{second}"), &wa_id(&phone(person)), "", at);
        for (name, value) in content.as_object().unwrap() {
            written[name] = value.clone();
        }
        self.workspace.server.post(&Webhook::of("1000").message(written).payload()).await;
    }

    /// How many users began each conversation: that of prices, that of spring, and the newest.
    async fn begun(&self) -> [i64; 3] {
        let users = async |id| self.workspace.metrics(id).await["totalUsers"].as_i64().unwrap();
        [users(&self.prices).await, users(&self.spring).await, users(&self.newest).await]
    }
}

fn says(text: &str) -> Value {
    json!({ "text": { "body": text } })
}

fn referred(referral: &Value) -> Value {
    json!({ "text": { "body": "Hello" }, "referral": referral })
}

async fn a_lines_rules_are_given_and_shown_and_removed(workspace: Workspace) {
    let talks = Talks::of(workspace).await;
    let rules = json!([
        { "keyword": "precio", "conversationId": talks.prices },
        { "referral": "120210", "conversationId": talks.spring },
        { "keyword": "k".repeat(100), "conversationId": talks.prices },
        { "referral": "r".repeat(2_048), "conversationId": talks.prices },
    ]);
    let prices = json!({ "id": talks.prices, "name": "Prices" });
    let shown = json!([
        { "keyword": "precio", "referral": null, "conversation": prices },
        { "keyword": null, "referral": "120210", "conversation": { "id": talks.spring, "name": "Spring" } },
        { "keyword": "k".repeat(100), "referral": null, "conversation": prices },
        { "keyword": null, "referral": "r".repeat(2_048), "conversation": prices },
    ]);
    assert_eq!(talks.set(rules.clone()).await, shown);
    let api = &talks.workspace.api;
    let other = json!({ "id": talks.workspace.line.id, "name": "Renamed" });
    let kept = api.change(SET_RULES, json!({ "input": other })).await;
    assert_eq!(kept["line"], json!({ "name": "Renamed", "inboundRules": shown }));
    for nothing in [json!(null), json!([])] {
        assert_eq!(talks.set(rules.clone()).await, shown);
        assert_eq!(talks.set(nothing).await, json!([]));
    }
    let many: Value = (0..50).map(|_| rules[0].clone()).collect();
    assert_eq!(talks.set(many).await.as_array().unwrap().len(), 50);
}

async fn rules_that_cannot_be_are_refused_with_their_place(workspace: Workspace) {
    let outbound = workspace.conversation("Welcome").await;
    let other = workspace.another_line(false).await;
    let elsewhere = workspace.conversation_on(&other, "Elsewhere", "INBOUND", inbound_flow()).await;
    let archived = workspace.conversation_on(&workspace.line, "Archived", "INBOUND", inbound_flow()).await;
    workspace.api.change(ARCHIVE_CONVERSATION, json!({ "id": archived })).await;
    let talks = Talks::of(workspace).await;
    let (workspace, good) = (&talks.workspace, &talks.prices);
    let keyword = |keyword: &str| json!({ "keyword": keyword, "conversationId": good });
    let of = |conversation: &str| json!({ "referral": "1", "conversationId": conversation });
    for (rule, field, code) in [
        (keyword(""), Some("keyword"), "INVALID"),
        (keyword(" \n"), Some("keyword"), "INVALID"),
        (keyword("a\0"), Some("keyword"), "INVALID"),
        (keyword(&"k".repeat(101)), Some("keyword"), "INVALID"),
        (json!({ "referral": "", "conversationId": good }), Some("referral"), "INVALID"),
        (json!({ "referral": "r".repeat(2_049), "conversationId": good }), Some("referral"), "INVALID"),
        (json!({ "conversationId": good }), None, "INVALID"),
        (json!({ "keyword": "a", "referral": "b", "conversationId": good }), None, "INVALID"),
        (of(&outbound), Some("conversationId"), "INVALID"),
        (of(&elsewhere), Some("conversationId"), "INVALID"),
        (of(&archived), Some("conversationId"), "INVALID"),
        (of(&workspace.line.id), Some("conversationId"), "NOT_FOUND"),
    ] {
        let input = json!({ "id": workspace.line.id, "inboundRules": [keyword("fine"), rule] });
        let payload = workspace.api.ask_one(SET_RULES, json!({ "input": input })).await;
        let place: Vec<_> = ["input", "inboundRules", "1"].into_iter().chain(field).collect();
        assert_eq!(payload["userErrors"][0]["field"], json!(place), "{payload}");
        assert_eq!((&payload["userErrors"][0]["code"], &payload["userErrors"][1]), (&json!(code), &Value::Null));
        assert_eq!(payload["line"], Value::Null);
    }
    let many: Value = (0..51).map(|_| keyword("fine")).collect();
    let input = json!({ "id": workspace.line.id, "inboundRules": many });
    let payload = workspace.api.ask_one(SET_RULES, json!({ "input": input })).await;
    let told = &payload["userErrors"][0];
    assert_eq!((&told["code"], &told["field"]), (&json!("TOO_MANY"), &json!(["input", "inboundRules"])));
    let found = workspace.api.ask_one("{ lines { inboundRules { keyword } } }", json!({})).await;
    assert_eq!(found[0]["inboundRules"], json!([]));
}

async fn a_message_begins_the_conversation_that_a_rule_chooses(workspace: Workspace) {
    let talks = Talks::of(workspace).await;
    talks.set_usual().await;
    talks.write(1, 1, says("¿Cuál es el PRÉCIO?")).await;
    assert_eq!(talks.begun().await, [1, 0, 0], "by its keyword");
    talks.write(2, 1, referred(&json!({ "source_type": "ad", "source_id": "120210" }))).await;
    talks.write(3, 1, referred(&json!({ "source_id": "7", "source_url": "https://fb.me/spring?x=1" }))).await;
    assert_eq!(talks.begun().await, [1, 2, 0], "by its referral");
    talks.write(4, 1, says("Précios")).await;
    talks.write(5, 1, referred(&json!({ "source_id": "1202101", "source_url": 7 }))).await;
    assert_eq!(talks.begun().await, [1, 2, 2], "by no rule");
    talks.workspace.api.change(ARCHIVE_CONVERSATION, json!({ "id": talks.prices })).await;
    talks.write(6, 1, says("précio")).await;
    assert_eq!(talks.begun().await, [1, 2, 3], "the conversation is archived");
    let input = json!({ "id": talks.workspace.line.id, "defaultConversationId": talks.spring });
    talks.workspace.api.change(SET_RULES, json!({ "input": input })).await;
    talks.write(7, 1, says("précio")).await;
    assert_eq!(talks.begun().await, [1, 3, 3], "and there is a default");
    assert_eq!(talks.workspace.server.differences().await, []);
}

async fn a_rule_chooses_for_messages_of_its_line_alone(workspace: Workspace) {
    let other = workspace.another_line(false).await;
    let elsewhere = workspace.conversation_on(&other, "Elsewhere", "INBOUND", inbound_flow()).await;
    let talks = Talks::of(workspace).await;
    talks.set_usual().await;
    let at = talks.workspace.server.clock.seconds();
    let caption = json!({ "id": "1", "caption": "this précio" });
    let here = message("wamid.1", &wa_id(&phone(1)), "image", &caption, at);
    let there = text("wamid.2", &wa_id(&phone(1)), "précio", at);
    talks.workspace.server.post(&Webhook::of("1000").message(here).payload()).await;
    talks.workspace.server.post(&Webhook::of(&other.phone_number_id).message(there).payload()).await;
    assert_eq!(talks.begun().await, [1, 0, 0]);
    assert_eq!(talks.workspace.metrics(&elsewhere).await["totalUsers"], 1);
}

async fn of_two_messages_the_first_chooses(workspace: Workspace) {
    let talks = Talks::of(workspace).await;
    talks.set_usual().await;
    talks.write(1, 1, says("précio")).await;
    talks.write(1, 5, referred(&json!({ "source_id": "120210" }))).await;
    // An earlier one that arrives late belongs to what has begun.
    talks.write(1, 0, says("Hello")).await;
    assert_eq!(talks.begun().await, [1, 0, 0]);
    let user = talks.workspace.user(&talks.prices, "deployments { totalCount } history { totalCount }").await;
    assert_eq!(user, json!({ "deployments": { "totalCount": 1 }, "history": { "totalCount": 3 } }));
    assert_eq!(talks.workspace.server.differences().await, []);
}
