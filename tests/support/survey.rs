//! A conversation that runs, for tests that need one.

use serde_json::{Value, json};

/// A conversation with branches: buttons, texts, numbers, a list, a loop, an agent and two ends.
pub(crate) fn survey() -> Value {
    let retry = |text: &str| json!({ "text": text, "attempts": 2, "next": "agent" });
    json!({ "start": "hello", "rating": "rate", "variables": ["first_name"], "steps": {
        "hello": { "template": { "name": "survey", "language": "es", "parameters": ["{{first_name}}"],
            "buttons": [{ "title": "Yes", "id": "yes" }, { "title": "No", "id": "no" }] }, "answer": {
            "routes": [{ "when": { "button": "yes" }, "next": "name" }, { "when": { "button": "no" }, "next": "why" },
                { "when": { "contains": "agent" }, "next": "agent" }],
            "retry": retry("Please press a button, {{first_name}}.") } },
        "why": { "text": "A pity. Why not?", "answer": {}, "next": "end" },
        "name": { "text": "What is your name?", "answer": { "capture": { "variable": "name" },
            "retry": retry("Your name, please.") }, "next": "age" },
        "age": { "text": "How old are you, {{name}}?", "answer": { "capture": { "variable": "age", "type": "NUMBER" },
            "routes": [{ "when": { "range": { "max": 17 } }, "next": "end" }],
            "retry": retry("Your age as a number, please.") }, "next": "mail" },
        "mail": { "text": "Your email?", "answer": { "capture": { "variable": "mail", "type": "EMAIL" },
            "retry": retry("An email address, please.") }, "next": "intro" },
        "intro": { "text": "Thank you, {{name}} ({{age}}).", "next": "size" },
        "size": { "text": "Which size?", "list": { "button": "Sizes", "rows": [{ "title": "Small", "id": "s" },
            { "title": "Large", "id": "l", "description": "For two" }] }, "answer": {
            "capture": { "variable": "size", "type": "CHOICE" },
            "routes": [{ "when": { "button": "s" }, "next": "rate" }], "retry": retry("Choose from the list.") },
            "next": "rate" },
        "rate": { "text": "How was it?", "buttons": [{ "title": "Good" }, { "title": "Bad" }], "final": true,
            "answer": { "capture": { "variable": "rating", "type": "CHOICE" }, "retry": retry("Good or bad?") },
            "farewell": "Bye {{first_name}}, you said {{rating}}." },
        "end": { "text": "Anything else?", "final": true },
        "agent": { "text": "A colleague will write to you.", "handover": true },
    } })
}
