//! Bad input, and a bad database: a clear error that names what is wrong, nothing changed, and the server goes on.
//!
//! What each mutation refuses, and what becomes of odd webhooks, stands with its noun; here is what is common to them.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::client::{Answer, Client};
use crate::support::database::{Database, Kind};
use crate::support::process::Binary;
use crate::support::proxy::Proxy;
use crate::support::server::Server;
use crate::support::trial::{Fixture, tests};
use crate::support::wait::until;
use crate::support::webhook::{APP_SECRET, Webhook, body, failed, in_reply_to, message, signature, status, text};
use crate::support::workspace::{
    CREATE_CONVERSATION, Line, Person, RECORD_FACTS, SEND_CONVERSATION, Workspace, flow, inbound_flow, phone,
    recipients, wa_id,
};

tests! {
    on_both_databases: [
        a_malformed_id_names_its_argument,
        a_cursor_of_nothing_or_of_another_list_names_its_argument,
        a_page_of_no_size_names_its_argument,
        a_time_out_of_this_world_names_its_argument,
        a_range_that_ends_before_it_begins_names_its_argument,
        a_text_that_no_database_holds_or_without_end_names_its_argument,
        a_list_without_end_names_its_argument,
        what_is_nested_too_deeply_names_its_argument,
        an_error_repeats_nothing_long,
        a_body_that_is_no_request_is_refused_whole,
        what_no_database_can_hold_is_kept_of_a_webhook,
        a_message_of_an_impossible_time_is_kept,
        a_failure_is_one_whatever_its_code,
        more_than_a_thousand_updates_are_refused_whole,
    ],
    on_postgres: [
        while_the_database_is_away_no_webhook_is_acknowledged,
        while_the_database_is_away_queries_are_told_so_and_nothing_else,
    ],
    without_database: [
        a_document_nested_without_end_ends_nothing,
    ],
}

const MEGABYTE: usize = 1_000_000;
const AT: &str = "2026-01-01T00:00:00Z";
/// Everything in the database that a request could change.
const TABLES: [&str; 15] = [
    "lines", "contacts", "conversations", "versions", "variable_names", "sends", "users", "deployments", "messages",
    "variables", "tally", "changes", "outbox", "parked", "kept",
];

/// A workspace with something of everything, of which nothing may change.
struct Still {
    workspace: Workspace,
    line: Line,
    conversation: String,
    person: Person,
}

/// A workspace whose database can be away.
struct Shaky {
    proxy: Proxy,
    workspace: Workspace,
}

async fn a_malformed_id_names_its_argument(still: Still) {
    let fact = |fact: &str| format!("recordFacts(facts: [{{ {fact} }}])");
    let changes = [
        ("archiveConversation(id: $id)".to_owned(), "id"),
        ("publishVersion(input: { conversationId: $id, flow: {} })".to_owned(), "input.conversationId"),
        ("createConversation(input: { name: \"A\", direction: INBOUND, lineId: $id, flow: {} })".to_owned(), "input.lineId"),
        ("sendConversation(input: { conversationId: $id, users: [] })".to_owned(), "input.conversationId"),
        (fact("finished: { deploymentId: $id, at: \"2026-01-01T00:00:00Z\" }"), "facts.0.finished.deploymentId"),
        (
            fact("message: { lineId: $id, phone: \"+573001112233\", sender: USER, kind: TEXT, providerMessageId: \"a\",
                at: \"2026-01-01T00:00:00Z\" }"),
            "facts.0.message.lineId",
        ),
    ];
    let changes = changes.map(|(field, place)| (mutation("$id: ID!", &field), place));
    let queries = [
        ("conversation(id: $id) { id }", "id"),
        ("node(id: $id) { id }", "id"),
        ("nodes(ids: [$id]) { id }", "ids.0"),
        ("send(id: $id) { id }", "id"),
        ("conversations { nodes { users(filter: { sendId: $id }) { totalCount } } }", "filter.sendId"),
    ];
    let queries = queries.map(|(field, place)| (format!("query($id: ID!) {{ {field} }}"), place));
    let before = still.state().await;
    for (document, place) in changes.iter().chain(&queries) {
        for wrong in ["", "garbage", "conv_", "conv_\0", &still.conversation.to_uppercase(), &"x".repeat(MEGABYTE)] {
            still.refuses(document, json!({ "id": wrong }), place).await;
        }
    }
    assert_eq!(still.state().await, before);
}

