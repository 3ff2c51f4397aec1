//! The graph of the steps: where they lead, and whether that is somewhere.

use std::collections::{BTreeMap, BTreeSet};

use super::Findings;
use crate::domain::flow::{Flow, Step};
use crate::domain::input::Fault;

/// The most steps in a row that wait for no answer.
const MAX_IN_A_ROW: usize = 20;

/// Checks the graph. Returns whether every target exists, without which nothing else can be said about it.
pub(super) fn check(flow: &Flow, findings: &mut Findings<'_>) -> bool {
    let known = check_targets(flow, findings);
    if known {
        check_reach(flow, findings);
        let before = findings.found.len();
        check_loops(flow, findings);
        if findings.found.len() == before {
            check_length(flow, findings);
        }
    }
    known
}

fn check_targets(flow: &Flow, findings: &mut Findings<'_>) -> bool {
    let before = findings.found.len();
    let known = |name: &str| flow.steps.contains_key(name);
    let fault = |name: &str| Fault(format!("is \"{name}\", but there is no step of that name"));
    if !known(&flow.start) {
        findings.below(&["start"]).add(fault(&flow.start));
    }
    if let Some(rating) = &flow.rating {
        let mut findings = findings.below(&["rating"]);
        match flow.steps.get(rating) {
            Some(step) => findings.require(step.is_final, "names a step that is not final"),
            None => findings.add(fault(rating)),
        }
    }
    for (name, step) in &flow.steps {
        for (path, target) in step.targets().into_iter().filter(|(_, target)| !known(target)) {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            findings.below(&["steps", name]).below(&path).add(fault(target));
        }
    }
    findings.found.len() == before
}

/// Finds steps to which nothing leads, and those that lead to no end.
fn check_reach(flow: &Flow, findings: &mut Findings<'_>) {
    let beginnings = [Some(flow.start.as_str()), flow.rating.as_deref()];
    let reached = reach(beginnings.into_iter().flatten(), |name| targets(flow, name));
    for name in flow.steps.keys().filter(|name| !reached.contains(name.as_str())) {
        findings.below(&["steps", name]).add(Fault::new("cannot be reached: no step leads to it"));
    }
    let finals = flow.steps.iter().any(|(name, step)| step.is_final && reached.contains(name.as_str()));
    findings.below(&["steps"]).require(finals, "has no final step that can be reached");
    let mut before: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, step) in &flow.steps {
        for (_, target) in step.targets() {
            before.entry(target).or_default().push(name);
        }
    }
    let ends = flow.steps.iter().filter(|(_, step)| is_end(step)).map(|(name, _)| name.as_str());
    let ending = reach(ends, |name| before.get(name).cloned().unwrap_or_default());
    for name in flow.steps.keys().filter(|name| !ending.contains(name.as_str())) {
        let fault = "leads to no end: neither to a final step, nor to an agent, nor to another conversation";
        findings.below(&["steps", name]).add(Fault::new(fault));
    }
}

const fn is_end(step: &Step) -> bool {
    step.is_final || step.handover || step.jump.is_some()
}

fn targets<'a>(flow: &'a Flow, name: &str) -> Vec<&'a str> {
    let targets = flow.steps.get(name).map(Step::targets).unwrap_or_default();
    targets.into_iter().map(|(_, target)| target).collect()
}

/// What can be reached from some names.
fn reach<'a>(from: impl Iterator<Item = &'a str>, next: impl Fn(&'a str) -> Vec<&'a str>) -> BTreeSet<&'a str> {
    let mut open: Vec<&str> = from.collect();
    let mut reached = BTreeSet::new();
    while let Some(name) = open.pop() {
        if reached.insert(name) {
            open.extend(next(name));
        }
    }
    reached
}

/// Finds loops in which nothing waits for the user, each at its least name.
fn check_loops(flow: &Flow, findings: &mut Findings<'_>) {
    for name in flow.steps.keys() {
        let round = round(flow, name);
        if round.is_some_and(|least| least == name) {
            let fault = "leads back to the step without an answer in between";
            findings.below(&["steps", name, "next"]).add(Fault::new(fault));
        }
    }
}

/// Finds steps from which more is said in a row than anybody reads.
fn check_length(flow: &Flow, findings: &mut Findings<'_>) {
    for name in flow.steps.keys() {
        let mut at = Some(name.as_str());
        let said = std::iter::from_fn(|| {
            let step = flow.steps.get(at?)?;
            at = step.next.as_deref().filter(|_| !step.waits());
            Some(())
        });
        if said.take(MAX_IN_A_ROW + 1).count() > MAX_IN_A_ROW {
            let fault = format!("begins more than {MAX_IN_A_ROW} steps without an answer in between");
            findings.below(&["steps", name]).add(Fault(fault));
        }
    }
}

/// The least name of the loop without an answer in which a step is, if it is in one.
fn round<'a>(flow: &'a Flow, name: &'a str) -> Option<&'a str> {
    let at_once = |name: &str| flow.steps.get(name).filter(|step| !step.waits())?.next.as_deref();
    let (mut at, mut least) = (name, name);
    for _ in 0..flow.steps.len() {
        at = at_once(at)?;
        least = least.min(at);
        if at == name {
            return Some(least);
        }
    }
    None
}
