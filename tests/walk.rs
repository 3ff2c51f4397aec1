//! A walk through the whole schema: every field that a request can begin with, called by those who must not see anything.
//!
//! The schema tells what there is, so that a field that is added later is called too.

use serde_json::{Map, Value, json};

use crate::access::Things;
use crate::support::client::Client;
use crate::support::server::Server;
use crate::support::trial::tests;
use crate::support::workspace::{Workspace, flow};

tests! {
    on_both_databases: [
        nothing_is_answered_without_a_token,
        nothing_is_changed_with_a_token_that_reads,
        nothing_of_another_workspace_is_seen_or_changed,
    ],
}

const SCHEMA: &str = "{ __schema { queryType { name } mutationType { name } subscriptionType { name } types { kind name
    fields { name args { name type { ...T } } type { ...T } } inputFields { name type { ...T } } enumValues { name } } } }
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// How deep a response is selected, and an input is filled in.
const DEPTH: usize = 4;

/// What the schema tells of itself.
struct Schema(Value);

/// A field that a request can begin with.
struct Root {
    operation: &'static str,
    field: Value,
}

impl Schema {
    async fn of(client: &Client) -> Self {
        Self(client.ask_one(SCHEMA, json!({})).await)
    }

    fn roots(&self) -> Vec<Root> {
        let of = |operation: &'static str| {
            let name = &self.0[format!("{operation}Type")]["name"];
            let fields = self.named(name.as_str().unwrap())["fields"].as_array().unwrap().clone();
            fields.into_iter().map(move |field| Root { operation, field })
        };
        let roots: Vec<_> = ["query", "mutation", "subscription"].into_iter().flat_map(of).collect();
        assert!(roots.len() > 20);
        roots
    }

    fn named(&self, name: &str) -> &Value {
        self.0["types"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap()
    }

    /// The document that calls a field, and its variables, in which this is every id.
    fn call(&self, root: &Root, id: &str) -> (String, Value) {
        let args = root.field["args"].as_array().unwrap();
        let name = |arg: &Value| arg["name"].as_str().unwrap().to_owned();
        // What is optional is given where it can hold an id.
        let given: Vec<_> =
            args.iter().filter(|arg| is_required(&arg["type"]) || self.holds_id(&arg["type"], 0)).collect();
        let defined: Vec<_> = given.iter().map(|arg| format!("${}: {}", name(arg), written(&arg["type"]))).collect();
        let passed: Vec<_> = given.iter().map(|arg| format!("{0}: ${0}", name(arg))).collect();
        let values: Map<_, _> = given.iter().map(|arg| (name(arg), self.value(&arg["type"], id, 0))).collect();
        let list =
            |parts: Vec<String>| if parts.is_empty() { String::new() } else { format!("({})", parts.join(", ")) };
        let field = format!("{}{}{}", name(&root.field), list(passed), self.selection(&root.field["type"], 0));
        (format!("{}{} {{ {field} }}", root.operation, list(defined)), Value::Object(values))
    }

    /// Everything that can be selected of a type without arguments.
    fn selection(&self, ty: &Value, depth: usize) -> String {
        let inner = innermost(ty);
        if !["OBJECT", "INTERFACE"].contains(&inner["kind"].as_str().unwrap()) {
            return String::new();
        }
        let fields = self.named(inner["name"].as_str().unwrap())["fields"].as_array().unwrap();
        let selected = fields
            .iter()
            .filter(|field| !field["args"].as_array().unwrap().iter().any(|arg| is_required(&arg["type"])));
        let selected = selected.filter(|field| {
            let leaf = ["SCALAR", "ENUM"].contains(&innermost(&field["type"])["kind"].as_str().unwrap());
            leaf || depth < DEPTH
        });
        let selected: Vec<_> = selected
            .map(|field| {
                let page = field["args"].as_array().unwrap().iter().any(|arg| arg["name"] == "first");
                let page = if page { "(first: 2)" } else { "" };
                format!("{}{page}{}", field["name"].as_str().unwrap(), self.selection(&field["type"], depth + 1))
            })
            .collect();
        format!(" {{ __typename {} }}", selected.join(" "))
    }

    fn holds_id(&self, ty: &Value, depth: usize) -> bool {
        let inner = innermost(ty);
        let fields = || self.named(inner["name"].as_str().unwrap())["inputFields"].as_array().unwrap();
        match inner["kind"].as_str().unwrap() {
            "SCALAR" => inner["name"] == "ID",
            "INPUT_OBJECT" => depth < DEPTH && fields().iter().any(|field| self.holds_id(&field["type"], depth + 1)),
            _ => false,
        }
    }

    fn value(&self, ty: &Value, id: &str, depth: usize) -> Value {
        let inner = innermost(ty);
        let name = inner["name"].as_str().unwrap();
        let value = match (inner["kind"].as_str().unwrap(), name) {
            ("INPUT_OBJECT", _) => self.input(name, id, depth),
            ("ENUM", _) => self.named(name)["enumValues"][0]["name"].clone(),
            (_, "ID") => json!(id),
            (_, "Int" | "Float") => json!(1),
            (_, "Boolean") => json!(false),
            (_, "DateTime") => json!("2026-01-01T00:00:00Z"),
            (_, "PhoneNumber") => json!("+12025550199"),
            (_, "JSON") => flow(),
            _ => json!("x"),
        };
        if is_list(ty) { json!([value]) } else { value }
    }

    /// What is required, and what can hold an id; of alternatives the first.
    fn input(&self, name: &str, id: &str, depth: usize) -> Value {
        let fields = self.named(name)["inputFields"].as_array().unwrap();
        let alternatives = fields.iter().all(|field| !is_required(&field["type"]));
        let given = fields
            .iter()
            .filter(|field| is_required(&field["type"]) || (depth < DEPTH && self.holds_id(&field["type"], depth + 1)));
        let given = given.take(if alternatives { 1 } else { usize::MAX });
        given
            .map(|field| (field["name"].as_str().unwrap().to_owned(), self.value(&field["type"], id, depth + 1)))
            .collect()
    }
}