async fn a_cursor_of_nothing_or_of_another_list_names_its_argument(still: Still) {
    let document = "{ conversations(first: 1) { pageInfo { endCursor } } }";
    let theirs = still.workspace.api.ask_one(document, json!({})).await["pageInfo"]["endCursor"].clone();
    let long = "x".repeat(MEGABYTE);
    for side in ["after", "before"] {
        for wrong in [json!(""), json!("x"), json!("%%%"), json!("bm8gY3Vyc29y"), json!("\0"), json!(long)] {
            for list in still.lists(&format!("{side}: {wrong}")) {
                still.refuses(&list, json!({}), side).await;
            }
        }
        for list in still.lists(&format!("{side}: {theirs}")).iter().skip(1) {
            still.refuses(list, json!({}), side).await;
        }
        let ordered = |arguments: &str, field: &str| still.users(&format!("{arguments} orderBy: {{ field: {field}, direction: ASC }}"));
        let page = still.workspace.api.ask_one(&ordered("", "DEPLOYED_AT"), json!({})).await;
        let arguments = format!("{side}: {}", page["users"]["pageInfo"]["endCursor"]);
        still.refuses(&ordered(&arguments, "LAST_ACTIVITY_AT"), json!({}), side).await;
    }
}

async fn a_page_of_no_size_names_its_argument(still: Still) {
    for side in ["first", "last"] {
        for wrong in ["-1", "201", "2147483648", "99999999999999999999", "1.5", "\"1\"", "1, first: 1, last: 1"] {
            let wrong = wrong.replacen(&format!("{side}: 1"), "after: null", 1);
            for list in still.lists(&format!("{side}: {wrong}")) {
                still.refuses(&list, json!({}), side).await;
            }
        }
    }
}

