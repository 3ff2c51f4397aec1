//! The message of a step: what goes together, and the limits that WhatsApp sets.

use std::collections::BTreeSet;

use super::Findings;
use crate::domain::flow::engine::{MAX_BODY, MAX_BUTTON, MAX_DESCRIPTION, MAX_FILENAME, MAX_LINK, MAX_ROW, MAX_TEXT};
use crate::domain::flow::{Choice, List, Media, Step, Template};
use crate::domain::input::{Fault, check_name};
use crate::domain::outgoing::MediaKind;

/// What WhatsApp allows a group of choices.
struct Limits {
    most: usize,
    title: usize,
    /// The longest description, in characters; 0 where there can be none.
    description: usize,
}

const BUTTONS: Limits = Limits { most: 3, title: MAX_BUTTON, description: 0 };
const ROWS: Limits = Limits { most: 10, title: MAX_ROW, description: MAX_DESCRIPTION };
const QUICK_REPLIES: Limits = Limits { most: 10, title: 25, description: 0 };

/// The longest id of a choice, in bytes.
const MAX_CHOICE_ID_BYTES: usize = 100;
/// The longest name or language of a template, in bytes.
const MAX_TEMPLATE_NAME_BYTES: usize = 512;
/// The most parameters of a template.
const MAX_PARAMETERS: usize = 100;

/// Checks the message of a step.
pub(super) fn check(step: &Step, findings: &mut Findings<'_>) {
    let parts = [!step.buttons.is_empty(), step.list.is_some(), step.media.is_some()];
    let parts = parts.iter().filter(|part| **part).count();
    findings.require(parts < 2, "has more than one of \"buttons\", \"list\" and \"media\"");
    if let Some(template) = &step.template {
        findings.require(parts == 0 && step.text.is_none(), "has a template, so it can have no other message");
        check_template(template, &mut findings.below(&["template"]));
    }
    let offers = !step.buttons.is_empty() || step.list.is_some();
    findings.require(step.text.is_some() || !offers, "has buttons or a list, so it needs a text");
    if let Some(text) = &step.text {
        check_words(text, parts > 0, &mut findings.below(&["text"]));
    }
    if let Some(farewell) = &step.farewell {
        check_words(farewell, false, &mut findings.below(&["farewell"]));
    }
    check_choices(&step.buttons, &BUTTONS, &mut findings.below(&["buttons"]));
    if let Some(list) = &step.list {
        check_list(list, &mut findings.below(&["list"]));
    }
    if let Some(media) = &step.media {
        check_media(step, media, &mut findings.below(&["media"]));
    }
}

/// Checks a template.
pub(super) fn check_template(template: &Template, findings: &mut Findings<'_>) {
    findings.below(&["name"]).check(check_name(&template.name, MAX_TEMPLATE_NAME_BYTES));
    findings.below(&["language"]).check(check_name(&template.language, MAX_TEMPLATE_NAME_BYTES));
    if template.parameters.len() > MAX_PARAMETERS {
        let fault = format!("has {} texts; the maximum is {MAX_PARAMETERS}", template.parameters.len());
        findings.below(&["parameters"]).add(Fault(fault));
    }
    check_choices(&template.buttons, &QUICK_REPLIES, &mut findings.below(&["buttons"]));
}

/// Checks a text, which is shorter where it is said with something else.
pub(super) fn check_words(text: &str, accompanied: bool, findings: &mut Findings<'_>) {
    check_characters(text, if accompanied { MAX_BODY } else { MAX_TEXT }, findings);
}

fn check_characters(text: &str, most: usize, findings: &mut Findings<'_>) {
    let count = text.chars().count();
    findings.require(!text.trim().is_empty(), "must not be empty");
    if count > most {
        findings.add(Fault(format!("has {count} characters; the maximum is {most}")));
    }
}

fn check_choices(choices: &[Choice], limits: &Limits, findings: &mut Findings<'_>) {
    if choices.len() > limits.most {
        findings.add(Fault(format!("has {} items; the maximum is {}", choices.len(), limits.most)));
    }
    let (mut titles, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for (at, choice) in choices.iter().enumerate() {
        let mut findings = findings.below(&[&at.to_string()]);
        check_characters(&choice.title, limits.title, &mut findings.below(&["title"]));
        findings.below(&["title"]).require(titles.insert(choice.title.to_lowercase()), "occurs twice");
        let mut of_id = findings.below(&["id"]);
        of_id.check(check_name(choice.id(), MAX_CHOICE_ID_BYTES));
        of_id.require(ids.insert(choice.id()), "occurs twice");
        if let Some(description) = &choice.description {
            check_description(description, limits, &mut findings.below(&["description"]));
        }
    }
}

fn check_description(description: &str, limits: &Limits, findings: &mut Findings<'_>) {
    if limits.description == 0 {
        findings.add(Fault::new("is for the rows of lists only"));
    } else {
        check_characters(description, limits.description, findings);
    }
}

fn check_list(list: &List, findings: &mut Findings<'_>) {
    check_characters(&list.button, MAX_BUTTON, &mut findings.below(&["button"]));
    let mut rows = findings.below(&["rows"]);
    rows.require(!list.rows.is_empty(), "must not be empty");
    check_choices(&list.rows, &ROWS, &mut rows);
}

fn check_media(step: &Step, media: &Media, findings: &mut Findings<'_>) {
    let mut link = findings.below(&["link"]);
    link.check(check_name(&media.link, MAX_LINK));
    let web = ["https://", "http://"].iter().any(|scheme| media.link.starts_with(scheme) && media.link != *scheme);
    link.require(
        web && !media.link.contains(char::is_whitespace),
        "is not an address that begins with https:// or http://",
    );
    if let Some(filename) = &media.filename {
        let mut findings = findings.below(&["filename"]);
        findings.check(check_name(filename, MAX_FILENAME));
        findings.require(media.kind == MediaKind::Document, "is for the kind DOCUMENT only");
    }
    let captioned = step.text.is_some() && media.kind == MediaKind::Audio;
    findings.require(!captioned, "is an AUDIO, which can have no text beside it");
}
