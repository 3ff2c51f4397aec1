//! Bad input, and a database that is away: a clear error, nothing changed, and the server goes on.
//!
//! What a mutation refuses for reasons of its own, and how webhooks are read, stands with the noun.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::client::Answer;
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
        a_size_that_no_page_has_names_its_argument,
        a_time_out_of_this_world_names_its_argument,
        a_text_with_a_nul_or_without_end_names_its_argument,
        a_list_without_end_names_its_argument,
        what_is_nested_too_deeply_names_its_argument,
        an_error_repeats_nothing_long,
        a_body_that_is_no_request_is_refused_whole,
        what_no_database_can_hold_of_a_webhook_is_kept_apart,
        more_than_a_thousand_updates_are_refused_whole,
    ],
    on_postgres: [
        while_the_database_is_away_no_webhook_is_acknowledged,
        while_the_database_is_away_queries_are_told_so_and_no_more,
    ],
    without_database: [
        a_document_nested_without_end_ends_nothing,
    ],
}

const MEGABYTE: usize = 1_000_000;

/// Everything in the database that a request could change.
const TABLES: &str = "lines contacts conversations versions variable_names sends users deployments messages variables
    tally changes outbox parked kept";

/// A workspace with something of everything, in which nothing may change.
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
    let query = |field: &str| query("$id: ID!", field);
    let mutation = |field: &str| mutation("$id: ID!", field);
    let fact = |fact: &str| mutation(&format!("recordFacts(facts: [{{ {fact}, at: \"2026-01-01T00:00:00Z\" }} }}])"));
    let message =
        "message: { lineId: $id, phone: \"+573001112233\", sender: USER, kind: TEXT, providerMessageId: \"a\"";
    let new = "name: \"A\", direction: INBOUND, lineId: $id, flow: {}";
    let documents = [
        (query("conversation(id: $id) { id }"), "id"),
        (query("node(id: $id) { id }"), "id"),
        (query("nodes(ids: [$id]) { id }"), "ids.0"),
        (query("send(id: $id) { id }"), "id"),
        (query("conversations { nodes { users(filter: { sendId: $id }) { totalCount } } }"), "filter.sendId"),
        (mutation("archiveConversation(id: $id)"), "id"),
        (mutation("publishVersion(input: { conversationId: $id, flow: {} })"), "input.conversationId"),
        (mutation(&format!("createConversation(input: {{ {new} }})")), "input.lineId"),
        (mutation("sendConversation(input: { conversationId: $id, users: [] })"), "input.conversationId"),
        (fact("finished: { deploymentId: $id"), "facts.0.finished.deploymentId"),
        (fact(message), "facts.0.message.lineId"),
    ];
    let (upper, long) = (still.conversation.to_uppercase(), "x".repeat(MEGABYTE));
    still.refuses_all("id", &documents, &["", "garbage", "conv_", "conv_\0", &upper, &long].map(|id| json!(id))).await;
}

async fn a_cursor_of_nothing_or_of_another_list_names_its_argument(still: Still) {
    let document = "{ conversations(first: 1) { pageInfo { endCursor } } }";
    let theirs = still.workspace.api.ask_one(document, json!({})).await["pageInfo"]["endCursor"].clone();
    let page = still.workspace.api.ask_one(&still.users("first: 1"), json!({})).await;
    let by_deployment = page["users"]["pageInfo"]["endCursor"].clone();
    for side in ["after", "before"] {
        // As long as a document may be.
        for wrong in ["", "x", "%%%", "bm8gY3Vyc29y", "\0", &"x".repeat(60_000)] {
            for list in still.lists(&format!("{side}: {}", json!(wrong))) {
                still.refuses(&list, json!({}), side).await;
            }
        }
        for list in still.lists(&format!("{side}: {theirs}")).iter().skip(1) {
            still.refuses(list, json!({}), side).await;
        }
        let order = "orderBy: { field: LAST_ACTIVITY_AT, direction: ASC }";
        still.refuses(&still.users(&format!("{side}: {by_deployment}, {order}")), json!({}), side).await;
    }
}

async fn a_size_that_no_page_has_names_its_argument(still: Still) {
    for side in ["first", "last"] {
        let sizes = ["-1", "201", "2147483648", "1.5", "\"1\""].map(|size| format!("{side}: {size}"));
        for arguments in sizes.iter().map(String::as_str).chain(["first: 1, last: 1"]) {
            for list in still.lists(arguments) {
                still.refuses(&list, json!({}), side).await;
            }
        }
    }
}

