//! The users table: filters, orders, pages and counts, against what the test itself knows of everybody.

use std::time::Duration;

use bluetick::domain::clock::Timestamp;
use serde_json::{Value, json};

use crate::support::database::Database;
use crate::support::pages::{self, connection};
use crate::support::trial::{Fixture, tests};
use crate::support::workspace::{Workspace, flow, id_of, phone, recipients};

tests! {
    on_both_databases: [
        filters_by_standing_find_those_whom_they_describe,
        filters_by_other_columns_find_those_whom_they_describe,
        filters_combine,
        users_are_paged_both_ways_in_every_order,
        a_filtered_list_is_paged_as_the_whole_one_is,
        a_page_is_exact_while_the_list_grows,
        a_page_between_two_cursors_holds_what_lies_between,
        a_page_without_rows_has_no_cursors,
        the_row_tells_what_is_known_of_the_user,
    ],
}

/// Everybody of a conversation, in all sorts of states.
struct Crowd {
    workspace: Workspace,
    conversation: String,
    sends: Vec<String>,
    people: Vec<Known>,
    /// The second since 1970 from which the test counts, after everybody was deployed.
    start: i64,
}

/// What the test knows of one of them.
#[derive(Debug, Clone)]
struct Known {
    number: usize,
    id: String,
    status: &'static str,
    stage: Option<&'static str>,
    session: Option<&'static str>,
    reason: Option<&'static str>,
    /// Seconds after the start.
    activity: Option<i64>,
    city: Option<&'static str>,
    send: usize,
}

const SESSIONS: [Option<&str>; 6] =
    [None, Some("BOT"), Some("AGENT"), Some("RATING"), Some("COMPLETED"), Some("EXPIRED")];
const FAILURES: [(&str, i32); 3] = [("UNDELIVERABLE", 131_026), ("WITHHELD", 131_049), ("OTHER", 999_999)];
const CITIES: [Option<&str>; 4] = [None, Some("Bogotá"), Some("Cali"), Some("")];

async fn filters_by_standing_find_those_whom_they_describe(crowd: Crowd) {
    for status in ["QUEUED", "ACCEPTED", "HELD", "SENT", "DELIVERED", "READ", "FAILED"] {
        crowd.expect(json!({ "deploymentStatus": [status] }), |one| one.status == status).await;
    }
    let two = json!({ "deploymentStatus": ["READ", "FAILED", "READ"] });
    crowd.expect(two, |one| ["READ", "FAILED"].contains(&one.status)).await;
    crowd.expect(json!({ "deploymentStatus": [] }), |_| false).await;
    crowd.expect(json!({ "stage": ["IN_FLOW"] }), |one| one.stage == Some("IN_FLOW")).await;
    crowd.expect(json!({ "stage": [null] }), |one| one.stage.is_none()).await;
    crowd.expect(json!({ "stage": [null, "FINISHED"] }), |one| one.stage != Some("IN_FLOW")).await;
    crowd.expect(json!({ "stage": [] }), |_| false).await;
    for session in SESSIONS {
        crowd.expect(json!({ "sessionStatus": [session] }), |one| one.session == session).await;
    }
    for (reason, _) in FAILURES {
        crowd.expect(json!({ "failureReason": [reason] }), |one| one.reason == Some(reason)).await;
    }
    crowd.expect(json!({ "failureReason": ["EXPIRED"] }), |_| false).await;
}

async fn filters_by_other_columns_find_those_whom_they_describe(crowd: Crowd) {
    let number = |one: &Known| phone(one.number);
    for prefix in ["+57300", "57300000001", "+573000000012", "+58", "0", ""] {
        let digits = prefix.trim_start_matches('+');
        crowd.expect(json!({ "phone": prefix }), |one| number(one)[1..].starts_with(digits)).await;
    }
    for (city, is_there) in [("Bogotá", true), ("", true), ("bogotá", false)] {
        let filter = json!({ "variables": [{ "name": "city", "equals": city }] });
        crowd.expect(filter, |one| is_there && one.city == Some(city)).await;
    }
    crowd.expect(json!({ "variables": [{ "name": "city", "exists": true }] }), |one| one.city.is_some()).await;
    crowd.expect(json!({ "variables": [{ "name": "city", "exists": false }] }), |one| one.city.is_none()).await;
    let either = json!({ "variables": [{ "name": "city", "equals": "Cali" }, { "name": "city", "exists": false }] });
    crowd.expect(either, |one| one.city == Some("Cali") || one.city.is_none()).await;
    for (place, send) in crowd.sends.iter().enumerate() {
        crowd.expect(json!({ "sendId": send }), |one| one.send == place).await;
    }
    for (from, to) in [(Some(10), Some(30)), (Some(20), None), (None, Some(20)), (Some(1_000), None)] {
        let range = json!({ "from": from.map(|from| crowd.at(from)), "to": to.map(|to| crowd.at(to)) });
        let is_in = |at: i64| from.is_none_or(|from| from <= at) && to.is_none_or(|to| at < to);
        crowd.expect(json!({ "lastActivityAt": range }), |one| one.activity.is_some_and(is_in)).await;
    }
    let deployed = crowd.workspace.users(&crowd.conversation, "id deployedAt").await;
    let of_second_send = crowd.people.iter().find(|one| one.send == 1).unwrap();
    let second = deployed.iter().find(|user| user["id"] == of_second_send.id).unwrap()["deployedAt"].clone();
    crowd.expect(json!({ "deployedAt": { "from": second } }), |one| one.send >= 1).await;
    crowd.expect(json!({ "deployedAt": { "to": second } }), |one| one.send < 1).await;
}

