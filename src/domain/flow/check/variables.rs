//! Variables that a text uses although a user may reach it without them.

use std::collections::{BTreeMap, BTreeSet};

use super::Findings;
use crate::domain::conversation::Direction;
use crate::domain::flow::text::names;
use crate::domain::flow::{Flow, Step};
use crate::domain::input::Fault;

type Known<'a> = BTreeSet<&'a str>;

/// Checks the variables of all texts. Every target must exist.
pub(super) fn check(flow: &Flow, direction: Direction, findings: &mut Findings<'_>) {
    let known = known_at(flow, direction);
    for (name, step) in &flow.steps {
        // A step that cannot be reached is a finding of its own.
        let Some(known) = known.get(name.as_str()) else { continue };
        let mut findings = findings.below(&["steps", name]);
        for (path, text) in step.texts() {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            // What a final step captures is known when it says farewell.
            let captured = step.captures().filter(|_| path == ["farewell"]);
            for missing in names(text).filter(|name| !known.contains(name) && Some(*name) != captured) {
                let fault = format!(
                    "uses \"{missing}\", which a user may not have here: capture it on every way, or \
                     name it in \"variables\""
                );
                findings.below(&path).add(Fault(fault));
            }
        }
    }
}

/// The variables that every user has who enters a step: those that all ways to it have in common.
fn known_at(flow: &Flow, direction: Direction) -> BTreeMap<&str, Known<'_>> {
    let mut known: BTreeMap<&str, Known<'_>> = BTreeMap::new();
    let given = given(flow, direction);
    let beginnings = [Some(flow.start.as_str()), flow.rating.as_deref()];
    let mut open: Vec<(&str, Known<'_>)> = beginnings.into_iter().flatten().map(|name| (name, given.clone())).collect();
    while let Some((name, coming)) = open.pop() {
        let here = match known.get(name) {
            Some(before) => before.intersection(&coming).copied().collect(),
            None => coming,
        };
        if known.get(name) == Some(&here) {
            continue;
        }
        known.insert(name, here.clone());
        open.extend(flow.steps.get(name).into_iter().flat_map(|step| leads(step, &here)));
    }
    known
}

/// What is given to every user at the beginning: the variables that are demanded by name, and of an outbound conversation
/// those of its first template, without which nobody is sent to.
fn given(flow: &Flow, direction: Direction) -> Known<'_> {
    let start = flow.steps.get(&flow.start).filter(|_| direction == Direction::Outbound);
    let template = start.and_then(|step| step.template.as_ref());
    let parameters = template.into_iter().flat_map(|template| &template.parameters);
    flow.variables.iter().map(String::as_str).chain(parameters.flat_map(|parameter| names(parameter))).collect()
}

/// The steps to which a step leads, with what is known there.
fn leads<'a>(step: &'a Step, here: &Known<'a>) -> Vec<(&'a str, Known<'a>)> {
    let mut answered = here.clone();
    answered.extend(step.captures());
    let retry = step.answer.as_ref().and_then(|answer| answer.retry.as_ref()).map(|retry| retry.next.as_str());
    let routes = step.answer.iter().flat_map(|answer| &answer.routes).map(|route| route.next.as_str());
    let valid = step.next.as_deref().into_iter().chain(routes).map(|next| (next, answered.clone()));
    valid.chain(retry.map(|next| (next, here.clone()))).collect()
}