fn innermost(ty: &Value) -> &Value {
    if ty["ofType"].is_object() { innermost(&ty["ofType"]) } else { ty }
}

fn is_required(ty: &Value) -> bool {
    ty["kind"] == "NON_NULL"
}

fn is_list(ty: &Value) -> bool {
    ty["kind"] == "LIST" || ty["ofType"]["kind"] == "LIST"
}

fn written(ty: &Value) -> String {
    match ty["kind"].as_str().unwrap() {
        "NON_NULL" => format!("{}!", written(&ty["ofType"])),
        "LIST" => format!("[{}]", written(&ty["ofType"])),
        _ => ty["name"].as_str().unwrap().to_owned(),
    }
}

/// Calls a field; returns what is answered, of a subscription the first event.
async fn answered(client: &Client, root: &Root, (document, variables): (String, Value)) -> Value {
    if root.operation == "subscription" {
        return client.events(&document, variables, None).await.result().await.unwrap_or(Value::Null);
    }
    client.post(&document, variables).await.body
}

async fn nothing_is_answered_without_a_token(server: Server) {
    let client = server.client("acme", "admin,personal").await;
    let schema = Schema::of(&client).await;
    let nobody = client.with_token(None);
    for root in schema.roots() {
        let (document, variables) = schema.call(&root, "conv_x");
        let request = json!({ "query": document, "variables": variables }).to_string();
        for path in ["graphql", "graphql/sse"] {
            let request = reqwest::Client::new().post(format!("{}/{path}", nobody.server)).body(request.clone());
            let accept = "application/json, text/event-stream";
            let request = request.header("content-type", "application/json").header("accept", accept);
            assert_eq!(request.send().await.unwrap().status(), 401, "{document}");
        }
    }
}

async fn nothing_is_changed_with_a_token_that_reads(workspace: Workspace) {
    let schema = Schema::of(&workspace.api).await;
    let things = Things::make(&workspace).await;
    let reader = workspace.server.client("acme", "personal").await;
    let mut called = 0;
    for root in schema.roots().into_iter().filter(|root| root.operation == "mutation") {
        for id in things.all() {
            let (document, variables) = schema.call(&root, id);
            let refusal = reader.refusal(&document, variables).await;
            assert_eq!(refusal.code, "FORBIDDEN", "{document}: {}", refusal.message);
            called += 1;
        }
    }
    assert!(called > 50);
}

async fn nothing_of_another_workspace_is_seen_or_changed(workspace: Workspace) {
    let schema = Schema::of(&workspace.api).await;
    let things = Things::make(&workspace).await;
    let before = state(&workspace, &things).await;
    let stranger = workspace.server.client("stranger", "admin,personal").await;
    for root in schema.roots() {
        for id in things.all() {
            let call = schema.call(&root, id);
            let document = call.0.clone();
            let answer = answered(&stranger, &root, call).await;
            // Not a word of it, neither in data nor in an error.
            let told = answer.to_string();
            for theirs in things.all().into_iter().chain(["Welcome", "+573000000000"]) {
                assert!(!told.contains(theirs), "{theirs} is told by {document}: {told}");
            }
            assert!(!told.contains("VALIDATION_FAILED"), "{document}: {told}");
        }
    }
    assert_eq!(state(&workspace, &things).await, before);
    assert_eq!(workspace.server.differences().await, []);
}

/// What the workspace shows of itself.
async fn state(workspace: &Workspace, things: &Things) -> Value {
    let document = "query($id: ID!) { conversation(id: $id) { name archivedAt versions { nodes { number } }
        users { nodes { phone deploymentStatus } } } lines { id name state } sends: conversations { totalCount } }";
    let shown = workspace.api.ask(document, json!({ "id": things.conversation })).await;
    json!([shown, workspace.metrics(&things.conversation).await])
}
