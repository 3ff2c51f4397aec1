//! What is wrong with a flow that is to be published: every finding with the path to its place.

mod graph;
mod message;
mod step;
mod variables;

use serde_json::Value;
use serde_path_to_error::Segment;

use super::{Flow, Media, Step, opening};
use crate::domain::conversation::Direction;
use crate::domain::input::{Fault, MAX_TEXT_BYTES, MAX_VARIABLE_NAME_BYTES, check_json, check_name, check_text};

/// Something that is wrong with a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The way to it: names of fields and places in lists, counted from 0. Empty for the flow as a whole.
    pub path: Vec<String>,
    /// What is wrong, continuing a sentence that begins with the path.
    pub fault: Fault,
}

/// The most steps of a flow.
const MAX_STEPS: usize = 500;
/// The most variables that a flow may demand.
const MAX_VARIABLES: usize = 100;
/// The longest name of a step, in bytes.
const MAX_STEP_NAME_BYTES: usize = 80;
/// The longest time until a session expires, in minutes: thirty days.
const MAX_SESSION_MINUTES: u32 = 30 * 24 * 60;

/// Findings under construction, below a path.
struct Findings<'a> {
    path: Vec<String>,
    found: &'a mut Vec<Finding>,
}

/// Checks a flow that is to be published. Returns it, if it is one that runs.
pub fn check(flow: &Value, direction: Direction) -> Result<Option<Flow>, Vec<Finding>> {
    let mut found = Vec::new();
    let mut findings = Findings { path: Vec::new(), found: &mut found };
    if let Err(fault) = check_json(flow) {
        findings.add(fault);
        return Err(found);
    }
    let checked = if opening::runs(flow) {
        read(flow, &mut findings).inspect(|flow| check_running(flow, direction, &mut findings))
    } else {
        check_opening(flow, direction, &mut findings);
        None
    };
    if found.is_empty() { Ok(checked) } else { Err(found) }
}

/// Checks a message that a person writes, with the limits that those of steps have.
pub fn check_written(text: Option<&str>, media: Option<&Media>) -> Vec<Finding> {
    let step = Step { text: text.map(str::to_owned), media: media.cloned(), ..Step::default() };
    let mut found = Vec::new();
    let mut findings = Findings { path: Vec::new(), found: &mut found };
    findings.require(text.is_some() || media.is_some(), "has neither a text nor media");
    message::check(&step, &mut findings);
    findings.below(&["text"]).check(text.map_or(Ok(()), |text| check_text(text, MAX_TEXT_BYTES)));
    found
}

fn read(flow: &Value, findings: &mut Findings<'_>) -> Option<Flow> {
    let read = serde_path_to_error::deserialize(flow);
    read.map_err(|error| findings.unreadable(&error)).ok()
}

fn check_running(flow: &Flow, direction: Direction, findings: &mut Findings<'_>) {
    check_whole(flow, findings);
    if direction == Direction::Outbound && flow.steps.get(&flow.start).is_some_and(|step| step.template.is_none()) {
        findings.below(&["steps", &flow.start]).add(Fault::new(NEEDS_TEMPLATE));
    }
    for (name, one) in &flow.steps {
        let mut findings = findings.below(&["steps", name]);
        findings.check(check_step_name(name));
        step::check(one, &mut findings);
        message::check(one, &mut findings);
    }
    if graph::check(flow, findings) {
        variables::check(flow, direction, findings);
    }
}

fn check_whole(flow: &Flow, findings: &mut Findings<'_>) {
    if flow.steps.len() > MAX_STEPS {
        findings.below(&["steps"]).add(Fault(format!("has {} steps; the maximum is {MAX_STEPS}", flow.steps.len())));
    }
    if !(1..=MAX_SESSION_MINUTES).contains(&flow.session_minutes) {
        let fault = format!("is {}; it must be between 1 and {MAX_SESSION_MINUTES}", flow.session_minutes);
        findings.below(&["sessionMinutes"]).add(Fault(fault));
    }
    if flow.variables.len() > MAX_VARIABLES {
        let fault = format!("has {} names; the maximum is {MAX_VARIABLES}", flow.variables.len());
        findings.below(&["variables"]).add(Fault(fault));
    }
    for (at, name) in flow.variables.iter().enumerate() {
        findings.below(&["variables", &at.to_string()]).check(check_name(name, MAX_VARIABLE_NAME_BYTES));
    }
}

const NEEDS_TEMPLATE: &str = "is the first step of an OUTBOUND conversation, so it needs a template";

/// Checks a flow that is only an opening: a start, and the template of an outbound conversation.
fn check_opening(flow: &Value, direction: Direction, findings: &mut Findings<'_>) {
    let Some(start) = flow.get("start").and_then(Value::as_str) else {
        return findings.add(Fault::new("needs \"start\", the name of a step"));
    };
    let Some(steps) = flow.get("steps").and_then(Value::as_object) else {
        return findings.add(Fault::new("needs \"steps\", an object of steps by name"));
    };
    if let Some((name, _)) = steps.iter().find(|(_, step)| !step.is_object()) {
        return findings.below(&["steps", name]).add(Fault::new("is not an object"));
    }
    let Some(first) = steps.get(start) else {
        return findings.below(&["start"]).add(Fault(format!("is \"{start}\", but there is no step of that name")));
    };
    let mut findings = findings.below(&["steps", start]);
    match (direction, first.get("template")) {
        (_, Some(template)) => {
            let mut findings = findings.below(&["template"]);
            match opening::read_template(template) {
                Ok(template) => message::check_template(&template, &mut findings),
                Err(error) => findings.unreadable(&error),
            }
        }
        (Direction::Outbound, None) => findings.add(Fault::new(NEEDS_TEMPLATE)),
        (Direction::Inbound, None) => {}
    }
}

fn check_step_name(name: &str) -> Result<(), Fault> {
    check_name(name, MAX_STEP_NAME_BYTES)?;
    if name.contains(super::SEPARATOR) { Err(Fault::new("has a colon in its name")) } else { Ok(()) }
}

impl Findings<'_> {
    /// The findings below a place.
    fn below(&mut self, place: &[&str]) -> Findings<'_> {
        let path = self.path.iter().cloned().chain(place.iter().map(|&part| part.to_owned())).collect();
        Findings { path, found: self.found }
    }

    fn add(&mut self, fault: Fault) {
        self.found.push(Finding { path: self.path.clone(), fault });
    }

    fn check(&mut self, outcome: Result<(), Fault>) {
        if let Err(fault) = outcome {
            self.add(fault);
        }
    }

    /// Adds a finding unless something holds.
    fn require(&mut self, holds: bool, fault: &str) {
        if !holds {
            self.add(Fault::new(fault));
        }
    }

    fn unreadable(&mut self, error: &serde_path_to_error::Error<serde_json::Error>) {
        let part = |segment: &Segment| match segment {
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Map { key } => Some(key.clone()),
            Segment::Enum { variant } => Some(variant.clone()),
            Segment::Unknown => None,
        };
        let path: Vec<String> = error.path().iter().filter_map(part).collect();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        self.below(&path).add(Fault(format!("cannot be read: {}", error.inner())));
    }
}
