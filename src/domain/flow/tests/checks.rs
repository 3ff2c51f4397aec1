//! What is wrong with flows, and where.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::draw;
use crate::domain::arbitrary::config;
use crate::domain::conversation::Direction;
use crate::domain::flow::check::check;
use crate::domain::flow::first_template;

/// A flow that can be published: a template, a question and an end.
fn good() -> Value {
    json!({ "start": "hello", "rating": "rate", "variables": ["city"], "steps": {
        "hello": { "template": { "name": "welcome", "language": "es", "parameters": ["{{first_name}}"] },
            "answer": {}, "next": "ask" },
        "ask": { "text": "How many in {{city}}?", "next": "rate", "buttons": [{ "title": "One", "id": "1" }], "answer": {
            "capture": { "variable": "count", "type": "NUMBER" },
            "routes": [{ "when": { "range": { "min": 100 } }, "next": "agent" }],
            "retry": { "text": "A number, please.", "attempts": 2, "next": "agent" } } },
        "agent": { "text": "A colleague will help you.", "handover": true },
        "rate": { "text": "How was it?", "final": true, "farewell": "Thank you, {{first_name}}!" },
    } })
}

fn places(flow: &Value, direction: Direction) -> Vec<String> {
    let found = check(flow, direction).err().unwrap_or_default();
    found.iter().map(|finding| finding.path.join(".")).collect()
}

/// Where something is wrong once the value at a pointer is another; `Null` takes it away.
fn wrong(pointer: &str, value: Value) -> Vec<String> {
    let mut flow = good();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = flow.pointer_mut(parent).unwrap();
    match (parent, value) {
        (Value::Object(fields), Value::Null) => drop(fields.remove(name)),
        (Value::Object(fields), value) => drop(fields.insert(name.to_owned(), value)),
        (parent, value) => parent[name.parse::<usize>().unwrap()] = value,
    }
    places(&flow, Direction::Outbound)
}

#[test]
fn a_good_flow_has_no_fault() {
    assert_eq!(places(&good(), Direction::Outbound), [""; 0]);
}

