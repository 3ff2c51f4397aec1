//! The schema as a whole: it is committed, everything in it is described, its words are the domain's, and async-graphql
//! does what the specification and this code expect of it.

use async_graphql::{EmptyMutation, EmptySubscription, Object, Request, Value};
use serde_json::Value as Json;

use crate::domain::conversation::Direction;
use crate::domain::failure::FailureReason;
use crate::domain::message::{MessageKind, Sender};
use crate::domain::standing::{DeploymentStatus, SessionStatus, Stage};

const EVERYTHING: &str = "{ __schema { types { name description
    fields { name description args { name description } }
    inputFields { name description }
    enumValues { name description } } } }";

#[test]
fn the_committed_schema_is_the_one_that_the_code_makes() {
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql")).unwrap();
    assert!(committed == super::sdl(), "schema.graphql is out of date; mend it: cargo run -- schema > schema.graphql");
}

#[tokio::test]
async fn everything_in_the_schema_is_described() {
    let types = introspect(EVERYTHING).await;
    let mut bare = Vec::new();
    for one in types["__schema"]["types"].as_array().unwrap() {
        let name = one["name"].as_str().unwrap();
        // GraphQL's own: introspection, and a scalar that async-graphql leaves bare.
        if !name.starts_with("__") && name != "ID" {
            find_bare(one, name, &mut bare);
        }
    }
    assert_eq!(bare, Vec::<String>::new());
}

#[tokio::test]
async fn enums_have_the_words_of_the_domain() {
    for (name, words) in [
        ("DeploymentStatus", words(DeploymentStatus::ALL, DeploymentStatus::word)),
        ("Stage", words(Stage::ALL, Stage::word)),
        ("SessionStatus", words(SessionStatus::ALL, SessionStatus::word)),
        ("FailureReason", words(FailureReason::ALL, FailureReason::word)),
        ("Direction", words(Direction::ALL, Direction::word)),
        ("Sender", words(Sender::ALL, Sender::word)),
        ("MessageKind", words(MessageKind::ALL, MessageKind::word)),
    ] {
        let told = introspect(&format!("{{ __type(name: \"{name}\") {{ enumValues {{ name }} }} }}")).await;
        let values = told["__type"]["enumValues"].as_array().unwrap();
        let told: Vec<_> = values.iter().map(|value| value["name"].as_str().unwrap()).collect();
        assert_eq!(told, words, "{name}");
    }
}

#[tokio::test]
async fn a_failing_field_nulls_what_may_be_null_and_no_more() {
    let response = toy("{ sound { good } maybe { good bad } good }").await;
    assert_eq!(response.data.to_string(), "{sound: {good: 1}, maybe: null, good: 1}");
    assert_eq!(response.errors.len(), 1);
    let response = toy("{ good sound { good bad } }").await;
    assert_eq!(response.data, Value::Null);
    let response = toy("{ good nullable }").await;
    assert_eq!(response.data.to_string(), "{good: 1, nullable: null}");
    assert_eq!(response.errors.len(), 1);
}

#[tokio::test]
async fn fields_come_in_the_order_of_the_query() {
    let response = toy("{ slow good other: slow sound { good } }").await;
    assert_eq!(response.data.to_string(), "{slow: 1, good: 1, other: 1, sound: {good: 1}}");
}

/// A schema that says how async-graphql treats failing fields: 7.1 to 7.2.1 leave a failing non-null field out of its object
/// and order fields by completion.
struct Toy;

#[Object]
impl Toy {
    async fn good(&self) -> i32 {
        1
    }

    async fn slow(&self) -> i32 {
        tokio::task::yield_now().await;
        1
    }

    async fn bad(&self) -> super::error::Result<i32> {
        async { Err(super::error::ApiError::broken("it broke")) }.await
    }

    async fn nullable(&self) -> Option<super::error::Result<i32>> {
        Some(Err(super::error::ApiError::broken("it broke")))
    }

    async fn sound(&self) -> Toy {
        Toy
    }

    async fn maybe(&self) -> Option<Toy> {
        Some(Toy)
    }
}

async fn toy(query: &str) -> async_graphql::Response {
    async_graphql::Schema::new(Toy, EmptyMutation, EmptySubscription).execute(query).await
}

async fn introspect(query: &str) -> Json {
    let response = super::schema(async_graphql::ValidationMode::Strict).execute(Request::new(query)).await;
    assert_eq!(response.errors, []);
    response.data.into_json().unwrap()
}

fn words<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> Vec<&'static str> {
    all.iter().map(|&value| word(value)).collect()
}

fn find_bare(item: &Json, name: &str, bare: &mut Vec<String>) {
    if item["description"].as_str().is_none_or(|description| description.trim().is_empty()) {
        bare.push(name.to_owned());
    }
    for list in ["fields", "args", "inputFields", "enumValues"] {
        for inner in item[list].as_array().into_iter().flatten() {
            find_bare(inner, &format!("{name}.{}", inner["name"].as_str().unwrap()), bare);
        }
    }
}
