//! Conversations that run: what is said to whom, what is captured, and where everybody ends.

use std::time::Duration;

use bluetick::config::Secret;
use bluetick::domain::outgoing::Choice;
use bluetick::whatsapp::simulator::{Faults, Outcomes, Simulator, SimulatorSettings};
use serde_json::{Value, json};

use crate::support::database::Database;
use crate::support::survey::survey;
use crate::support::trial::tests;
use crate::support::wait::until;
use crate::support::webhook::{APP_SECRET, Webhook, text};
use crate::support::workspace::{PUBLISH_VERSION, RESUME_LINE, Workspace, inbound_flow, phone, wa_id};

tests! {
    on_both_databases: [
        a_conversation_runs_from_its_template_to_its_end,
        a_user_who_comes_back_begins_anew_and_an_old_version_is_finished,
        a_flow_leads_to_another_conversation_with_what_it_knows,
        a_circle_of_jumps_ends,
        what_is_said_during_a_jump_is_heard_by_what_it_leads_to,
        a_template_that_leads_on_does_so_with_the_first_answer,
        a_session_in_which_nothing_is_said_expires_and_the_next_word_begins_anew,
        another_send_ends_a_session_and_a_stop_word_is_not_heard,
        a_message_that_comes_twice_is_heard_once,
        what_could_not_be_said_within_a_day_is_not_said,
        what_is_wrong_with_a_flow_is_told_at_its_place,
        the_first_answer_after_a_jump_is_a_response,
        the_flow_of_the_readme_can_be_published,
    ],
}

/// What one person does in a survey, as the provider tells it.
struct Talk {
    workspace: Workspace,
    conversation: String,
    provider: Simulator,
}

const STATE: &str = "deploymentStatus stage sessionStatus variables { name value }
    history(first: 50) { nodes { sender kind text status payload providerMessageId } }";