#[test]
fn every_fault_names_its_place() {
    let long = |characters: usize| Value::from("x".repeat(characters));
    let cases = [
        ("/start", json!("nowhere"), "start"),
        ("/start", Value::Null, ""),
        ("/colour", json!("blue"), "colour"),
        ("/rating", json!("ask"), "rating"),
        ("/rating", json!("nowhere"), "rating"),
        ("/sessionMinutes", json!(0), "sessionMinutes"),
        ("/variables/0", json!(" "), "variables.0"),
        ("/steps/hello/template", Value::Null, "steps.hello"),
        ("/steps/hello/template/name", json!(""), "steps.hello.template.name"),
        ("/steps/hello/template/category", json!("SPAM"), "steps.hello.template.category"),
        ("/steps/hello/template/parameters/0", json!(1), "steps.hello.template.parameters.0"),
        ("/steps/hello/text", json!("two"), "steps.hello"),
        ("/steps/hello/next", json!("nowhere"), "steps.hello.next"),
        ("/steps/a:b", json!({ "text": "x", "next": "ask" }), "steps.a:b"),
        ("/steps/lost", json!({ "text": "x", "next": "ask" }), "steps.lost"),
        ("/steps/ask/text", long(1_025), "steps.ask.text"),
        ("/steps/ask/text", json!("{{who}}?"), "steps.ask.text"),
        ("/steps/ask/text", Value::Null, "steps.ask"),
        ("/steps/ask/buttons/0/title", long(21), "steps.ask.buttons.0.title"),
        ("/steps/ask/buttons/0/title", json!("{{who}}"), "steps.ask.buttons.0.title"),
        ("/steps/ask/buttons/0/description", json!("more"), "steps.ask.buttons.0.description"),
        ("/steps/ask/buttons", json!([{ "title": "a" }, { "title": "A" }]), "steps.ask.buttons.1.title"),
        ("/steps/ask/buttons", json!(["a"]), "steps.ask.buttons.0"),
        ("/steps/ask/list", json!({ "button": "Choose", "rows": [] }), "steps.ask"),
        ("/steps/ask/answer/capture/type", json!("COLOUR"), "steps.ask.answer.capture.type"),
        ("/steps/ask/answer/capture/variable", json!(""), "steps.ask.answer.capture.variable"),
        ("/steps/ask/answer/capture/choices", json!(["a"]), "steps.ask.answer.capture.choices"),
        ("/steps/ask/answer/retry", Value::Null, "steps.ask.answer"),
        ("/steps/ask/answer/retry/attempts", json!(0), "steps.ask.answer.retry.attempts"),
        ("/steps/ask/answer/retry/next", json!("nowhere"), "steps.ask.answer.retry.next"),
        ("/steps/ask/answer/retry/text", json!("{{count}}"), "steps.ask.answer.retry.text"),
        ("/steps/ask/answer/routes/0/next", json!("nowhere"), "steps.ask.answer.routes.0.next"),
        ("/steps/ask/answer/routes/0/when", json!({ "button": "2" }), "steps.ask.answer.routes.0.when.button"),
        ("/steps/ask/answer/routes/0/when", json!({ "equals": "" }), "steps.ask.answer.routes.0.when.equals"),
        (
            "/steps/ask/answer/routes/0/when",
            json!({ "range": { "min": 2, "max": 1 } }),
            "steps.ask.answer.routes.0.when.range",
        ),
        ("/steps/ask/answer/routes/0/when", json!({ "sounds": "like" }), "steps.ask.answer.routes.0.when"),
        ("/steps/ask/handover", json!(true), "steps.ask"),
        ("/steps/ask/farewell", json!("bye"), "steps.ask.farewell"),
        ("/steps/agent/handover", Value::Null, "steps.agent"),
        ("/steps/agent/next", json!("rate"), "steps.agent"),
        ("/steps/agent/jump", json!("elsewhere"), "steps.agent"),
        ("/steps/agent/media", json!({ "kind": "AUDIO", "link": "https://example.com/a.ogg" }), "steps.agent.media"),
        ("/steps/agent/media", json!({ "kind": "IMAGE", "link": "ftp://example.com" }), "steps.agent.media.link"),
        ("/steps/agent/media", json!({ "kind": "SOUND", "link": "https://example.com" }), "steps.agent.media.kind"),
        ("/steps/rate/text", Value::Null, "steps.rate"),
        ("/steps/rate/next", json!("ask"), "steps.rate"),
        ("/steps/rate/farewell", long(4_097), "steps.rate.farewell"),
        ("/steps/rate", json!(1), "steps.rate"),
    ];
    for (pointer, value, place) in cases {
        let found = wrong(pointer, value.clone());
        assert!(found.iter().any(|found| found == place), "{pointer} = {value}: {found:?}, not {place}");
    }
}

#[test]
fn a_loop_needs_an_answer_in_it_and_a_flow_an_end() {
    let text = |next: &str| json!({ "text": "x", "next": next });
    let asks = |next: &str| json!({ "text": "x", "next": next, "answer": {} });
    let end = json!({ "text": "x", "final": true });
    let inbound = |steps: Value| places(&json!({ "start": "a", "steps": steps }), Direction::Inbound);
    let talks = inbound(json!({ "a": asks("b"), "b": text("c"), "c": text("b"), "d": end }));
    assert_eq!(talks, ["steps.d", "steps", "steps.a", "steps.b", "steps.c", "steps.b.next"]);
    let asks_for_ever = inbound(json!({ "a": asks("b"), "b": asks("a") }));
    assert_eq!(asks_for_ever, ["steps", "steps.a", "steps.b"]);
    assert_eq!(inbound(json!({ "a": asks("a") })), ["steps", "steps.a"]);
    let leaves = json!({ "text": "x", "answer": { "retry": { "text": "y", "attempts": 1, "next": "d" },
        "routes": [{ "when": { "equals": "x" }, "next": "a" }] } });
    assert_eq!(inbound(json!({ "a": leaves, "d": end })), [""; 0]);
    let name = |at: usize| format!("s{at:02}");
    let chain = |length: usize| {
        let mut steps: serde_json::Map<String, Value> = (0..length).map(|at| (name(at), text(&name(at + 1)))).collect();
        steps.insert(name(length), end.clone());
        places(&json!({ "start": name(0), "steps": steps }), Direction::Inbound)
    };
    assert_eq!((chain(19), chain(20)), (Vec::new(), vec!["steps.s00".to_owned()]));
}

