//! What fuzzers feed: whatever reads bytes that strangers write. Each target checks what must hold of anything it is given.
//!
//! `fuzz/` has a program for each, for `cargo fuzz`; the tests here give each what fuzzers once found worth keeping
//! (`fuzz/corpus/`), so that it is tried without them, too.

#![expect(clippy::missing_panics_doc, reason = "a target tells by a panic that something does not hold")]

use serde_json::Value;

use crate::domain::clock::Timestamp;
use crate::domain::conversation::Direction;
use crate::domain::fact::Fact;
use crate::domain::flow::check::check;
use crate::domain::flow::engine::{self, Reaction, Said};
use crate::domain::flow::{self, Flow};
use crate::domain::id::{AnyId, LineId, new_key};
use crate::domain::merge::Variables;
use crate::domain::page::{Cursors, Page, PageArguments};
use crate::domain::phone::Phone;
pub use crate::graphql::fuzzing::{document, filter};
use crate::whatsapp::webhook;

/// A program that a fuzzer runs, by its name.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 7] = [
    ("webhook", webhook),
    ("cursor", cursor),
    ("id", id),
    ("phone", phone),
    ("filter", filter),
    ("flow", flow),
    ("document", document),
];

/// A webhook is refused whole or read whole, and each fact survives being written and read, as parked facts are.
pub fn webhook(bytes: &[u8]) {
    let Ok(lines) = webhook::parse(bytes) else {
        assert!(serde_json::from_slice::<Value>(bytes).is_err(), "what is JSON is not refused");
        return;
    };
    for line in lines {
        for fact in line.facts(LineId(new_key()), Timestamp::END) {
            let written = serde_json::to_string(&fact).unwrap_or_default();
            assert_eq!(serde_json::from_str::<Fact>(&written).ok(), Some(fact), "{written}");
        }
    }
}

/// A cursor that is accepted is one that we wrote.
pub fn cursor(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for cursors in [Cursors::of_numbers("n"), Cursors::of_texts("t")] {
        let arguments = PageArguments { after: Some(text.to_owned()), ..PageArguments::default() };
        if let Ok(Page { after: Some(key), .. }) = Page::read(cursors, &arguments) {
            let again = PageArguments { after: Some(cursors.write(&key)), ..PageArguments::default() };
            assert_eq!(Page::read(cursors, &again).ok().and_then(|page| page.after), Some(key));
        }
    }
}

/// An object has a single id.
pub fn id(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(id) = AnyId::parse(text) {
        assert_eq!(text.to_lowercase(), text, "{id:?}");
    }
}

/// A number that is valid is one that is written in one way.
pub fn phone(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(phone) = Phone::read(text, None)
        && phone.is_valid()
    {
        assert_eq!(Phone::read(phone.as_str(), None).ok().as_ref(), Some(&phone));
    }
}

/// A flow that can be published can be sent and run; of any other it is told what is wrong.
pub fn flow(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice(bytes) else { return };
    for direction in [Direction::Outbound, Direction::Inbound] {
        let template = flow::first_template(&value);
        if let Some(start) = &template {
            drop(start.fill(&Variables::new()));
        }
        match check(&value, direction) {
            Ok(runs) => {
                assert!(direction == Direction::Inbound || template.is_some());
                runs.iter().for_each(run);
            }
            Err(found) => assert!(!found.is_empty()),
        }
    }
}

/// Answers a flow with everything that its steps offer, and with what they do not.
fn run(flow: &Flow) {
    let known = Variables::new();
    let Reaction { mut state, .. } = engine::begin(flow, &known, Timestamp::MIN);
    for round in 0..3 {
        for (name, step) in &flow.steps {
            let offered = step.choices().iter().map(|choice| choice.id().to_owned());
            for words in offered.chain([round.to_string(), "a@example.com".to_owned(), String::new()]) {
                let said = Said { pressed: Some(format!("{name}:{words}")).filter(|_| round == 1), text: Some(words) };
                state = engine::answer(flow, &state, &known, &said, Timestamp::END).state;
                assert!(flow.steps.contains_key(&state.step), "nobody stands outside the flow");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::TARGETS;

    #[test]
    fn what_fuzzers_kept_is_tried() {
        for (name, target) in TARGETS {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
            let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
            assert!(files.len() >= 5, "{} has too little", folder.display());
            for file in files {
                target(&fs::read(&file).unwrap());
            }
        }
    }

    #[test]
    fn each_target_has_a_program() {
        let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
        let mut found: Vec<_> = fs::read_dir(programs).unwrap().map(|file| file.unwrap().path()).collect();
        found.sort();
        let found: Vec<_> = found.iter().map(|file| file.file_stem().unwrap().to_str().unwrap()).collect();
        let mut names: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        assert_eq!(found, names);
    }
}