async fn filters_combine(crowd: Crowd) {
    let read = json!({ "deploymentStatus": ["READ"] });
    let cali = json!({ "variables": [{ "name": "city", "equals": "Cali" }] });
    let is_read = |one: &Known| one.status == "READ";
    let is_of_cali = |one: &Known| one.city == Some("Cali");
    crowd.expect(json!({ "or": [read, cali] }), |one| is_read(one) || is_of_cali(one)).await;
    crowd.expect(json!({ "and": [read, cali] }), |one| is_read(one) && is_of_cali(one)).await;
    crowd.expect(json!({ "and": [read], "not": cali }), |one| is_read(one) && !is_of_cali(one)).await;
    crowd
        .expect(json!({ "or": [{ "not": { "or": [read, cali] } }, { "stage": ["IN_FLOW"] }] }), |one| {
            !(is_read(one) || is_of_cali(one)) || one.stage == Some("IN_FLOW")
        })
        .await;
    crowd.expect(json!({}), |_| true).await;
    crowd.expect(json!({ "and": [] }), |_| true).await;
    crowd.expect(json!({ "or": [] }), |_| false).await;
    let asks_nothing = json!({ "and": null, "or": null, "not": null, "stage": null, "phone": null, "deployedAt": {} });
    crowd.expect(asks_nothing, |_| true).await;
}

async fn users_are_paged_both_ways_in_every_order(crowd: Crowd) {
    for order in ["DEPLOYED_AT", "LAST_ACTIVITY_AT"] {
        let ascending = crowd.pages("first: 7, after: $cursor", order, "ASC", "{}").await;
        assert_eq!(ascending.len(), crowd.people.len());
        let key = |id: &String| {
            let known = crowd.people.iter().find(|one| one.id == *id).unwrap();
            // Whoever did nothing yet comes first.
            if order == "DEPLOYED_AT" { i64::try_from(known.send).unwrap() } else { known.activity.unwrap_or(-1) }
        };
        assert!(ascending.is_sorted_by_key(key), "{order}");
        let descending: Vec<_> = ascending.iter().rev().cloned().collect();
        assert_eq!(crowd.pages("last: 7, before: $cursor", order, "ASC", "{}").await, ascending, "{order}");
        assert_eq!(crowd.pages("first: 7, after: $cursor", order, "DESC", "{}").await, descending, "{order}");
        assert_eq!(crowd.pages("last: 200, before: $cursor", order, "DESC", "{}").await, descending, "{order}");
    }
}

async fn a_filtered_list_is_paged_as_the_whole_one_is(crowd: Crowd) {
    let filter =
        r#"{ or: [{ deploymentStatus: [READ, DELIVERED] }, { variables: [{ name: "city", exists: false }] }] }"#;
    for order in ["DEPLOYED_AT", "LAST_ACTIVITY_AT"] {
        let whole = crowd.pages("first: 200, after: $cursor", order, "DESC", filter).await;
        assert!(whole.len() > 9);
        assert_eq!(crowd.pages("first: 4, after: $cursor", order, "DESC", filter).await, whole);
        assert_eq!(crowd.pages("last: 4, before: $cursor", order, "DESC", filter).await, whole);
    }
}