#[test]
fn a_variable_must_be_known_on_every_way() {
    let captures = json!({ "text": "Name?", "next": "end", "answer": { "capture": { "variable": "name" },
        "retry": { "text": "Name?", "attempts": 1, "next": "other" } } });
    let end = json!({ "text": "Bye {{name}}", "final": true });
    let flow = |other: &str| {
        json!({ "start": "a", "steps": { "a": captures, "end": end,
        "other": { "text": "x", "next": other, "answer": {} } } })
    };
    assert_eq!(places(&flow("a"), Direction::Inbound), [""; 0]);
    assert_eq!(places(&flow("end"), Direction::Inbound), ["steps.end.text"]);
}

#[test]
fn an_opening_keeps_unknown_keys() {
    let flow = json!({"start": "hello", "colour": "blue", "steps": { "hello": { "anything": [1],
        "template": {"name": "welcome", "language": "es", "parameters": ["{{first_name}}"], "by": "us" } } } });
    assert_eq!(check(&flow, Direction::Outbound), Ok(None));
    assert_eq!(first_template(&flow).unwrap().template.parameters, ["{{first_name}}"]);
    for (flow, place) in [
        (json!([]), ""),
        (json!({"start": "a"}), ""),
        (json!({"start": "a", "steps": {"b": {}}}), "start"),
        (json!({"start": "a", "steps": {"a": {}}}), "steps.a"),
        (json!({"start": "a", "steps": {"a": {"template": {"name": "x"}}}}), "steps.a.template"),
        (json!({"start": "a", "steps": {"a": 1}}), "steps.a"),
    ] {
        assert_eq!(places(&flow, Direction::Outbound), [place], "{flow}");
    }
}

/// Changes one value of a flow, the `at`th, into another.
fn change(flow: &mut Value, at: &mut usize, into: &Value) {
    if *at == 0 {
        *flow = into.clone();
    }
    let Some(left) = at.checked_sub(1) else { return };
    *at = left;
    match flow {
        Value::Object(fields) => fields.values_mut().for_each(|value| change(value, at, into)),
        Value::Array(values) => values.iter_mut().for_each(|value| change(value, at, into)),
        _ => {}
    }
}

/// A value that is put somewhere into a flow.
fn intruder() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(null),
        json!(-1),
        json!("{{x}}"),
        json!(""),
        json!("step1"),
        json!([]),
        json!({}),
        json!([{ "title": "Yes" }]),
        json!({ "text": "?", "final": true }),
        json!("x".repeat(5_000)),
    ])
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_is_wrong_is_told_at_a_place_that_is_there(
        mut flow in draw::flow(), changes in prop::collection::vec((0_usize..120, intruder()), 1..4)
    ) {
        for (mut at, into) in changes {
            change(&mut flow, &mut at, &into);
        }
        for finding in check(&flow, Direction::Outbound).err().unwrap_or_default() {
            // The last part may be what is missing, or a key that is too much.
            let mut parent = finding.path.iter().rev().skip(1).rev();
            let parent = parent.try_fold(&flow, |value, part| match value {
                Value::Array(values) => values.get(part.parse::<usize>().ok()?),
                value => value.get(part),
            });
            prop_assert!(parent.is_some(), "{:?} in {}", finding, flow);
        }
    }

    #[test]
    fn generated_flows_can_be_published(flow in draw::flow()) {
        prop_assert_eq!(places(&flow, Direction::Outbound), [""; 0]);
    }
}