impl Talk {
    /// What the user is told and asked, without the template.
    async fn told(&self) -> Vec<String> {
        let user = self.workspace.user(&self.conversation, STATE).await;
        let messages = user["history"]["nodes"].as_array().unwrap().iter();
        let ours = messages.filter(|one| one["sender"] == "BOT");
        ours.map(|one| one["text"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits until the user was told this last, and it was accepted by the provider.
    async fn hears(&self, words: &str) {
        until(&format!("the user is told {words:?}"), async || {
            let user = self.workspace.user(&self.conversation, STATE).await;
            let messages = user["history"]["nodes"].as_array().unwrap();
            let last = messages.iter().rev().find(|one| one["sender"] == "BOT")?;
            (last["text"] == words && last["status"] != "QUEUED").then_some(())
        })
        .await;
    }

    /// The users of a version.
    async fn of_version(&self, number: i64) -> Vec<Value> {
        let document = "query($id: ID!, $number: Int!) { conversation(id: $id) { version(number: $number) {
            users(first: 9) { nodes { stage sessionStatus variable(name: \"order\") deployments(first: 9) { totalCount }
              history(last: 1) { nodes { text } } } } } } }";
        let variables = json!({ "id": self.conversation, "number": number });
        let found = self.workspace.api.ask_one(document, variables).await;
        found["version"]["users"]["nodes"].as_array().unwrap().clone()
    }

    async fn writes(&self, words: &str) {
        self.provider.user_writes("1000", &wa_id(&phone(0)), "Ana", words).await.unwrap();
        self.provider.settled().await;
    }

    /// Presses a button of the last message.
    async fn presses(&self, id: &str, title: &str) {
        let user = self.workspace.user(&self.conversation, STATE).await;
        let last = user["history"]["nodes"].as_array().unwrap().iter().rev().find(|one| one["sender"] == "BOT");
        let quoted = last.unwrap()["providerMessageId"].as_str().unwrap();
        let button = Choice::new(id, title);
        self.provider.user_presses("1000", &wa_id(&phone(0)), "Ana", quoted, &button).await.unwrap();
        self.provider.settled().await;
    }
}

async fn a_conversation_runs_from_its_template_to_its_end(database: Database) {
    let (workspace, provider) = Workspace::with_provider(database, obedient()).await;
    let conversation = workspace.conversation_on(&workspace.line, "Survey", "OUTBOUND", survey()).await;
    let users = json!([{ "phone": phone(0), "variables": [{ "name": "first_name", "value": "Ana" }] },
        { "phone": phone(1) }]);
    workspace.send(&conversation, users).await;
    workspace.accepted_people(&conversation).await;
    let missing = workspace.users(&conversation, "phone failure { reason }").await;
    let missing = missing.iter().find(|user| user["phone"] == phone(1)).unwrap();
    assert_eq!(missing["failure"]["reason"], "TEMPLATE_PARAMETERS", "whoever lacks a variable is not sent to");
    let alone = workspace.conversation_on(&workspace.line, "Alone", "OUTBOUND", survey()).await;
    let user = json!([{ "phone": phone(0), "variables": [{ "name": "first_name", "value": "Ana" }] }]);
    workspace.send(&alone, user).await;
    workspace.accepted_people(&alone).await;
    let talk = Talk { workspace, conversation: alone, provider };
    talk.writes("What is this?").await;
    talk.hears("Please press a button, Ana.").await;
    talk.writes("yes").await;
    talk.hears("What is your name?").await;
    talk.writes("Ana María").await;
    talk.hears("How old are you, Ana María?").await;
    talk.writes("old enough").await;
    talk.hears("Your age as a number, please.").await;
    talk.writes("42,5").await;
    talk.hears("Your email?").await;
    talk.writes("ana@example.com").await;
    talk.hears("Which size?").await;
    talk.presses("size:s", "Small").await;
    talk.hears("How was it?").await;
    let open = talk.workspace.user(&talk.conversation, STATE).await;
    assert_eq!((&open["stage"], &open["sessionStatus"]), (&json!("IN_FLOW"), &json!("RATING")));
    talk.presses("rate:Good", "Good").await;
    talk.hears("Bye Ana, you said Good.").await;
    let done = talk.workspace.user(&talk.conversation, STATE).await;
    assert_eq!((&done["stage"], &done["sessionStatus"]), (&json!("FINISHED"), &json!("COMPLETED")));
    let values = [
        ("age", "42.5"),
        ("first_name", "Ana"),
        ("mail", "ana@example.com"),
        ("name", "Ana María"),
        ("rating", "Good"),
        ("size", "s"),
    ];
    let values: Value = values.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    assert_eq!(done["variables"], values);
    talk.writes("Thank you!").await;
    assert_eq!(talk.told().await.last().unwrap(), "Bye Ana, you said Good.", "nothing is said after the end");
    let list = done["history"]["nodes"].as_array().unwrap().iter().find(|one| one["kind"] == "LIST").unwrap();
    assert_eq!(list["payload"]["choices"][1], json!({ "id": "size:l", "title": "Large", "description": "For two" }));
    assert_eq!(talk.provider.counters().duplicates, 0);
    assert_eq!(talk.workspace.server.differences().await, []);
}

async fn a_user_who_comes_back_begins_anew_and_an_old_version_is_finished(database: Database) {
    let (workspace, provider) = Workspace::with_provider(database, obedient()).await;
    let flow = |question: &str| {
        json!({ "start": "ask", "steps": {
        "ask": { "text": question, "answer": { "capture": { "variable": "order", "type": "NUMBER" },
            "retry": { "text": "A number?", "attempts": 1, "next": "agent" } }, "next": "end" },
        "end": { "text": "Anything else?", "final": true },
        "agent": { "handover": true } } })
    };
    let conversation = workspace.conversation_on(&workspace.line, "Orders", "INBOUND", flow("Which order?")).await;
    let talk = Talk { workspace, conversation: conversation.clone(), provider };
    talk.writes("Hello").await;
    talk.hears("Which order?").await;
    let input = json!({ "conversationId": conversation, "flow": flow("Which order, please?") });
    talk.workspace.api.change(PUBLISH_VERSION, json!({ "input": input })).await;
    talk.writes("7").await;
    let old = talk.of_version(1).await;
    assert_eq!(old[0]["variable"], "7", "the old version goes on");
    assert_eq!(old[0]["history"]["nodes"][0]["text"], "Anything else?");
    talk.writes("No").await;
    until("the old version is finished", async || {
        (talk.of_version(1).await[0]["sessionStatus"] == "COMPLETED").then_some(())
    })
    .await;
    talk.writes("Hello again").await;
    talk.hears("Which order, please?").await;
    let (old, new) = (talk.of_version(1).await, talk.of_version(2).await);
    assert_eq!((old.len(), new.len()), (1, 1));
    assert_eq!((&new[0]["stage"], &new[0]["sessionStatus"]), (&Value::Null, &json!("BOT")));
    talk.writes("8").await;
    talk.writes("Bye").await;
    talk.writes("Hello once more").await;
    until("a second deployment of the new version", async || {
        (talk.of_version(2).await[0]["deployments"]["totalCount"] == 2).then_some(())
    })
    .await;
    assert_eq!(talk.workspace.server.differences().await, []);
}

async fn the_first_answer_after_a_jump_is_a_response(database: Database) {
    let (workspace, provider) = Workspace::with_provider(database, obedient()).await;
    let rate = json!({ "start": "rate", "steps": { "rate": { "text": "How was it?", "final": true } } });
    let feedback = workspace.conversation_on(&workspace.line, "Feedback", "INBOUND", rate).await;
    let support = json!({ "start": "ask", "steps": {
        "ask": { "text": "Which order?", "answer": { "routes": [{ "when": { "equals": "none" }, "next": "end" }] },
            "next": "jump" },
        "end": { "text": "Anything else?", "final": true },
        "jump": { "jump": feedback } } });
    let support = workspace.conversation_on(&workspace.line, "Support", "INBOUND", support).await;
    let talk = Talk { workspace, conversation: support, provider };
    talk.writes("Hello").await;
    talk.hears("Which order?").await;
    talk.writes("7").await;
    let responses = async || talk.workspace.metrics(&feedback).await["responses"].as_i64().unwrap();
    until("the feedback is asked for", async || {
        (talk.workspace.metrics(&feedback).await["totalUsers"] == 1).then_some(())
    })
    .await;
    assert_eq!(responses().await, 0);
    // The provider counts in seconds, and this one is to be later than the question.
    talk.workspace.server.clock.advance(Duration::from_secs(2));
    talk.writes("Good").await;
    until("the answer counts", async || (responses().await == 1).then_some(())).await;
    assert_eq!(talk.workspace.server.differences().await, []);
}

/// An inbound flow that asks, and then leads on as this says.
fn asks(question: &str, then: &Value) -> Value {
    json!({ "start": "ask", "steps": {
        "ask": { "text": question, "answer": { "capture": { "variable": "order" },
            "retry": { "text": "Which one?", "attempts": 1, "next": "end" } }, "next": "then" },
        "then": then,
        "end": { "text": "Anything else?", "final": true } } })
}

/// A conversation on the first line with one person in it, which the person begins.
async fn inbound(database: Database, flow: Value) -> Talk {
    let (workspace, provider) = Workspace::with_provider(database, obedient()).await;
    let conversation = workspace.conversation_on(&workspace.line, "Asking", "INBOUND", flow).await;
    Talk { workspace, conversation, provider }
}

async fn a_flow_leads_to_another_conversation_with_what_it_knows(database: Database) {
    let talk = inbound(database, asks("Which order?", &json!({ "text": "Fine.", "next": "end" }))).await;
    let (workspace, line) = (&talk.workspace, &talk.workspace.line);
    let flow = json!({ "start": "hi", "variables": ["order"], "steps": {
        "hi": { "text": "About {{order}}: how was it?", "final": true } } });
    let feedback = workspace.conversation_on(line, "Feedback", "INBOUND", flow).await;
    let mut flow = asks("Which order?", &json!({ "text": "Fine.", "next": "pass" }));
    flow["steps"]["pass"] = json!({ "text": "I pass you on.", "jump": feedback });
    let jumping = workspace.conversation_on(line, "Jumping", "INBOUND", flow).await;
    let talk = Talk { conversation: jumping, ..talk };
    talk.writes("Hello").await;
    talk.hears("Which order?").await;
    talk.writes("17").await;
    talk.hears("I pass you on.").await;
    let jumped = Talk { conversation: feedback, ..talk };
    until("the other conversation began", async || {
        let users = jumped.workspace.users(&jumped.conversation, "id").await;
        (users.len() == 1).then_some(())
    })
    .await;
    jumped.hears("About 17: how was it?").await;
    let overtaken = "SELECT count(*) FROM messages a JOIN messages b ON b.at > a.at \
        WHERE a.sender = 1 AND b.sender = 1 AND b.accepted_at < a.accepted_at";
    assert_eq!(jumped.workspace.server.database.count(overtaken).await, 0, "also what was said before the jump");
    jumped.writes("Good").await;
    let done = jumped.workspace.user(&jumped.conversation, STATE).await;
    assert_eq!((&done["stage"], &done["sessionStatus"]), (&json!("FINISHED"), &json!("COMPLETED")));
    assert_eq!(done["variables"], json!([{ "name": "order", "value": "17" }]));
    assert_eq!(jumped.workspace.server.differences().await, []);
}

async fn a_circle_of_jumps_ends(database: Database) {
    let talk = inbound(database, asks("Which order?", &json!({ "handover": true }))).await;
    let flow = |to: &str| {
        json!({ "start": "hi", "steps": { "hi": { "text": "Round", "next": "on",
        "answer": { "routes": [{ "when": { "equals": "end" }, "next": "end" }] } },
        "on": { "text": "Again", "jump": to }, "end": { "text": "Over?", "final": true } } })
    };
    let line = &talk.workspace.line;
    let one = talk.workspace.conversation_on(line, "One", "INBOUND", flow(&talk.conversation)).await;
    // A flow that jumps at once, back to the conversation that it is of.
    let circle = json!({ "start": "hi", "steps": { "hi": { "text": "Round", "jump": one },
        "end": { "text": "x", "final": true } } });
    let input = json!({ "conversationId": one, "flow": circle });
    let refused = talk.workspace.api.ask_one(PUBLISH_VERSION, json!({ "input": input })).await;
    assert_eq!(refused["userErrors"][0]["field"], json!(["input", "flow", "steps", "end"]), "{refused}");
    let circle = json!({ "start": "hi", "rating": "end", "steps": { "hi": { "text": "Round", "jump": one },
        "end": { "text": "x", "final": true } } });
    let input = json!({ "conversationId": one, "flow": circle });
    talk.workspace.api.change(PUBLISH_VERSION, json!({ "input": input })).await;
    talk.writes("Hello").await;
    let count = async || talk.workspace.server.database.count("SELECT count(*) FROM messages WHERE sender = 1").await;
    until("the circle ended", async || {
        let waiting = talk.workspace.server.database.count("SELECT count(*) FROM parked").await;
        (count().await >= 6 && waiting == 0).then_some(())
    })
    .await;
    assert_eq!(count().await, 6, "one beginning and five jumps");
    assert_eq!(talk.workspace.server.differences().await, []);
}

async fn a_session_in_which_nothing_is_said_expires_and_the_next_word_begins_anew(database: Database) {
    let mut flow = asks("Which order?", &json!({ "text": "Fine.", "next": "end" }));
    flow["sessionMinutes"] = json!(30);
    let talk = inbound(database, flow).await;
    talk.writes("Hello").await;
    talk.hears("Which order?").await;
    talk.workspace.server.clock.advance(Duration::from_mins(31));
    let status = async || talk.workspace.user(&talk.conversation, STATE).await["sessionStatus"].clone();
    until("the session expired", async || (status().await == "EXPIRED").then_some(())).await;
    talk.writes("17").await;
    until("it begins anew", async || (status().await == "BOT").then_some(())).await;
    assert_eq!(talk.told().await, ["Which order?", "Which order?"]);
    assert_eq!(talk.workspace.server.differences().await, []);
}

async fn another_send_ends_a_session_and_a_stop_word_is_not_heard(database: Database) {
    let talk = inbound(database, asks("Which order?", &json!({ "text": "Fine.", "next": "end" }))).await;
    talk.writes("Hello").await;
    talk.hears("Which order?").await;
    let sent = talk.workspace.conversation_on(&talk.workspace.line, "Survey", "OUTBOUND", survey()).await;
    let user = json!([{ "phone": phone(0), "variables": [{ "name": "first_name", "value": "Ana" }] }]);
    talk.workspace.send(&sent, user).await;
    until("the session is over", async || {
        let user = talk.workspace.user(&talk.conversation, STATE).await;
        (user["sessionStatus"] == "COMPLETED").then_some(())
    })
    .await;
    talk.workspace.accepted_people(&sent).await;
    let survey = Talk { conversation: sent, ..talk };
    survey.writes("yes").await;
    survey.hears("What is your name?").await;
    survey.writes("STOP").await;
    let user = survey.workspace.user(&survey.conversation, STATE).await;
    assert_eq!(survey.told().await, ["What is your name?"]);
    assert_eq!(user["variables"], json!([{ "name": "first_name", "value": "Ana" }]));
    assert_eq!(survey.workspace.server.differences().await, []);
}

async fn a_message_that_comes_twice_is_heard_once(workspace: Workspace) {
    let flow = asks("Which order?", &json!({ "text": "Fine.", "next": "end" }));
    let conversation = workspace.conversation_on(&workspace.line, "Asking", "INBOUND", flow).await;
    let at = workspace.server.clock.seconds();
    let say = |id: &str, words: &str| Webhook::of("1000").message(text(id, &wa_id(&phone(0)), words, at)).payload();
    for (id, words) in [("one", "Hello"), ("one", "Hello"), ("two", "17"), ("one", "Hello"), ("two", "17")] {
        workspace.server.post(&say(id, words)).await;
    }
    let user = workspace.user(&conversation, STATE).await;
    let said = user["history"]["nodes"].as_array().unwrap().iter().filter(|one| one["sender"] == "BOT");
    let said: Vec<_> = said.map(|one| one["text"].as_str().unwrap()).collect();
    assert_eq!(said, ["Which order?", "Fine.", "Anything else?"]);
    assert_eq!(workspace.server.differences().await, []);
}

async fn what_is_said_during_a_jump_is_heard_by_what_it_leads_to(workspace: Workspace) {
    let line = &workspace.line;
    let rate = json!({ "start": "rate", "steps": { "rate": { "text": "How was it?", "final": true } } });
    let feedback = workspace.conversation_on(line, "Feedback", "INBOUND", rate).await;
    let flow = asks("Which order?", &json!({ "jump": feedback }));
    let asking = workspace.conversation_on(line, "Asking", "INBOUND", flow).await;
    let at = workspace.server.clock.seconds();
    let say = |id: &str, words: &str| text(id, &wa_id(&phone(0)), words, at);
    workspace.server.post(&Webhook::of("1000").message(say("one", "Hello")).payload()).await;
    let both = Webhook::of("1000").message(say("two", "17")).message(say("three", "Very good"));
    workspace.server.post(&both.payload()).await;
    until("the second was heard after the jump", async || {
        let users = workspace.users(&feedback, STATE).await;
        (users.first()?["stage"] == "FINISHED").then_some(())
    })
    .await;
    let user = workspace.user(&asking, "sessionStatus deployments(first: 5) { totalCount }").await;
    assert_eq!(user, json!({ "sessionStatus": "COMPLETED", "deployments": { "totalCount": 1 } }));
    assert_eq!(workspace.server.differences().await, []);
}

async fn a_template_that_leads_on_does_so_with_the_first_answer(database: Database) {
    let (workspace, provider) = Workspace::with_provider(database, obedient()).await;
    let flow = json!({ "start": "hello", "steps": {
        "hello": { "template": { "name": "hello", "language": "es" }, "next": "ask" },
        "ask": { "text": "How are you?", "final": true, "buttons": [{ "title": "Well" }] } } });
    let conversation = workspace.conversation_on(&workspace.line, "Hello", "OUTBOUND", flow).await;
    workspace.send(&conversation, json!([{ "phone": phone(0) }])).await;
    workspace.accepted_people(&conversation).await;
    let talk = Talk { workspace, conversation, provider };
    talk.writes("Hello?").await;
    talk.hears("How are you?").await;
    // A button of a step that was left is no answer, and where nothing is asked again nothing happens.
    talk.presses("hello:Well", "Fine").await;
    let user = talk.workspace.user(&talk.conversation, STATE).await;
    assert_eq!((&user["stage"], talk.told().await.len()), (&json!("IN_FLOW"), 1));
    talk.presses("ask:Well", "Well").await;
    let user = talk.workspace.user(&talk.conversation, STATE).await;
    assert_eq!(user["stage"], "FINISHED");
    assert_eq!(talk.workspace.server.differences().await, []);
}

async fn what_could_not_be_said_within_a_day_is_not_said(database: Database) {
    let faults = Faults { refused: 1.0, refusal_codes: vec![190], ..Faults::default() };
    let settings = SimulatorSettings { faults, ..obedient() };
    let (workspace, provider) = Workspace::with_provider(database, settings).await;
    let flow = asks("Which order?", &json!({ "text": "Fine.", "next": "end" }));
    let conversation = workspace.conversation_on(&workspace.line, "Asking", "INBOUND", flow).await;
    let talk = Talk { workspace, conversation, provider };
    talk.writes("Hello").await;
    let stopped = "{ lines { state } }";
    until("the line is stopped", async || {
        let lines = talk.workspace.api.ask(stopped, json!({})).await;
        (lines["lines"][0]["state"] == "STOPPED").then_some(())
    })
    .await;
    talk.provider.set_faults(Faults::default()).unwrap();
    let calls = talk.provider.counters().calls;
    talk.workspace.server.clock.advance(Duration::from_hours(25));
    talk.workspace.api.change(RESUME_LINE, json!({ "id": talk.workspace.line.id })).await;
    until("it is known not to be said", async || {
        let user = talk.workspace.user(&talk.conversation, STATE).await;
        let said = user["history"]["nodes"].as_array().unwrap().iter().find(|one| one["sender"] == "BOT")?.clone();
        (said["status"] == "FAILED").then_some(())
    })
    .await;
    let reason = "{ conversations(first: 1) { nodes { users(first: 1) { nodes { failure { reason } } } } } }";
    let found = talk.workspace.api.ask(reason, json!({})).await;
    assert_eq!(found["conversations"]["nodes"][0]["users"]["nodes"][0]["failure"]["reason"], "POLICY");
    assert_eq!(talk.provider.counters().calls, calls, "nobody was called");
    assert_eq!(talk.workspace.server.differences().await, []);
}

async fn what_is_wrong_with_a_flow_is_told_at_its_place(workspace: Workspace) {
    let other = workspace.another_line(false).await;
    let elsewhere = workspace.conversation_on(&other, "Elsewhere", "INBOUND", inbound_flow()).await;
    let silent = workspace.conversation_on(&workspace.line, "Silent", "INBOUND", inbound_flow()).await;
    let conversation = workspace.conversation_on(&workspace.line, "Asking", "INBOUND", inbound_flow()).await;
    let jump = |to: &str| asks("Which order?", &json!({ "jump": to }));
    for (flow, place, code) in [
        (jump(&elsewhere), "steps.then.jump", "INVALID"),
        (jump(&silent), "steps.then.jump", "INVALID"),
        (jump("conv_0193aaaaaaaaaaaaaaaaaaaaaaaaaaaa"), "steps.then.jump", "NOT_FOUND"),
        (jump("nowhere"), "steps.then.jump", "INVALID"),
        (asks("{{nobody}}?", &json!({ "next": "end" })), "steps.ask.text", "INVALID"),
        (asks("?", &json!({ "next": "lost" })), "steps.then.next", "INVALID"),
        (asks("?", &json!({ "nexts": "end" })), "steps.then.nexts", "INVALID"),
        (asks(&"x".repeat(4_097), &json!({ "next": "end" })), "steps.ask.text", "INVALID"),
    ] {
        let input = json!({ "conversationId": conversation, "flow": flow });
        let refused = workspace.api.ask_one(PUBLISH_VERSION, json!({ "input": input })).await;
        assert_eq!(refused["version"], Value::Null, "{refused}");
        let errors = refused["userErrors"].as_array().unwrap();
        let told = |error: &Value| {
            let field: Vec<_> = error["field"].as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect();
            field.join(".") == format!("input.flow.{place}") && error["code"] == code
        };
        assert!(errors.iter().any(told), "{place} {code}: {refused}");
    }
}

async fn the_flow_of_the_readme_can_be_published(workspace: Workspace) {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let flow = readme.split("```json\n").find(|block| block.contains("\"steps\"")).unwrap();
    let flow = serde_json::from_str(flow.split("```").next().unwrap()).unwrap();
    workspace.conversation_on(&workspace.line, "Readme", "OUTBOUND", flow).await;
}

/// A provider whose users say only what the test lets them say.
fn obedient() -> SimulatorSettings {
    let outcomes = Outcomes {
        undeliverable: 0.0,
        withheld: 0.0,
        failed: 0.0,
        unreachable: 0.0,
        answered: 0.0,
        reacted: 0.0,
        ..Outcomes::default()
    };
    SimulatorSettings {
        speed: 1_000.0,
        app_secret: Secret::new(APP_SECRET),
        webhook_url: Some(String::new()),
        window: 1e9,
        outcomes,
        ..SimulatorSettings::default()
    }
}
