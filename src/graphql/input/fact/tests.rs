//! How facts are read.

use async_graphql::{InputType, Value};
use serde_json::json;

use super::*;
use crate::domain::clock::Timestamp;
use crate::domain::fact::{StatusFact, Target};
use crate::domain::failure::{FailureReason, OwnFailure, ProviderFailure};
use crate::domain::id::new_key;
use crate::domain::inbound::InboundRules;
use crate::domain::line::Line;
use crate::domain::merge::MessageFacts;
use crate::domain::phone::Phone;
use crate::graphql::user_error::UserErrors;

const AT: &str = "2026-11-22T10:00:00Z";

/// One deployment and one Colombian line.
struct World {
    deployment: DeploymentId,
    line: LineId,
}

impl World {
    fn new() -> Self {
        Self { deployment: new_key().into(), line: new_key().into() }
    }

    fn known(&self) -> Known {
        let line = Line {
            id: self.line,
            phone: Phone::read("+573001234567", None).unwrap(),
            phone_number_id: "1".into(),
            name: "Line".into(),
            messages_per_second: 80,
            external: true,
            stop: None,
            state_since: Timestamp::MIN,
            inbound_rules: InboundRules::default(),
            default_conversation: None,
        };
        Known { deployments: [self.deployment].into(), lines: [(self.line, line.into())].into() }
    }

    /// Reads a fact: the fact, and where something was refused.
    fn read(&self, fact: serde_json::Value) -> (Option<Fact>, Vec<String>) {
        let mut errors = UserErrors::default();
        let latest = at().plus(std::time::Duration::from_mins(5));
        let mut reader = Reader { known: self.known(), latest, errors: &mut errors };
        let fact = FactInput::parse(Some(Value::from_json(fact).unwrap())).unwrap();
        let fact = fact.read(&Place::of("facts").item(0), &mut reader).unwrap();
        (fact, errors.places())
    }

    fn refused(&self, fact: serde_json::Value) -> Vec<String> {
        let (fact, places) = self.read(fact);
        assert!(!places.is_empty(), "{fact:?}");
        places
    }

    /// What a status fact about a message tells of it.
    fn status(&self, mut status: serde_json::Value) -> MessageFacts {
        status["at"] = json!(AT);
        status["providerMessageId"] = json!("wamid.1");
        match self.read(json!({"status": status})) {
            (Some(Fact::Status(StatusFact { of, facts, recipient: None })), refused) => {
                assert_eq!((of, refused), (Target::provider("wamid.1".into()), vec![]));
                facts
            }
            other => panic!("{other:?}"),
        }
    }

    fn message(&self, more: &serde_json::Value) -> (Option<Fact>, Vec<String>) {
        let mut message = json!({"lineId": self.line.to_string(), "sender": "USER", "kind": "TEXT", "at": AT,
            "providerMessageId": "wamid.2"});
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.read(json!({"message": message}))
    }
}

fn at() -> Timestamp {
    Timestamp::parse(AT).unwrap()
}

#[test]
fn a_status_becomes_the_time_at_which_it_was_reached() {
    let world = World::new();
    let nothing = MessageFacts::default();
    assert_eq!(world.status(json!({"status": "QUEUED"})), nothing);
    let delivered = MessageFacts { delivered: Some(at()), ..nothing.clone() };
    assert_eq!(world.status(json!({"status": "DELIVERED"})), delivered);
    assert_eq!(world.status(json!({"status": "READ"})), MessageFacts { read: Some(at()), ..nothing });
}

#[test]
fn a_failure_is_the_providers_unless_only_we_can_find_it() {
    let world = World::new();
    let provider = |code, reason, text: &str| MessageFacts {
        failed: Some(ProviderFailure { at: at(), code, reason, text: text.into() }),
        ..MessageFacts::default()
    };
    assert_eq!(world.status(json!({"status": "FAILED"})), provider(None, FailureReason::Other, ""));
    assert_eq!(
        world.status(json!({"status": "FAILED", "failureCode": 131_026, "failureMessage": "no"})),
        provider(Some(131_026), FailureReason::Undeliverable, "no")
    );
    assert_eq!(
        world.status(json!({"status": "FAILED", "failureReason": "OPTED_OUT"})),
        provider(None, FailureReason::OptedOut, "")
    );
    let expired = OwnFailure { at: at(), reason: FailureReason::Expired };
    assert_eq!(
        world.status(json!({"status": "FAILED", "failureReason": "EXPIRED"})),
        MessageFacts { own_failure: Some(expired), ..MessageFacts::default() }
    );
    assert_eq!(
        world.status(json!({"status": "FAILED", "failureReason": "OUTCOME_UNKNOWN"})),
        MessageFacts { unknown: Some(at()), ..MessageFacts::default() }
    );
}