async fn a_time_out_of_this_world_names_its_argument(still: Still) {
    let filter = |filter: &str| query("$at: DateTime!", &still.of_users(&format!("filter: {{ {filter} }}")));
    let mutation = |field: &str| mutation("$at: DateTime!", field);
    let fact = |fact: &str| mutation(&format!("recordFacts(facts: [{{ {fact}, at: $at }} }}])"));
    let (line, conversation) = (&still.line.id, &still.conversation);
    let message = format!("message: {{ lineId: \"{line}\", phone: \"+573000000000\", sender: USER, kind: TEXT");
    let send = format!("conversationId: \"{conversation}\", users: [{{ phone: \"+573000000000\" }}], scheduledAt: $at");
    let documents = [
        (filter("deployedAt: { from: $at }"), "filter.deployedAt.from"),
        (filter("or: [{ not: { lastActivityAt: { to: $at } } }]"), "filter.or.0.not.lastActivityAt.to"),
        (fact("status: { status: READ, providerMessageId: \"first\""), "facts.0.status.at"),
        (fact("session: { sessionStatus: BOT, providerMessageId: \"first\""), "facts.0.session.at"),
        (fact("finished: { providerMessageId: \"first\""), "facts.0.finished.at"),
        (fact("variable: { name: \"a\", value: \"b\", providerMessageId: \"first\""), "facts.0.variable.at"),
        (fact(&format!("{message}, providerMessageId: \"new\"")), "facts.0.message.at"),
        (mutation(&format!("sendConversation(input: {{ {send} }})")), "input.scheduledAt"),
    ];
    let wrong = [
        json!("0000-01-01T00:00:00Z"),
        json!("9999-12-31T23:59:59Z"),
        json!("10000-01-01T00:00:00Z"),
        json!("+10000-01-01T00:00:00Z"),
        json!("2026-02-30T00:00:00Z"),
        json!("2026-01-01T00:00:00"),
        json!("soon"),
        json!(""),
        json!("\0"),
        json!("9".repeat(MEGABYTE)),
        json!(1_767_225_600),
    ];
    still.refuses_all("at", &documents, &wrong).await;
    for field in ["deployedAt", "lastActivityAt"] {
        let range = "{ from: \"2026-01-02T00:00:00Z\", to: \"2026-01-01T23:59:59.999999Z\" }";
        let reversed = still.users(&format!("filter: {{ {field}: {range} }}"));
        still.refuses(&reversed, json!({}), &format!("filter.{field}")).await;
    }
}

async fn a_text_with_a_nul_or_without_end_names_its_argument(still: Still) {
    let filter = |filter: &str| query("$text: String!", &still.of_users(&format!("filter: {{ {filter} }}")));
    let line = &still.line.id;
    let rest = format!("direction: INBOUND, lineId: \"{line}\", flow: {{ start: \"a\", steps: {{ a: {{}} }} }}");
    let named = format!("createConversation(input: {{ name: $text, {rest} }})");
    let mut documents = vec![
        (query("$text: String!", "conversations(filter: { name: $text }) { totalCount }"), "filter.name"),
        (filter("phone: $text"), "filter.phone"),
        (filter("variables: [{ name: $text, exists: true }]"), "filter.variables.0.name"),
        (filter("variables: [{ name: \"a\", equals: $text }]"), "filter.variables.0.equals"),
    ];
    for (field, place) in [
        ("createLine(input: { phone: $text, phoneNumberId: \"7\", name: \"A\" })", "input.phone"),
        ("createLine(input: { phone: \"+12025550123\", phoneNumberId: $text, name: \"A\" })", "input.phoneNumberId"),
        ("createLine(input: { phone: \"+12025550123\", phoneNumberId: \"7\", name: $text })", "input.name"),
        (named.as_str(), "input.name"),
    ] {
        documents.push((mutation("$text: String!", field), place));
    }
    let message = format!("lineId: \"{line}\", sender: USER, kind: TEXT");
    for (fact, place) in [
        ("status: { status: READ, providerMessageId: $text", "facts.0.status.providerMessageId"),
        ("status: { status: FAILED, failureMessage: $text, OF", "facts.0.status.failureMessage"),
        ("session: { sessionStatus: BOT, providerMessageId: $text", "facts.0.session.providerMessageId"),
        ("finished: { providerMessageId: $text", "facts.0.finished.providerMessageId"),
        ("variable: { name: $text, value: \"\", OF", "facts.0.variable.name"),
        ("variable: { name: \"a\", value: $text, OF", "facts.0.variable.value"),
        ("message: { MESSAGE, phone: $text, OF", "facts.0.message.phone"),
        ("message: { MESSAGE, whatsappId: $text, OF", "facts.0.message.whatsappId"),
        ("message: { MESSAGE, whatsappId: \"57\", text: $text, OF", "facts.0.message.text"),
        ("message: { MESSAGE, whatsappId: \"57\", inReplyTo: $text, OF", "facts.0.message.inReplyTo"),
        ("message: { MESSAGE, whatsappId: \"57\", providerMessageId: $text", "facts.0.message.providerMessageId"),
    ] {
        let fact = fact.replace("MESSAGE", &message).replace("OF", "providerMessageId: \"first\"");
        let field = format!("recordFacts(facts: [{{ {fact}, at: \"2026-01-01T00:00:00Z\" }} }}])");
        documents.push((mutation("$text: String!", &field), place));
    }
    still.refuses_all("text", &documents, &[json!("a\0b"), json!("1".repeat(MEGABYTE))]).await;
}

