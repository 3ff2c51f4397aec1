//! Answers: what the user said, read as the step asks for it, and where it leads.

use std::str::FromStr;

use chrono::{Datelike, NaiveDate};
use email_address::EmailAddress;
use serde_json::Value;

use super::text::fill;
use super::{Capture, CaptureType, Choice, Match, Range, SEPARATOR, Step};
use crate::domain::fact::Content;
use crate::domain::input::MAX_VARIABLE_VALUE_BYTES;
use crate::domain::merge::Variables;
use crate::domain::message::MessageKind;

/// What the user said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// The text, or the title of the pressed button.
    pub text: Option<String>,
    /// The id of the pressed button or row, as it was sent to the provider.
    pub pressed: Option<String>,
}

impl Said {
    /// From the content of a message.
    pub fn of(content: &Content) -> Self {
        let payload = content.payload.as_deref().and_then(|payload| serde_json::from_str::<Value>(payload).ok());
        let pressed = payload.filter(|_| matches!(content.kind, MessageKind::Button | MessageKind::List));
        // An interactive message answers with the id of the choice, a template with what its button carries.
        let id = pressed.and_then(|pressed| {
            let id = pressed.get("id").or_else(|| pressed.get("payload"))?;
            id.as_str().map(str::to_owned)
        });
        Self { text: content.text.clone(), pressed: id }
    }
}

/// What a step makes of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Understood<'a> {
    /// It is valid, and leads to this step, if to any.
    Valid { captured: Option<(&'a str, String)>, next: Option<&'a str> },
    /// It is not what was asked for, such as a button of another step that is still on the user's screen.
    Invalid,
}

/// The formats of a day that users may write.
const DAYS: [&str; 3] = ["%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y"];

/// The most characters of the title of any choice.
const MAX_TITLE: usize = 25;
/// The first year that has four digits: of fewer, nobody knows the century.
const FIRST_YEAR: i32 = 1_000;

/// Reads an answer to a step.
pub(super) fn understand<'a>(name: &str, step: &'a Step, said: &Said, variables: &Variables) -> Understood<'a> {
    let chosen = chosen(name, step.choices(), said, variables);
    if chosen.is_none() && is_of_another_step(name, said) {
        return Understood::Invalid;
    }
    let Some(answer) = &step.answer else {
        return Understood::Valid { captured: None, next: step.next.as_deref() };
    };
    let captured = match &answer.capture {
        Some(capture) => match value(capture, chosen, said) {
            Some(value) => Some((capture.variable.as_str(), value)),
            None => return Understood::Invalid,
        },
        None => None,
    };
    let route = answer.routes.iter().find(|route| route.when.matches(chosen, said));
    let next = route.map(|route| route.next.as_str()).or(step.next.as_deref());
    if next.is_none() && !answer.routes.is_empty() {
        return Understood::Invalid;
    }
    Understood::Valid { captured, next }
}

/// The choice that was pressed or typed, by its id or title.
fn chosen<'a>(step: &str, choices: &'a [Choice], said: &Said, variables: &Variables) -> Option<&'a Choice> {
    if let Some(pressed) = &said.pressed {
        let pressed = choices.iter().find(|choice| choice.wire_id(step) == *pressed);
        if pressed.is_some() {
            return pressed;
        }
    }
    let text = said.text.as_deref().filter(|_| !is_of_another_step(step, said))?;
    choices
        .iter()
        .find(|choice| is_same(choice.id(), text) || is_same(&fill(&choice.title, variables, MAX_TITLE), text))
}

/// Whether a button of another step was pressed, which is still on the user's screen.
fn is_of_another_step(step: &str, said: &Said) -> bool {
    let pressed = said.pressed.as_deref().and_then(|pressed| pressed.split_once(SEPARATOR));
    pressed.is_some_and(|(of, _)| of != step)
}

/// The value to capture; `None` if the answer is not of its type.
fn value(capture: &Capture, chosen: Option<&Choice>, said: &Said) -> Option<String> {
    let text = said.text.as_deref().map(str::trim).filter(|text| !text.is_empty());
    let value = match capture.kind {
        CaptureType::Text => text?.to_owned(),
        CaptureType::Number => text.filter(|text| number(text).is_some()).map(decimal)?,
        CaptureType::Email => EmailAddress::from_str(text?).ok()?.to_string(),
        CaptureType::Date => day(text?)?.to_string(),
        CaptureType::Choice => match chosen {
            Some(choice) => choice.id().to_owned(),
            None => capture.choices.iter().find(|choice| text.is_some_and(|text| is_same(choice, text)))?.clone(),
        },
    };
    (value.len() <= MAX_VARIABLE_VALUE_BYTES).then_some(value)
}

/// A number as it was written, with a point. Its digits are kept, since it may be long or begin with zeros.
fn decimal(text: &str) -> String {
    text.trim_start_matches('+').replace(',', ".")
}

/// A finite number, with a decimal point or comma.
pub(super) fn number(text: &str) -> Option<f64> {
    let plain = text.chars().all(|letter| letter.is_ascii_digit() || matches!(letter, '+' | '-' | '.' | ','));
    let number: f64 = text.replace(',', ".").parse().ok().filter(|_| plain)?;
    number.is_finite().then_some(number)
}

/// A day of a year with four digits.
fn day(text: &str) -> Option<NaiveDate> {
    let read = DAYS.iter().find_map(|format| NaiveDate::parse_from_str(text, format).ok());
    read.filter(|day| day.year() >= FIRST_YEAR)
}