#[test]
fn what_a_status_cannot_be_is_refused_with_its_place() {
    let world = World::new();
    let of = |status: serde_json::Value| world.refused(json!({"status": status}));
    let id = world.deployment.to_string();
    let unknown = DeploymentId(new_key()).to_string();
    assert_eq!(of(json!({"status": "READ", "at": AT})), ["facts.0.status"]);
    let both = json!({"status": "READ", "at": AT, "deploymentId": id, "providerMessageId": "x"});
    assert_eq!(of(both), ["facts.0.status"]);
    let missing = json!({"status": "READ", "at": AT, "deploymentId": unknown});
    assert_eq!(of(missing), ["facts.0.status.deploymentId"]);
    let future = json!({"status": "READ", "at": "2026-11-22T10:05:01Z", "deploymentId": id});
    assert_eq!(of(future), ["facts.0.status.at"]);
    let failure = json!({"status": "READ", "at": AT, "deploymentId": id, "failureCode": 1, "failureMessage": "x"});
    assert_eq!(of(failure), ["facts.0.status.failureCode", "facts.0.status.failureMessage"]);
}

#[test]
fn facts_of_a_deployment_name_it() {
    let world = World::new();
    let (id, of) = (world.deployment.to_string(), Target::Deployment(world.deployment));
    let finished = world.read(json!({"finished": {"deploymentId": id, "at": AT}}));
    assert_eq!(finished, (Some(Fact::Finished { of: of.clone(), at: at() }), vec![]));
    let variable = json!({"variable": {"deploymentId": id, "name": "city", "value": "Cali", "at": AT}});
    let city = Fact::Variable { of, name: "city".into(), value: "Cali".into(), at: at() };
    assert_eq!(world.read(variable), (Some(city), vec![]));
    let nameless = json!({"variable": {"deploymentId": id, "name": "", "value": "\u{0}", "at": AT}});
    assert_eq!(world.refused(nameless), ["facts.0.variable.name", "facts.0.variable.value"]);
    assert!(world.read(json!({"session": {"deploymentId": id, "sessionStatus": "AGENT", "at": AT}})).0.is_some());
}

#[test]
fn a_message_names_its_user_by_a_valid_number_or_a_whatsapp_id() {
    let world = World::new();
    let (fact, refused) = world.message(&json!({"phone": "300 123 4567", "text": "Hi", "payload": {"b": 1, "a": 2}}));
    assert_eq!(refused, Vec::<String>::new());
    let Some(Fact::Message(message)) = fact else { panic!("{fact:?}") };
    assert_eq!(message.person.key.phone.unwrap().as_str(), "+573001234567");
    assert_eq!(message.content.payload.as_deref(), Some(r#"{"a":2,"b":1}"#));
    let (fact, _) = world.message(&json!({"whatsappId": "573001234567"}));
    assert!(matches!(fact, Some(Fact::Message(message)) if message.person.key.wa_id.is_some()));
}

#[test]
fn what_a_message_cannot_be_is_refused_with_its_place() {
    let world = World::new();
    let refused = |more: serde_json::Value| world.message(&more).1;
    assert_eq!(refused(json!({})), ["facts.0.message"]);
    assert_eq!(refused(json!({"phone": "12"})), ["facts.0.message.phone"]);
    assert_eq!(refused(json!({"whatsappId": "x1"})), ["facts.0.message.whatsappId"]);
    assert_eq!(refused(json!({"phone": "+573001234567", "text": "\u{0}"})), ["facts.0.message.text"]);
    assert_eq!(refused(json!({"phone": "+573001234567", "inReplyTo": ""})), ["facts.0.message.inReplyTo"]);
    let elsewhere = LineId(new_key()).to_string();
    assert_eq!(refused(json!({"phone": "+573001234567", "lineId": elsewhere})), ["facts.0.message.lineId"]);
}

#[test]
fn an_id_that_is_none_is_an_error() {
    let fact = json!({"finished": {"deploymentId": "dep_1", "at": AT}});
    let fact = FactInput::parse(Some(Value::from_json(fact).unwrap())).unwrap();
    let told = fact.deployment_id(&Place::of("facts").item(3)).unwrap_err().to_string();
    assert!(told.starts_with("Argument \"facts.3.finished.deploymentId\" "), "{told}");
}