async fn a_list_without_end_names_its_argument(still: Still) {
    let ids = vec![still.conversation.as_str(); 10_000];
    still.refuses("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({ "ids": ids }), "ids").await;
    let document = query("$filter: UserFilter", &still.of_users("filter: $filter"));
    let deep = (0..30).fold(json!({}), |inner, _| json!({ "not": inner }));
    for filter in [
        json!({ "and": vec![json!({}); 10_000] }),
        json!({ "or": vec![json!({}); 10_000] }),
        json!({ "variables": vec![json!({ "name": "a", "exists": true }); 10_000] }),
        deep,
    ] {
        still.refuses(&document, json!({ "filter": filter }), "filter").await;
    }
    // Statuses are few, however often each is named.
    let often = json!({ "filter": { "deploymentStatus": vec!["READ"; 10_000] } });
    still.workspace.api.ask(&document, often).await;
}

async fn what_is_nested_too_deeply_names_its_argument(still: Still) {
    let (line, conversation) = (&still.line.id, &still.conversation);
    let publish = |rest: &str| {
        let steps = "{ a: { template: { name: \"welcome\", language: \"es\" } } }";
        let flow = format!("{{ start: \"a\", steps: {steps}, rest: {rest} }}");
        mutation("", &format!("publishVersion(input: {{ conversationId: \"{conversation}\", flow: {flow} }})"))
    };
    let tell = |payload: &str| {
        let message =
            format!("lineId: \"{line}\", sender: USER, kind: LOCATION, whatsappId: \"57\", payload: {payload}");
        let rest = "providerMessageId: \"new\", at: \"2026-01-01T00:00:00Z\"";
        mutation("", &format!("recordFacts(facts: [{{ message: {{ {message}, {rest} }} }}])"))
    };
    let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
    let before = still.state().await;
    // What is deeper than readers of JSON go could be written and never read.
    still.refuses(&publish(&nested(150)), json!({}), "input.flow").await;
    still.refuses(&tell(&nested(150)), json!({}), "facts.0.message.payload").await;
    assert_eq!(still.state().await, before);
    still.workspace.api.change(&publish(&nested(60)), json!({})).await;
    let document = "query($id: ID!) { conversation(id: $id) { currentVersion { flow } } }";
    let found = still.workspace.api.ask_one(document, json!({ "id": conversation })).await;
    assert_eq!(found["currentVersion"]["flow"]["rest"].to_string(), nested(60));
}

async fn an_error_repeats_nothing_long(still: Still) {
    let long = "x".repeat(MEGABYTE);
    for request in [
        json!({ "query": format!("{{ conversations(filter: {{ direction: {long} }}) {{ totalCount }} }}") }),
        json!({ "query": format!("{{ {long} }}") }),
        json!({ "query": format!("{{ lines {{ id }} # {long}") }),
        json!({ "query": "query A { lines { id } } query B { lines { id } }", "operationName": long }),
    ] {
        let refusal = still.workspace.api.post_body(request.to_string()).await.refusal();
        assert!(refusal.message.len() < 2_000, "{} is told with {} bytes", refusal.code, refusal.message.len());
    }
}

async fn a_body_that_is_no_request_is_refused_whole(still: Still) {
    let input = json!({ "name": "New", "direction": "INBOUND", "lineId": still.line.id, "flow": inbound_flow() });
    let right = json!({ "query": CREATE_CONVERSATION, "variables": { "input": input } }).to_string();
    let with = |name: &[u8]| {
        let (before, after) = right.split_once("New").unwrap();
        [before.as_bytes(), name, after.as_bytes()].concat()
    };
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let large = format!("{right}{}", " ".repeat((16 << 20) + 1 - right.len()));
    let (plain, bad) = ("application/json", StatusCode::BAD_REQUEST);
    let before = still.state().await;
    for (content_type, body, expected) in [
        (plain, Vec::new(), bad),
        (plain, right.as_bytes()[1..].to_vec(), bad),
        (plain, with(&[0xff, 0xfe]), bad),
        (plain, with(b"\0"), bad),
        (plain, with(br"\ud800"), bad),
        (plain, format!("[{right}]").into_bytes(), bad),
        (plain, deep.into_bytes(), bad),
        (plain, large.into_bytes(), StatusCode::PAYLOAD_TOO_LARGE),
        ("text/plain", right.clone().into_bytes(), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/json; charset=latin1", right.clone().into_bytes(), StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ] {
        let length = body.len();
        let answer = still.workspace.api.send(content_type, body).await.unwrap();
        assert_eq!(answer.status, expected, "{length} bytes of {content_type}: {}", answer.refusal().message);
    }
    assert_eq!(still.state().await, before);
    still.workspace.api.post_body(right).await;
    assert_ne!(still.state().await, before, "the right one is taken");
}

async fn what_no_database_can_hold_of_a_webhook_is_kept_apart(still: Still) {
    let (at, from, long) = (still.workspace.server.clock.seconds(), wa_id(&phone(0)), "x".repeat(MEGABYTE));
    let line = &still.line.phone_number_id;
    let on = |line: &str, message: Value| Webhook::of(line).message(message);
    let plain = |id: &str| text(id, &from, "Hi", at);
    let told = |name: &str| Webhook::of(line).status(status("first", None, name, at));
    let fail = |words: &str| {
        let mut failure = failed("first", None, 131_026, at);
        failure["errors"][0]["error_data"]["details"] = json!(words);
        Webhook::of(line).status(failure)
    };
    let at_time = |id: &str, timestamp: Value| {
        let mut said = plain(id);
        said["timestamp"] = timestamp;
        on(line, said)
    };
    let reaction = json!({ "message_id": "first", "emoji": "\0" });
    for (webhook, kept, added) in [
        (on("10\0", plain("1")), 1, 0),
        (on(&long, plain("2")), 1, 0),
        (on(line, plain("3\0")), 1, 0),
        (on(line, plain(&long)), 1, 0),
        (on(line, text("4", "57\0", "Hi", at)), 1, 0),
        (on(line, text("5", &long, "Hi", at)), 1, 0),
        (on(line, text("6", &from, &long, at)), 1, 0),
        (on(line, message("7", &from, "reaction", &reaction, at)), 1, 0),
        (on(line, message("8", &from, "holo\0gram", &json!({}), at)), 1, 0),
        (told("re\0ad"), 1, 0),
        (told(&long), 1, 0),
        // The years 10000 and 0, the one before 1970, and no time at all.
        (at_time("years", json!("253402300800")), 1, 0),
        (at_time("years", json!("-62167219200")), 1, 0),
        (at_time("years", json!(-1)), 1, 0),
        (at_time("years", json!(1.5)), 1, 0),
        (at_time("years", json!("\0")), 1, 0),
        (at_time("number", json!(at)), 0, 1),
        // These tell enough without what cannot be held of them.
        (on(line, plain("9")).profile(&from, "A\0a"), 0, 1),
        (on(line, plain("10")).profile(&from, &long), 0, 1),
        (on(line, in_reply_to(plain("11"), "fir\0st")), 0, 1),
        (fail("It \0 failed"), 0, 0),
        (fail(&long), 0, 0),
    ] {
        let expected = (still.count("kept").await + kept, still.count("messages").await + added);
        let payload = webhook.payload();
        let mut shown = payload.to_string();
        shown.truncate(1_000);
        assert_eq!(still.workspace.server.post(&payload).await, StatusCode::OK, "{shown}");
        assert_eq!((still.count("kept").await, still.count("messages").await), expected, "{shown}");
    }
    let user = still.workspace.user(&still.conversation, "name deployments { nodes { failedAt } }").await;
    assert!(user["deployments"]["nodes"][0]["failedAt"].is_string(), "a failure counts more than its words");
    assert_eq!(user["name"], Value::Null);
    // A NUL that is not even escaped is no JSON.
    let raw = String::from_utf8(body(&on(line, plain("12")).payload())).unwrap().replace("Hi", "\0").into_bytes();
    let signature = signature(APP_SECRET, &raw);
    assert_eq!(still.workspace.server.post_signed(raw, Some(&signature)).await, StatusCode::BAD_REQUEST);
}

async fn more_than_a_thousand_updates_are_refused_whole(still: Still) {
    let (at, before) = (still.workspace.server.clock.seconds(), still.state().await);
    let webhook = (0..1_001).fold(Webhook::of(&still.line.phone_number_id), |webhook, number| {
        webhook.status(status(&format!("wamid.{number}"), None, "read", at))
    });
    assert_eq!(still.workspace.server.post(&webhook.payload()).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(still.state().await, before);
}

async fn while_the_database_is_away_no_webhook_is_acknowledged(shaky: Shaky) {
    let workspace = &shaky.workspace;
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
    shaky.mend().await;
    // The provider comes again until it is heard.
    for number in 1..4 {
        until("the webhook is taken", async || {
            (workspace.server.post(&hello(number)).await == StatusCode::OK).then_some(())
        })
        .await;
    }
    assert_eq!(workspace.server.database.count("SELECT count(*) FROM messages").await, 4);
    let document = "query($id: ID!) { conversation(id: $id) { metrics { totalUsers } } }";
    let users = until("the figures can be read", async || {
        let answer = workspace.api.post(document, json!({ "id": conversation })).await;
        answer.body["data"]["conversation"]["metrics"]["totalUsers"].as_i64()
    })
    .await;
    assert_eq!(users, 4);
}

async fn while_the_database_is_away_queries_are_told_so_and_no_more(shaky: Shaky) {
    let api = &shaky.workspace.api;
    let conversation = shaky.workspace.conversation("Welcome").await;
    let input = json!({ "conversationId": conversation, "users": recipients(0, 3), "idempotencyKey": "monday" });
    let fact = json!({ "finished": { "providerMessageId": "wamid.1", "at": "2026-01-01T00:00:00Z" } });
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
    shaky.mend().await;
    let sent = until("the send is taken", async || {
        let answer = api.post(SEND_CONVERSATION, json!({ "input": input })).await;
        answer.body["data"]["sendConversation"]["send"]["totalUsers"].as_i64()
    })
    .await;
    assert_eq!(sent, 3);
    assert_eq!(shaky.workspace.server.database.count("SELECT count(*) FROM sends").await, 1);
}

async fn a_document_nested_without_end_ends_nothing() {
    let binary = Binary::on(Database::create(Kind::Sqlite).await).await;
    let _server = binary.serve().await;
    let client = binary.client("read");
    for depth in [200, 300, 400, 500, 600, 800, 1_000, 2_000, 4_000, 8_000, 100_000] {
        for (open, inner, close) in [("[", "1", "]"), ("{ not: ", "1", "}"), ("{ a", "", "}")] {
            let nested = format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
            let document = match open {
                "{ a" => nested,
                _ => format!("{{ conversations {{ nodes {{ users(filter: {nested}) {{ totalCount }} }} }} }}"),
            };
            let answer = client.try_post(&document, json!({})).await;
            assert!(answer.is_some(), "the server died of {depth} times {open}");
        }
    }
}

impl Fixture for Still {
    async fn make(database: Database) -> Self {
        let workspace = Workspace::make(database).await;
        let line = workspace.another_line(true).await;
        let conversation = workspace.conversation_on(&line, "External", "OUTBOUND", flow()).await;
        let person = workspace.send_to(&conversation, 0, 1).await.remove(0);
        let at = bluetick::domain::clock::Clock::now(&*workspace.server.clock).to_string();
        let first = json!({ "lineId": line.id, "phone": phone(0), "sender": "COMPANY", "kind": "TEMPLATE", "at": at,
            "providerMessageId": "first" });
        let city = json!({ "deploymentId": person.deployment, "name": "city", "value": "Cali", "at": at });
        workspace.record(json!([{ "message": first }, { "variable": city }])).await;
        Self { workspace, line, conversation, person }
    }
}

impl Still {
    async fn count(&self, table: &str) -> i64 {
        self.workspace.server.database.count(&format!("SELECT count(*) FROM {table}")).await
    }

    /// How many rows there are in all, and the figures.
    async fn state(&self) -> (i64, Value) {
        let counts: Vec<_> = TABLES.split_whitespace().map(|table| format!("(SELECT count(*) FROM {table})")).collect();
        let rows = self.workspace.server.database.count(&format!("SELECT {}", counts.join(" + "))).await;
        (rows, self.workspace.metrics(&self.conversation).await)
    }

    /// A request is refused with a short error that names the place at fault.
    async fn refuses(&self, document: &str, variables: Value, place: &str) {
        let told = told(&self.workspace.api.post(document, variables).await);
        assert!(told.len() < 1_000, "{place} is told with {} bytes", told.len());
        assert!(told.contains(&format!("\"{place}\"")), "{place} is not named: {told}");
    }

    /// Requests are refused, each with each of these values of their variable, and change nothing.
    async fn refuses_all(&self, variable: &str, documents: &[(String, &str)], values: &[Value]) {
        let before = self.state().await;
        for (document, place) in documents {
            for value in values {
                self.refuses(document, json!({ variable: value }), place).await;
            }
        }
        assert_eq!(self.state().await, before);
    }

    /// Each list with these arguments, that of conversations first.
    fn lists(&self, arguments: &str) -> Vec<String> {
        let Person { user, deployment, .. } = &self.person;
        let of = |id: &str, kind: &str, list: &str| {
            format!("{{ node(id: \"{id}\") {{ ... on {kind} {{ {list}({arguments}) {{ totalCount }} }} }} }}")
        };
        let of_conversation = |list: &str| of(&self.conversation, "Conversation", list);
        vec![
            format!("{{ conversations({arguments}) {{ totalCount }} }}"),
            of_conversation("versions"),
            of_conversation("users"),
            of_conversation("sends"),
            of(user, "User", "deployments"),
            of(user, "User", "history"),
            of(deployment, "Deployment", "messages"),
        ]
    }

    /// The users with these arguments, as a field of a query.
    fn of_users(&self, arguments: &str) -> String {
        let fields = "{ totalCount pageInfo { endCursor } }";
        format!("conversation(id: \"{}\") {{ users({arguments}) {fields} }}", self.conversation)
    }

    fn users(&self, arguments: &str) -> String {
        format!("{{ {} }}", self.of_users(arguments))
    }
}

impl Fixture for Shaky {
    async fn make(database: Database) -> Self {
        let proxy = Proxy::before(database.url()).await;
        let server = Server::start(database, &[("database.url", proxy.url.as_str())]).await;
        Self { proxy, workspace: Workspace::on(server).await }
    }
}

impl Shaky {
    /// Takes the database away, and returns when the server has noticed.
    async fn cut(&self) {
        self.proxy.cut();
        until("the server is not ready", async || (self.ready().await != StatusCode::OK).then_some(())).await;
    }

    /// Brings the database back, and returns when the server has noticed.
    async fn mend(&self) {
        self.proxy.mend();
        until("the server is ready", async || (self.ready().await == StatusCode::OK).then_some(())).await;
    }

    async fn ready(&self) -> StatusCode {
        self.workspace.api.get("/health/ready").await.0
    }
}

/// A query with one variable.
fn query(variable: &str, field: &str) -> String {
    format!("query({variable}) {{ {field} }}")
}

/// A mutation with one variable, or with none.
fn mutation(variable: &str, field: &str) -> String {
    let variable = if variable.is_empty() { String::new() } else { format!("({variable})") };
    format!("mutation{variable} {{ {field} {{ userErrors {{ field code message }} }} }}")
}

/// What a refused request is told: its error, or the first of its `userErrors`.
fn told(answer: &Answer) -> String {
    if answer.body.get("errors").is_some() {
        let refusal = answer.refusal();
        assert!(["BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"].contains(&refusal.code.as_str()), "{}", refusal.code);
        return refusal.message;
    }
    let payload = answer.body["data"].as_object().and_then(|data| data.values().next()).expect("an answer has data");
    let told = payload["userErrors"][0]["message"].as_str();
    told.unwrap_or_else(|| panic!("nothing was refused: {}", answer.body)).to_owned()
}