async fn a_time_out_of_this_world_names_its_argument(still: Still) {
    let filter = |filter: &str| {
        format!("query($at: DateTime!) {{ conversations {{ nodes {{ users(filter: {{ {filter} }}) {{ totalCount }} }} }} }}")
    };
    let fact = |fact: &str| mutation("$at: DateTime!", &format!("recordFacts(facts: [{{ {fact}, at: $at }} }}])"));
    let (line, conversation) = (&still.line.id, &still.conversation);
    let documents = [
        (filter("deployedAt: { from: $at }"), "filter.deployedAt.from"),
        (filter("or: [{ not: { lastActivityAt: { to: $at } } }]"), "filter.or.0.not.lastActivityAt.to"),
        (fact("status: { status: READ, providerMessageId: \"first\""), "facts.0.status.at"),
        (fact("session: { sessionStatus: BOT, providerMessageId: \"first\""), "facts.0.session.at"),
        (fact("finished: { providerMessageId: \"first\""), "facts.0.finished.at"),
        (fact("variable: { name: \"a\", value: \"b\", providerMessageId: \"first\""), "facts.0.variable.at"),
        (
            fact(&format!("message: {{ lineId: \"{line}\", phone: \"+573001112233\", sender: USER, kind: TEXT,
                providerMessageId: \"new\"")),
            "facts.0.message.at",
        ),
        (
            mutation("$at: DateTime!", &format!("sendConversation(input: {{ conversationId: \"{conversation}\",
                users: [{{ phone: \"+573001112233\" }}], scheduledAt: $at }})")),
            "input.scheduledAt",
        ),
    ];
    let before = still.state().await;
    let long = "9".repeat(MEGABYTE);
    for wrong in [
        json!("0000-01-01T00:00:00Z"), json!("9999-12-31T23:59:59Z"), json!("10000-01-01T00:00:00Z"),
        json!("+10000-01-01T00:00:00Z"), json!("-0001-01-01T00:00:00Z"), json!("2026-02-30T00:00:00Z"),
        json!("2026-01-01T00:00:00"), json!("soon"), json!(""), json!("\0"), json!(long), json!(1_767_225_600), json!({}),
    ] {
        for (document, place) in &documents {
            still.refuses(document, json!({ "at": wrong }), place).await;
        }
    }
    assert_eq!(still.state().await, before);
}

async fn a_range_that_ends_before_it_begins_names_its_argument(still: Still) {
    for field in ["deployedAt", "lastActivityAt"] {
        let range = "{ from: \"2026-01-02T00:00:00Z\", to: \"2026-01-01T23:59:59.999999Z\" }";
        let document = still.users(&format!("filter: {{ {field}: {range} }}"));
        still.refuses(&document, json!({}), &format!("filter.{field}")).await;
    }
}

async fn a_text_that_no_database_holds_or_without_end_names_its_argument(still: Still) {
    let filter = |filter: &str| format!("query($text: String!) {}", still.users(&format!("filter: {{ {filter} }}")));
    let change = |field: &str| mutation("$text: String!", field);
    let fact = |fact: &str| change(&format!("recordFacts(facts: [{{ {fact}, at: \"{AT}\" }} }}])"));
    let line = &still.line.id;
    let said = |field: &str, rest: &str| {
        fact(&format!("message: {{ lineId: \"{line}\", sender: USER, kind: TEXT, {field}: $text, {rest}"))
    };
    let (known, theirs) = ("providerMessageId: \"first\"", "phone: \"+573000000000\"");
    let documents = [
        ("query($text: String!) { conversations(filter: { name: $text }) { totalCount } }".to_owned(), "filter.name"),
        (filter("phone: $text"), "filter.phone"),
        (filter("variables: [{ name: $text, exists: true }]"), "filter.variables.0.name"),
        (filter("variables: [{ name: \"a\", equals: $text }]"), "filter.variables.0.equals"),
        (change("createLine(input: { phone: $text, phoneNumberId: \"7\", name: \"A\" })"), "input.phone"),
        (change("createLine(input: { phone: \"+12025550123\", phoneNumberId: $text, name: \"A\" })"), "input.phoneNumberId"),
        (change("createLine(input: { phone: \"+12025550123\", phoneNumberId: \"7\", name: $text })"), "input.name"),
        (change(&format!("createConversation(input: {{ name: $text, direction: INBOUND, lineId: \"{line}\",
            flow: {{ start: \"a\", steps: {{ a: {{}} }} }} }})")), "input.name"),
        (fact("status: { status: READ, providerMessageId: $text"), "facts.0.status.providerMessageId"),
        (fact(&format!("status: {{ status: FAILED, failureMessage: $text, {known}")), "facts.0.status.failureMessage"),
        (fact("session: { sessionStatus: BOT, providerMessageId: $text"), "facts.0.session.providerMessageId"),
        (fact("finished: { providerMessageId: $text"), "facts.0.finished.providerMessageId"),
        (fact(&format!("variable: {{ name: $text, value: \"\", {known}")), "facts.0.variable.name"),
        (fact(&format!("variable: {{ name: \"a\", value: $text, {known}")), "facts.0.variable.value"),
        (said("phone", "providerMessageId: \"new\""), "facts.0.message.phone"),
        (said("whatsappId", "providerMessageId: \"new\""), "facts.0.message.whatsappId"),
        (said("text", &format!("providerMessageId: \"new\", {theirs}")), "facts.0.message.text"),
        (said("inReplyTo", &format!("providerMessageId: \"new\", {theirs}")), "facts.0.message.inReplyTo"),
        (said("providerMessageId", theirs), "facts.0.message.providerMessageId"),
    ];
    let before = still.state().await;
    for (document, place) in &documents {
        for wrong in ["a\0b", &"1".repeat(MEGABYTE)] {
            still.refuses(document, json!({ "text": wrong }), place).await;
        }
    }
    assert_eq!(still.state().await, before);
}

async fn a_list_without_end_names_its_argument(still: Still) {
    let ids = vec![still.conversation.as_str(); 10_000];
    still.refuses("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({ "ids": ids }), "ids").await;
    let document = format!("query($filter: UserFilter) {}", still.users("filter: $filter"));
    for list in ["and", "or", "variables"] {
        let one = if list == "variables" { json!({ "name": "a", "exists": true }) } else { json!({}) };
        still.refuses(&document, json!({ "filter": { list: vec![one; 10_000] } }), "filter").await;
    }
    let deep = (0..30).fold(json!({}), |inner, _| json!({ "not": inner }));
    still.refuses(&document, json!({ "filter": deep }), "filter").await;
    // Values are few, however often they are named.
    let often = json!({ "filter": { "deploymentStatus": vec!["READ"; 10_000] } });
    still.workspace.api.ask(&document, often).await;
}

async fn what_is_nested_too_deeply_names_its_argument(still: Still) {
    let (line, fine) = (&still.line.id, "[".repeat(60) + &"]".repeat(60));
    let publish = |rest: &str| {
        mutation("", &format!("publishVersion(input: {{ conversationId: \"{}\", flow: {{ start: \"a\", rest: {rest},
            steps: {{ a: {{ template: {{ name: \"welcome\", language: \"es\" }} }} }} }} }})", still.conversation))
    };
    let tell = |payload: &str| {
        mutation("", &format!("recordFacts(facts: [{{ message: {{ lineId: \"{line}\", phone: \"+573000000000\",
            sender: USER, kind: LOCATION, payload: {payload}, at: \"{AT}\", providerMessageId: \"deep\" }} }}])"))
    };
    let before = still.state().await;
    // Deeper than what readers of JSON take: it could be written and never read.
    let deep = "[".repeat(200) + &"]".repeat(200);
    still.refuses(&publish(&deep), json!({}), "input.flow").await;
    still.refuses(&tell(&deep), json!({}), "facts.0.message.payload").await;
    assert_eq!(still.state().await, before);
    still.workspace.api.change(&publish(&fine), json!({})).await;
    let document = "query($id: ID!) { conversation(id: $id) { currentVersion { flow } } }";
    let found = still.workspace.api.ask_one(document, json!({ "id": still.conversation })).await;
    assert_eq!(found["currentVersion"]["flow"]["rest"].to_string(), fine);
}

async fn an_error_repeats_nothing_long(still: Still) {
    let long = "x".repeat(MEGABYTE);
    let named = json!({ "query": "query A { lines { id } } query B { lines { id } }", "operationName": long });
    for request in [
        json!({ "query": format!("{{ conversations(filter: {{ direction: {long} }}) {{ totalCount }} }}") }),
        json!({ "query": format!("{{ {long} }}") }),
        json!({ "query": format!("{{ lines {{ id }} # {long}") }),
        named,
    ] {
        let answer = still.workspace.api.post_body(request.to_string()).await;
        assert!(answer.refusal().message.len() < 2_000, "{}", answer.refusal().code);
    }
}

async fn a_body_that_is_no_request_is_refused_whole(still: Still) {
    let input = json!({ "name": "New", "direction": "INBOUND", "lineId": still.line.id, "flow": inbound_flow() });
    let right = json!({ "query": CREATE_CONVERSATION, "variables": { "input": input } }).to_string();
    let replaced = |by: &[u8]| {
        let (before, after) = right.split_once("New").unwrap();
        [before.as_bytes(), by, after.as_bytes()].concat()
    };
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let large = format!("{right}{}", " ".repeat((16 << 20) + 1 - right.len()));
    let (json, bad) = ("application/json", StatusCode::BAD_REQUEST);
    let before = still.state().await;
    for (content_type, body, status) in [
        (json, Vec::new(), bad),
        (json, right.as_bytes()[1..].to_vec(), bad),
        (json, replaced(&[0xff, 0xfe]), bad),
        (json, replaced(b"\0"), bad),
        (json, replaced(br"\ud800"), bad),
        (json, format!("[{right}]").into_bytes(), bad),
        (json, deep.into_bytes(), bad),
        (json, large.into_bytes(), StatusCode::PAYLOAD_TOO_LARGE),
        ("text/plain", right.clone().into_bytes(), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/json; charset=latin1", right.clone().into_bytes(), StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ] {
        let length = body.len();
        let answer = still.workspace.api.send(content_type, body).await.unwrap();
        assert_eq!(answer.status, status, "{length} bytes of {content_type}: {}", answer.refusal().message);
        assert!(answer.body["errors"][0]["extensions"]["requestId"].is_string());
    }
    assert_eq!(still.state().await, before);
    still.workspace.api.post_body(right).await;
    assert_ne!(still.state().await, before, "and the right one is taken");
}

async fn what_no_database_can_hold_is_kept_of_a_webhook(still: Still) {
    let (at, from, long) = (still.workspace.server.clock.seconds(), wa_id(&phone(0)), "x".repeat(MEGABYTE));
    let line = &still.line.phone_number_id;
    let plain = |id: &str| text(id, &from, "Hi", at);
    let on = |line: &str, message: Value| Webhook::of(line).message(message);
    let react = |emoji: &str| json!({ "message_id": "first", "emoji": emoji });
    let fail = |words: &str| {
        let mut failure = failed("first", None, 131_026, at);
        failure["errors"][0]["error_data"]["details"] = json!(words);
        Webhook::of(line).status(failure)
    };
    for (webhook, kept, added) in [
        (on("10\0", plain("1")), 1, 0),
        (on(&long, plain("2")), 1, 0),
        (on(line, plain("3\0")), 1, 0),
        (on(line, plain(&long)), 1, 0),
        (on(line, text("4", "57\0", "Hi", at)), 1, 0),
        (on(line, text("5", &long, "Hi", at)), 1, 0),
        (on(line, text("6", &from, "a\0b", at)), 1, 0),
        (on(line, text("7", &from, &long, at)), 1, 0),
        (on(line, message("8", &from, "reaction", &react("\0"), at)), 1, 0),
        (on(line, message("9", &from, "holo\0gram", &json!({}), at)), 1, 0),
        (Webhook::of(line).status(status("first", None, "re\0ad", at)), 1, 0),
        (Webhook::of(line).status(status("first", None, &long, at)), 1, 0),
        // These tell enough without what cannot be held of them.
        (on(line, plain("10")).profile(&from, "A\0a"), 0, 1),
        (on(line, plain("11")).profile(&from, &long), 0, 1),
        (on(line, in_reply_to(plain("12"), "fir\0st")), 0, 1),
        (fail("It \0 failed"), 0, 0),
        (fail(&long), 0, 0),
    ] {
        let (kept, added) = (still.count("kept").await + kept, still.count("messages").await + added);
        let told = webhook.payload().to_string();
        let told = &told[told.len().saturating_sub(300)..];
        assert_eq!(still.workspace.server.post(&webhook.payload()).await, StatusCode::OK, "{told}");
        assert_eq!((still.count("kept").await, still.count("messages").await), (kept, added), "{told}");
    }
    let deployment = still.workspace.user(&still.conversation, "deployments { nodes { failedAt } }").await;
    assert!(deployment["deployments"]["nodes"][0]["failedAt"].is_string(), "a failure counts more than its words");
    // A NUL that is not even escaped is no JSON.
    let raw = String::from_utf8(body(&on(line, plain("13")).payload())).unwrap().replace("Hi", "\0").into_bytes();
    let signature = signature(APP_SECRET, &raw);
    assert_eq!(still.workspace.server.post_signed(raw, Some(&signature)).await, StatusCode::BAD_REQUEST);
}

async fn a_message_of_an_impossible_time_is_kept(still: Still) {
    let (at, before) = (still.workspace.server.clock.seconds(), still.count("messages").await);
    let said = |id: &str, timestamp: &Value| {
        let mut said = text(id, &wa_id(&phone(0)), "Hi", at);
        said["timestamp"] = timestamp.clone();
        said
    };
    let wrong = [
        json!("-62167219200"), json!("253402300799"), json!("253402300800"), json!("-1"), json!(-1), json!(""),
        json!("99999999999999999999"), json!("1e9"), json!("soon"), json!("\0"), json!(1.5), json!(true), json!({}),
        json!(null),
    ];
    let webhook = wrong.iter().fold(Webhook::of(&still.line.phone_number_id), |webhook, timestamp| {
        webhook.message(said(&format!("wamid.{timestamp}"), timestamp))
    });
    // A time may be a text or a number.
    let webhook = webhook.message(said("wamid.text", &json!(at.to_string()))).message(said("wamid.number", &json!(at)));
    assert_eq!(still.workspace.server.post(&webhook.payload()).await, StatusCode::OK);
    assert_eq!(still.workspace.server.kept("bad_timestamp").await, 14);
    assert_eq!(still.count("messages").await, before + 2);
}

async fn a_failure_is_one_whatever_its_code(still: Still) {
    let at = still.workspace.server.clock.seconds();
    let errors = [
        (json!([{ "code": "131026" }]), json!(131_026), "UNDELIVERABLE"),
        (json!([{ "code": 999_999 }]), json!(999_999), "OTHER"),
        (json!([{ "code": 10_000_000_000_000_000_000_u64 }]), Value::Null, "OTHER"),
        (json!([{ "code": 1.5 }]), Value::Null, "OTHER"),
        (json!([{}, null, "text", 7, []]), Value::Null, "OTHER"),
        (json!([]), Value::Null, "OTHER"),
        (json!("text"), Value::Null, "OTHER"),
        (Value::Null, Value::Null, "OTHER"),
    ];
    still.workspace.send(&still.conversation, recipients(1, errors.len())).await;
    let people = still.workspace.people(&still.conversation).await;
    for (person, (errors, code, reason)) in people[1..].iter().zip(&errors) {
        let first = json!({ "lineId": still.line.id, "phone": person.phone, "sender": "COMPANY", "kind": "TEMPLATE",
            "at": still.now(), "providerMessageId": person.phone });
        still.workspace.record(json!([{ "message": first }])).await;
        let mut failure = failed(&person.phone, None, 0, at);
        failure["errors"] = errors.clone();
        let webhook = Webhook::of(&still.line.phone_number_id).status(failure);
        assert_eq!(still.workspace.server.post(&webhook.payload()).await, StatusCode::OK);
        let document = "query($id: ID!) { node(id: $id) { ... on User { failure { code reason } } } }";
        let found = still.workspace.api.ask_one(document, json!({ "id": person.user })).await;
        assert_eq!(found["failure"], json!({ "code": code, "reason": reason }), "{errors}");
    }
}

async fn more_than_a_thousand_updates_are_refused_whole(still: Still) {
    let before = still.state().await;
    let at = still.workspace.server.clock.seconds();
    let webhook = (0..1_001).fold(Webhook::of(&still.line.phone_number_id), |webhook, number| {
        webhook.status(status(&format!("wamid.{number}"), None, "read", at))
    });
    assert_eq!(still.workspace.server.post(&webhook.payload()).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(still.state().await, before);
}

async fn while_the_database_is_away_no_webhook_is_acknowledged(shaky: Shaky) {
    let Shaky { workspace, .. } = &shaky;
    let conversation = workspace.conversation_on(&workspace.line, "In", "INBOUND", inbound_flow()).await;
    let at = workspace.server.clock.seconds() - 10;
    let hello = |number: usize| {
        let hello = text(&format!("wamid.{number}"), &wa_id(&phone(number)), "Hi", at);
        Webhook::of("1000").message(hello).payload()
    };
    assert_eq!(workspace.server.post(&hello(0)).await, StatusCode::OK);
    shaky.cut().await;
    for number in 1..4 {
        assert_eq!(workspace.server.post(&hello(number)).await, StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(workspace.server.database.count("SELECT count(*) FROM messages").await, 1);
    shaky.proxy.mend();
    // The provider comes again until it is heard.
    for number in 1..4 {
        until("the webhook is taken", async || {
            (workspace.server.post(&hello(number)).await == StatusCode::OK).then_some(())
        })
        .await;
    }
    until("the database can be read", async || (shaky.ready().await == StatusCode::OK).then_some(())).await;
    assert_eq!(workspace.server.database.count("SELECT count(*) FROM messages").await, 4);
    assert_eq!(workspace.server.database.count("SELECT sum(users)::bigint FROM tally").await, 4, "{conversation}");
}

async fn while_the_database_is_away_queries_are_told_so_and_nothing_else(shaky: Shaky) {
    let api = &shaky.workspace.api;
    let conversation = shaky.workspace.conversation("Welcome").await;
    let input = json!({ "conversationId": conversation, "users": recipients(0, 3), "idempotencyKey": "monday" });
    let fact = json!({ "finished": { "providerMessageId": "wamid.1", "at": AT } });
    shaky.cut().await;
    for (document, variables) in [
        ("{ conversations { totalCount nodes { metrics { totalUsers } } } }", json!({})),
        (SEND_CONVERSATION, json!({ "input": input })),
        (RECORD_FACTS, json!({ "facts": [fact] })),
    ] {
        let answer = api.post(document, variables).await;
        let (refusal, request) = (answer.refusal(), answer.headers["x-request-id"].to_str().unwrap());
        assert_eq!(refusal.code, "UNAVAILABLE", "{document}");
        assert_eq!(answer.body["errors"][0]["extensions"]["requestId"], request);
        let told = refusal.message.to_lowercase();
        assert!(told.contains(request), "{told}");
        for inside in ["sql", "postgres", "connection", "pool", "127.0.0.1", "error"] {
            assert!(!told.contains(inside), "{told}");
        }
    }
    assert_eq!(api.get("/health/live").await.0, StatusCode::OK);
    shaky.proxy.mend();
    let send = until("the send is taken", async || {
        let answer = api.post(SEND_CONVERSATION, json!({ "input": input })).await;
        answer.body["data"]["sendConversation"]["send"]["totalUsers"].as_i64()
    })
    .await;
    assert_eq!(send, 3);
    assert_eq!(shaky.workspace.server.database.count("SELECT count(*) FROM sends").await, 1);
}

async fn a_document_nested_without_end_ends_nothing() {
    let binary = Binary::on(Database::create(Kind::Sqlite).await).await;
    let _server = binary.serve().await;
    let client = binary.client("read");
    for depth in [200, 300, 400, 500, 600, 800, 1_000, 2_000, 4_000, 8_000, 100_000] {
        for (open, close) in [("[", "]"), ("{a:", "}"), ("{not:", "}")] {
            let value = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let document = format!("{{ conversations(filter: {value}) {{ totalCount }} }}");
            let answer = client.try_post(&document, json!({})).await;
            answer.unwrap_or_else(|| panic!("the server died of {depth} times {open}")).refusal();
        }
        let answer = client.try_post(&format!("{}{}", "{a".repeat(depth), "}".repeat(depth)), json!({})).await;
        answer.unwrap_or_else(|| panic!("the server died of {depth} nested fields")).refusal();
    }
}

impl Fixture for Still {
    async fn make(database: Database) -> Self {
        let workspace = Workspace::make(database).await;
        let line = workspace.another_line(true).await;
        let conversation = workspace.conversation_on(&line, "External", "OUTBOUND", flow()).await;
        let person = workspace.send_to(&conversation, 0, 1).await.remove(0);
        let still = Self { workspace, line, conversation, person };
        let (line, of) = (&still.line.id, &still.person.deployment);
        let first = json!({ "lineId": line, "phone": phone(0), "sender": "COMPANY", "kind": "TEMPLATE",
            "at": still.now(), "providerMessageId": "first" });
        let variable = json!({ "deploymentId": of, "name": "city", "value": "Cali", "at": AT });
        still.workspace.record(json!([{ "message": first }, { "variable": variable }])).await;
        still
    }
}

impl Still {
    fn now(&self) -> String {
        bluetick::domain::clock::Clock::now(&*self.workspace.server.clock).to_string()
    }

    async fn count(&self, table: &str) -> i64 {
        self.workspace.server.database.count(&format!("SELECT count(*) FROM {table}")).await
    }

    /// How many rows there are of everything, and the figures.
    async fn state(&self) -> (i64, Value) {
        let counts = TABLES.map(|table| format!("(SELECT count(*) FROM {table})")).join(" + ");
        let rows = self.workspace.server.database.count(&format!("SELECT {counts}")).await;
        (rows, self.workspace.metrics(&self.conversation).await)
    }

    /// A request is refused, with an error that names the place at fault.
    async fn refuses(&self, document: &str, variables: Value, place: &str) {
        let told = told(&self.workspace.api.post(document, variables).await);
        assert!(told.contains(&format!("\"{place}\"")), "{place} is not named: {told}\n{document}");
        assert!(told.len() < 1_000, "an error is to be read: {} bytes\n{document}", told.len());
    }

    /// Each list, with these arguments; that of conversations first.
    fn lists(&self, arguments: &str) -> Vec<String> {
        let Person { user, deployment, .. } = &self.person;
        let of = |parent: &str, list: &str| format!("{{ {parent} {{ {list}({arguments}) {{ totalCount }} }} }}");
        let conversation = format!("conversation(id: \"{}\")", self.conversation);
        let of_user = |list: &str| of(&format!("node(id: \"{user}\") {{ ... on User"), &format!("{list}"));
        let _ = (&of_user, deployment);
        vec![
            format!("{{ conversations({arguments}) {{ totalCount }} }}"),
            of(&conversation, "versions"),
            of(&conversation, "users"),
            of(&conversation, "sends"),
        ]
    }

    /// The users with these arguments.
    fn users(&self, arguments: &str) -> String {
        format!(
            "{{ conversation(id: \"{}\") {{ users({arguments}) {{ totalCount pageInfo {{ endCursor }} }} }} }}",
            self.conversation
        )
    }
}