fn is_same(one: &str, other: &str) -> bool {
    folded(one) == folded(other)
}

/// A text without regard to case and to spaces around it.
fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

impl Match {
    fn matches(&self, chosen: Option<&Choice>, said: &Said) -> bool {
        let text = said.text.as_deref().unwrap_or_default();
        match self {
            Self::Button(id) => chosen.is_some_and(|choice| choice.id() == id),
            Self::Equals(wanted) => said.text.is_some() && is_same(wanted, text),
            Self::Contains(part) => folded(text).contains(&folded(part)),
            Self::Range(range) => number(text.trim()).is_some_and(|number| range.contains(number)),
        }
    }
}

impl Range {
    fn contains(&self, number: f64) -> bool {
        self.min.is_none_or(|min| min <= number) && self.max.is_none_or(|max| number <= max)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::merge::VariableValue;

    fn step(step: &Value) -> Step {
        serde_json::from_value(step.clone()).unwrap()
    }

    fn typed(text: &str) -> Said {
        Said { text: Some(text.to_owned()), pressed: None }
    }

    fn pressed(id: &str, title: &str) -> Said {
        Said { text: Some(title.to_owned()), pressed: Some(id.to_owned()) }
    }

    fn captured(kind: &str, text: &str) -> Option<String> {
        let step = step(&json!({ "text": "?", "next": "on", "answer": {
            "capture": { "variable": "x", "type": kind, "choices": ["Red", "Blue"] } } }));
        match understand("ask", &step, &typed(text), &Variables::new()) {
            Understood::Valid { captured, next } => {
                assert_eq!(next, Some("on"));
                captured.map(|(_, value)| value)
            }
            Understood::Invalid => None,
        }
    }

    #[test]
    fn values_are_read_by_their_type() {
        for (kind, text, value) in [
            ("TEXT", " hello ", Some("hello")),
            ("TEXT", "  ", None),
            ("NUMBER", "3,50", Some("3.50")),
            ("NUMBER", "+12345678901234567890", Some("12345678901234567890")),
            ("NUMBER", "-7", Some("-7")),
            ("NUMBER", "seven", None),
            ("NUMBER", "inf", None),
            ("NUMBER", "1e3", None),
            ("EMAIL", "ana@example.com", Some("ana@example.com")),
            ("EMAIL", "ana at example", None),
            ("DATE", "27/11/2026", Some("2026-11-27")),
            ("DATE", "2026-02-29", None),
            ("DATE", "27/11/26", None),
            ("CHOICE", "red ", Some("Red")),
            ("CHOICE", "green", None),
        ] {
            assert_eq!(captured(kind, text).as_deref(), value, "{kind} {text}");
        }
    }

    #[test]
    fn the_first_route_that_matches_decides_and_else_the_next_step() {
        let step = step(&json!({ "text": "?", "next": "other", "buttons": [{ "title": "Yes", "id": "y" }], "answer": {
            "routes": [
                { "when": { "button": "y" }, "next": "yes" },
                { "when": { "equals": "no thanks" }, "next": "no" },
                { "when": { "contains": "help" }, "next": "help" },
                { "when": { "range": { "min": 1, "max": 5 } }, "next": "few" },
            ] } }));
        for (said, next) in [
            (pressed("ask:y", "Yes"), "yes"),
            (typed("YES"), "yes"),
            (typed("y"), "yes"),
            (typed("No thanks "), "no"),
            (typed("please HELP me"), "help"),
            (typed("5"), "few"),
            (typed("5.1"), "other"),
            (Said::default(), "other"),
        ] {
            assert_eq!(
                understand("ask", &step, &said, &Variables::new()),
                Understood::Valid { captured: None, next: Some(next) },
                "{said:?}"
            );
        }
    }

    #[test]
    fn a_title_is_typed_as_the_user_reads_it() {
        let step = step(&json!({ "text": "?", "next": "on", "buttons": [{ "title": "I am {{name}}", "id": "me" }],
            "answer": { "capture": { "variable": "x", "type": "CHOICE" } } }));
        let value = VariableValue { at: Timestamp::MIN, value: "Ana".to_owned() };
        let known = Variables::from([("name".to_owned(), value)]);
        let captured = Some(("x", "me".to_owned()));
        let valid = Understood::Valid { captured, next: Some("on") };
        assert_eq!(understand("ask", &step, &typed("i am ana"), &known), valid);
        assert_eq!(understand("ask", &step, &typed("I am Eva"), &known), Understood::Invalid);
    }

    #[test]
    fn a_button_of_another_step_is_no_answer() {
        let step = step(&json!({ "text": "?", "next": "on", "buttons": [{ "title": "Yes" }], "answer": {} }));
        assert_eq!(understand("ask", &step, &pressed("before:Yes", "Yes"), &Variables::new()), Understood::Invalid);
        let valid = Understood::Valid { captured: None, next: Some("on") };
        assert_eq!(understand("ask", &step, &pressed("ask:Yes", "Yes"), &Variables::new()), valid);
        assert_eq!(understand("ask", &step, &pressed("a form of our own", "Yes"), &Variables::new()), valid);
    }

    #[test]
    fn an_answer_that_leads_nowhere_is_invalid() {
        let step = step(&json!({ "text": "?", "answer": { "routes": [{ "when": { "equals": "a" }, "next": "on" }] } }));
        assert_eq!(understand("ask", &step, &typed("b"), &Variables::new()), Understood::Invalid);
    }
}
