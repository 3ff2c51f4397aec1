//! Generated flows that can be published, and generated answers.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use crate::domain::flow::engine::Said;

/// What a generated step does.
#[derive(Debug, Clone)]
enum Kind {
    Says,
    Asks { capture: Option<&'static str>, buttons: bool, routes: Vec<(usize, usize)>, retry: usize, next: bool },
    HandsOver,
    Jumps,
    Ends { farewell: bool },
}

/// An outbound flow of up to ten steps that can be published.
pub(super) fn flow() -> impl Strategy<Value = Value> {
    (vec((kind(), 1_usize..4, any::<u8>()), 1..9), any::<bool>()).prop_map(|(kinds, rating)| build(&kinds, rating))
}

/// Up to thirty answers.
pub(super) fn answers() -> impl Strategy<Value = Vec<Said>> {
    vec(said(), 0..30)
}

fn kind() -> impl Strategy<Value = Kind> {
    let capture = option::of(select(vec!["TEXT", "NUMBER", "EMAIL", "CHOICE"]));
    let asks = (capture, any::<bool>(), vec((0_usize..5, 0_usize..9), 0..4), 0_usize..9, any::<bool>()).prop_map(
        |(capture, buttons, routes, retry, next)| Kind::Asks {
            buttons: buttons || capture == Some("CHOICE"),
            capture,
            routes,
            retry,
            next,
        },
    );
    prop_oneof![
        3 => Just(Kind::Says),
        8 => asks,
        1 => Just(Kind::HandsOver),
        1 => Just(Kind::Jumps),
        2 => any::<bool>().prop_map(|farewell| Kind::Ends { farewell }),
    ]
}

fn said() -> impl Strategy<Value = Said> {
    let words = vec!["yes", "Yes ", "no", "help me", "7", "3,5", "ana@example.com", "", "blue", "y", "stop it"];
    let buttons = (0_usize..10, select(vec!["y", "No"])).prop_map(|(step, id)| format!("{}:{id}", name(step)));
    (option::weighted(0.95, select(words)), option::weighted(0.3, buttons))
        .prop_map(|(text, pressed)| Said { text: text.map(str::to_owned), pressed })
}

fn name(at: usize) -> String {
    format!("step{at}")
}

/// The flow of these steps behind a template, with a final step at its end. Steps lead onward, so that no loop is without an
/// answer; routes and retries lead anywhere.
fn build(kinds: &[(Kind, usize, u8)], rating: bool) -> Value {
    let last = kinds.len() + 1;
    let mut steps = Map::new();
    steps.insert(name(0), first(&name(last)));
    for (at, (kind, onward, salt)) in (1..).zip(kinds) {
        steps.insert(name(at), step(kind, (at + onward).min(last), last, *salt));
    }
    steps.insert(name(last), json!({ "text": "How was it, {{first_name}}?", "final": true }));
    let mut flow = json!({ "start": name(0), "steps": steps });
    if rating {
        flow["rating"] = name(last).into();
    }
    prune(&mut flow);
    flow
}

/// The first step, from which the last can be reached in any case.
fn first(last: &str) -> Value {
    json!({ "template": { "name": "hello", "language": "es", "parameters": ["{{first_name}}"],
        "buttons": [{ "title": "Yes", "id": "y" }, { "title": "No" }] }, "answer": { "routes": [{ "when": { "equals": "stop it" }, "next": last }] }, "next": name(1) })
}

fn step(kind: &Kind, onward: usize, last: usize, salt: u8) -> Value {
    match kind {
        Kind::Says if salt.is_multiple_of(5) => {
            json!({ "media": { "kind": "IMAGE", "link": "https://example.com/a.png" }, "next": name(onward) })
        }
        Kind::Says => json!({ "text": format!("Hi {salt}, {{{{first_name}}}}"), "next": name(onward) }),
        Kind::HandsOver => json!({ "text": "One moment", "handover": true }),
        Kind::Jumps => json!({ "jump": format!("conv_{:032x}", salt) }),
        Kind::Ends { farewell: false } => json!({ "text": "Anything else?", "final": true }),
        Kind::Ends { farewell: true } => {
            json!({ "text": "Anything else?", "final": true, "farewell": "Bye {{first_name}}" })
        }
        Kind::Asks { capture, buttons, routes, retry, next } => {
            let routes: Vec<_> = routes.iter().filter(|(when, _)| *when > 0 || *buttons).collect();
            let mut step = json!({ "text": format!("What {salt}?"), "answer": {
                "routes": routes.iter().map(|(when, to)| json!({ "when": when_of(*when), "next": name(1 + to % last) })).collect::<Vec<_>>(),
                "retry": { "text": "Again, {{first_name}}?", "attempts": 1 + salt % 3, "next": name(1 + retry % last) },
            } });
            if let Some(kind) = capture {
                step["answer"]["capture"] = json!({ "variable": "first_name", "type": kind });
            }
            if *buttons {
                step["buttons"] = json!([{ "title": "Yes", "id": "y" }, { "title": "No" }]);
            }
            if *next || routes.is_empty() || routes.iter().all(|(_, to)| 1 + to % last < onward) {
                step["next"] = name(onward).into();
            }
            step
        }
    }
}

fn when_of(when: usize) -> Value {
    match when {
        0 => json!({ "button": "y" }),
        1 => json!({ "equals": "no" }),
        2 => json!({ "contains": "HELP" }),
        3 => json!({ "range": { "min": 5 } }),
        _ => json!({ "range": { "min": 1, "max": 4.5 } }),
    }
}

/// Takes away steps that cannot be reached.
fn prune(flow: &mut Value) {
    let mut open = vec![name(0)];
    open.extend(flow["rating"].as_str().map(str::to_owned));
    let mut reached = Vec::new();
    while let Some(name) = open.pop() {
        if reached.contains(&name) {
            continue;
        }
        let step = &flow["steps"][&name];
        let routes = step["answer"]["routes"].as_array().into_iter().flatten().map(|route| &route["next"]);
        let targets = routes.chain([&step["next"], &step["answer"]["retry"]["next"]]);
        open.extend(targets.filter_map(Value::as_str).map(str::to_owned));
        reached.push(name);
    }
    if let Some(steps) = flow["steps"].as_object_mut() {
        steps.retain(|name, _| reached.contains(name));
    }
}