async fn a_page_is_exact_while_the_list_grows(crowd: Crowd) {
    let known = crowd.pages("first: 200, after: $cursor", "DEPLOYED_AT", "DESC", "{}").await;
    let document = crowd.document("first: 10, after: $cursor", "DEPLOYED_AT", "DESC", "{}");
    let (mut read, mut cursor) = (Vec::new(), Value::Null);
    for page in 0.. {
        let users = connection(&crowd.workspace.api.ask(&document, json!({ "cursor": cursor })).await);
        read.extend(users["edges"].as_array().unwrap().iter().map(|edge| id_of(&edge["node"])));
        if users["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
        cursor = users["pageInfo"]["endCursor"].clone();
        crowd.workspace.send(&crowd.conversation, recipients(1_000 + page * 10, 10)).await;
    }
    assert_eq!(read, known, "whoever comes meanwhile stands in front of what was read");
}

async fn a_page_between_two_cursors_holds_what_lies_between(crowd: Crowd) {
    let all = crowd.document("first: 200, after: $cursor", "DEPLOYED_AT", "ASC", "{}");
    let all = connection(&crowd.workspace.api.ask(&all, json!({})).await);
    let edges = all["edges"].as_array().unwrap();
    let between = edges[4..12].iter().map(|edge| id_of(&edge["node"])).collect::<Vec<_>>();
    for (size, expected) in [("first: 50", &between[..]), ("first: 3", &between[..3]), ("last: 3", &between[5..])] {
        let (after, before) = (&edges[3]["cursor"], &edges[12]["cursor"]);
        let arguments = format!("{size}, after: {after}, before: {before}");
        let document =
            crowd.document(&arguments, "DEPLOYED_AT", "ASC", "{}").replace("query($cursor: String)", "query");
        let page = connection(&crowd.workspace.api.ask(&document, json!({})).await);
        let ids: Vec<_> = page["edges"].as_array().unwrap().iter().map(|edge| id_of(&edge["node"])).collect();
        assert_eq!(ids, expected, "{size}");
        assert_eq!(page["totalCount"], edges.len());
    }
}

async fn a_page_without_rows_has_no_cursors(crowd: Crowd) {
    let no_rows = crowd.document("first: 0, after: $cursor", "DEPLOYED_AT", "ASC", "{}");
    let nobody = crowd.document("first: 5, after: $cursor", "DEPLOYED_AT", "ASC", "{ or: [] }");
    for (document, count, more) in [(no_rows, crowd.people.len(), true), (nobody, 0, false)] {
        let page = connection(&crowd.workspace.api.ask(&document, json!({})).await);
        let info = json!({ "startCursor": null, "endCursor": null, "hasNextPage": more, "hasPreviousPage": false });
        assert_eq!(page, json!({ "edges": [], "pageInfo": info, "totalCount": count }));
    }
}

async fn the_row_tells_what_is_known_of_the_user(crowd: Crowd) {
    let fields = "id phone deploymentStatus stage sessionStatus lastActivityAt failure { reason code }
        variable(name: \"city\") variables { name value } version { number }";
    let users = crowd.workspace.users(&crowd.conversation, fields).await;
    for one in &crowd.people {
        let code = FAILURES.iter().find(|(reason, _)| Some(*reason) == one.reason).map(|(_, code)| *code);
        let expected = json!({
            "id": one.id, "phone": phone(one.number), "deploymentStatus": one.status, "stage": one.stage,
            "sessionStatus": one.session, "lastActivityAt": one.activity.map(|activity| crowd.at(activity)),
            "failure": one.reason.map(|reason| json!({ "reason": reason, "code": code })),
            "variable": one.city, "version": { "number": 1 },
            "variables": one.city.iter().map(|city| json!({ "name": "city", "value": city })).collect::<Value>(),
        });
        assert_eq!(*users.iter().find(|user| user["id"] == one.id).unwrap(), expected);
    }
}

impl Fixture for Crowd {
    /// 37 people of three sends, each told of by facts.
    async fn make(database: Database) -> Self {
        let workspace = Workspace::make(database).await;
        let line = workspace.another_line(true).await;
        let conversation = workspace.conversation_on(&line, "Crowd", "OUTBOUND", flow()).await;
        let mut sends = Vec::new();
        for (first, count) in [(0, 20), (20, 10), (30, 7)] {
            sends.push(workspace.send(&conversation, recipients(first, count)).await);
            workspace.server.clock.advance(Duration::from_secs(60));
        }
        workspace.server.clock.advance(Duration::from_secs(3_600));
        let start = workspace.server.clock.seconds() - 1_800;
        let mut crowd = Self { conversation, sends, people: Vec::new(), start, workspace };
        let mut facts = Vec::new();
        for (number, person) in crowd.workspace.people(&crowd.conversation).await.into_iter().enumerate() {
            let known = Known::imagine(number, person.user);
            facts.extend(crowd.facts(&known, &person.deployment, &line.id));
            crowd.people.push(known);
        }
        crowd.workspace.record(json!(facts)).await;
        crowd
    }
}

impl Crowd {
    /// A moment, in seconds after the start.
    fn at(&self, seconds: i64) -> String {
        Timestamp::from_seconds(self.start + seconds).unwrap().to_string()
    }

    fn facts(&self, known: &Known, deployment: &str, line: &str) -> Vec<Value> {
        let message = |sender: &str, seconds: i64| {
            json!({ "message": { "lineId": line, "phone": phone(known.number), "sender": sender, "kind": "TEXT",
                "text": "Hi", "at": self.at(seconds), "providerMessageId": format!("{sender} {}", known.number) } })
        };
        let code = FAILURES.iter().find(|(reason, _)| Some(*reason) == known.reason).map(|(_, code)| code);
        let status =
            json!({ "deploymentId": deployment, "status": known.status, "at": self.at(0), "failureCode": code });
        let session = known.session.map(
            |session| json!({ "session": { "deploymentId": deployment, "sessionStatus": session, "at": self.at(1) } }),
        );
        let city = known.city.map(|city| {
            json!({ "variable": { "deploymentId": deployment, "name": "city", "value": city, "at": self.at(1) } })
        });
        let finished = (known.stage == Some("FINISHED"))
            .then(|| json!({ "finished": { "deploymentId": deployment, "at": self.at(5) } }));
        let answer = known.activity.map(|activity| [message("COMPANY", 0), message("USER", activity)]);
        let facts = [Some(json!({ "status": status })), session, city, finished];
        answer.into_iter().flatten().chain(facts.into_iter().flatten()).collect()
    }

    async fn found(&self, filter: &Value) -> (Vec<String>, i64) {
        let document =
            "query($id: ID!, $filter: UserFilter) { conversation(id: $id) { users(first: 200, filter: $filter) {
            totalCount edges { node { id } } } } }";
        let variables = json!({ "id": self.conversation, "filter": filter });
        let users = connection(&self.workspace.api.ask(document, variables).await);
        let mut ids: Vec<_> = users["edges"].as_array().unwrap().iter().map(|edge| id_of(&edge["node"])).collect();
        ids.sort();
        (ids, users["totalCount"].as_i64().unwrap())
    }

    /// A filter finds exactly those who match, its negation the others, and the counts are theirs.
    async fn expect(&self, filter: Value, matches: impl Fn(&Known) -> bool) {
        for (filter, negated) in [(filter.clone(), false), (json!({ "not": filter }), true)] {
            let matching = self.people.iter().filter(|one| matches(one) != negated);
            let mut ids: Vec<_> = matching.map(|one| one.id.clone()).collect();
            ids.sort();
            let count = i64::try_from(ids.len()).unwrap();
            assert_eq!(self.found(&filter).await, (ids, count), "{filter}");
        }
    }

    fn document(&self, arguments: &str, order: &str, direction: &str, filter: &str) -> String {
        format!(
            "query($cursor: String) {{ conversation(id: \"{}\") {{
               users({arguments}, filter: {filter}, orderBy: {{ field: {order}, direction: {direction} }}) {{ totalCount
                 edges {{ cursor node {{ id }} }} pageInfo {{ startCursor endCursor hasNextPage hasPreviousPage }} }} }} }}",
            self.conversation
        )
    }

    async fn pages(&self, arguments: &str, order: &str, direction: &str, filter: &str) -> Vec<String> {
        pages::read(&self.workspace.api, &self.document(arguments, order, direction, filter)).await
    }
}

impl Known {
    fn imagine(number: usize, id: String) -> Self {
        let reason = (number % 9 == 7).then(|| FAILURES[number / 9 % 3].0);
        let status =
            ["QUEUED", "ACCEPTED", "HELD", "SENT", "DELIVERED", "READ", "READ", "FAILED", "DELIVERED"][number % 9];
        let stage = [None, None, None, None, None, None, Some("IN_FLOW"), None, Some("FINISHED")][number % 9];
        let activity = (stage == Some("IN_FLOW")).then(|| i64::try_from(number * 10 % 40).unwrap());
        let send = usize::from(number >= 20) + usize::from(number >= 30);
        Self {
            number,
            id,
            status,
            stage,
            session: SESSIONS[number % 6],
            reason,
            activity,
            city: CITIES[number % 4],
            send,
        }
    }
}
