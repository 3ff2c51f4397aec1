//! How a step goes on: whether it says so, and only once.

use super::Findings;
use crate::domain::flow::{Answer, Capture, CaptureType, Match, Retry, Step};
use crate::domain::id::{AnyId, ConversationId};
use crate::domain::input::{Fault, MAX_VARIABLE_NAME_BYTES, check_name};

/// The most routes of a step.
const MAX_ROUTES: usize = 50;
/// The longest text that a route compares with, in bytes.
const MAX_MATCH_BYTES: usize = 200;
/// The most choices of a capture without buttons.
const MAX_CHOICES: usize = 50;
/// The longest choice, in bytes.
const MAX_CHOICE_BYTES: usize = 100;
/// The most repetitions of a question.
const MAX_ATTEMPTS: u8 = 10;

/// Checks how a step goes on.
pub(super) fn check(step: &Step, findings: &mut Findings<'_>) {
    if step.is_final {
        check_final(step, findings);
    } else if step.answer.is_some() {
        let single = step.jump.is_none() && !step.handover;
        findings.require(single, "waits for an answer, so it can neither jump nor hand over; lead to a step that does");
    } else {
        let ways = [step.next.is_some(), step.jump.is_some(), step.handover];
        let ways = ways.iter().filter(|way| **way).count();
        findings.require(ways > 0, "leads nowhere: it needs \"answer\", \"final\", \"next\", \"jump\" or \"handover\"");
        findings.require(ways < 2, "has more than one of \"next\", \"jump\" and \"handover\"");
    }
    findings.below(&["farewell"]).require(step.is_final || step.farewell.is_none(), "is for final steps only");
    if let Some(jump) = &step.jump {
        let is_id = matches!(AnyId::parse(jump), Ok(AnyId::Conversation(_)));
        let fault = format!("is not a conversation's id, which looks like \"{}_…\"", ConversationId::PREFIX);
        findings.below(&["jump"]).require(is_id, &fault);
    }
    if let Some(answer) = &step.answer {
        check_answer(step, answer, &mut findings.below(&["answer"]));
    }
}

fn check_final(step: &Step, findings: &mut Findings<'_>) {
    let leads_on = step.next.is_some() || step.jump.is_some() || step.handover;
    findings.require(!leads_on, "is final, so it can have none of \"next\", \"jump\" and \"handover\"");
    let says = step.template.is_some() || step.text.is_some() || step.media.is_some();
    findings.require(says, "is final, so it needs a message for the user to answer");
    let routes = step.answer.as_ref().is_some_and(|answer| !answer.routes.is_empty());
    findings
        .below(&["answer", "routes"])
        .require(!routes, "are not for final steps, whose answer ends the conversation");
}

fn check_answer(step: &Step, answer: &Answer, findings: &mut Findings<'_>) {
    let leads_on = step.is_final || step.next.is_some();
    findings.require(leads_on || !answer.routes.is_empty(), "leads nowhere: the step needs \"next\" or routes");
    let needs_retry = answer.capture.is_some() || !leads_on;
    let has_retry = answer.retry.is_some();
    findings.require(has_retry || !needs_retry, "needs \"retry\": an answer may be of another type, or match no route");
    check_routes(step, answer, findings);
    if let Some(capture) = &answer.capture {
        check_capture(step, capture, &mut findings.below(&["capture"]));
    }
    if let Some(retry) = &answer.retry {
        check_retry(step, retry, &mut findings.below(&["retry"]));
    }
}

fn check_routes(step: &Step, answer: &Answer, findings: &mut Findings<'_>) {
    if answer.routes.len() > MAX_ROUTES {
        let fault = format!("has {} routes; the maximum is {MAX_ROUTES}", answer.routes.len());
        findings.below(&["routes"]).add(Fault(fault));
    }
    for (at, route) in answer.routes.iter().enumerate() {
        let mut findings = findings.below(&["routes", &at.to_string(), "when"]);
        match &route.when {
            Match::Button(id) => {
                let offered = step.choices().iter().any(|choice| choice.id() == id);
                findings.below(&["button"]).require(offered, "is the id of no button and no row of the step");
            }
            Match::Equals(text) => findings.below(&["equals"]).check(check_name(text, MAX_MATCH_BYTES)),
            Match::Contains(text) => findings.below(&["contains"]).check(check_name(text, MAX_MATCH_BYTES)),
            Match::Range(range) => {
                let bounded = range.min.is_some() || range.max.is_some();
                let empty = range.min.zip(range.max).is_some_and(|(min, max)| min > max);
                findings
                    .below(&["range"])
                    .require(bounded && !empty, "needs a bound, and no number is in it otherwise");
            }
        }
    }
}

fn check_capture(step: &Step, capture: &Capture, findings: &mut Findings<'_>) {
    findings.below(&["variable"]).check(check_name(&capture.variable, MAX_VARIABLE_NAME_BYTES));
    let choices = &capture.choices;
    if capture.kind == CaptureType::Choice {
        let offered = !step.choices().is_empty() || !choices.is_empty();
        findings.require(offered, "is a CHOICE, so the step needs buttons, a list or \"choices\"");
    } else {
        findings.below(&["choices"]).require(choices.is_empty(), "are for the type CHOICE only");
    }
    if choices.len() > MAX_CHOICES {
        findings.below(&["choices"]).add(Fault(format!("has {} texts; the maximum is {MAX_CHOICES}", choices.len())));
    }
    for (at, choice) in choices.iter().enumerate() {
        findings.below(&["choices", &at.to_string()]).check(check_name(choice, MAX_CHOICE_BYTES));
    }
}

fn check_retry(step: &Step, retry: &Retry, findings: &mut Findings<'_>) {
    let offers = step.template.is_none() && !step.choices().is_empty();
    super::message::check_words(&retry.text, offers, &mut findings.below(&["text"]));
    let within = (1..=MAX_ATTEMPTS).contains(&retry.attempts);
    let fault = format!("is {}; it must be between 1 and {MAX_ATTEMPTS}", retry.attempts);
    findings.below(&["attempts"]).require(within, &fault);
}
