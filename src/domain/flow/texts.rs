//! The texts of a flow, and the variables that they need.

use std::collections::BTreeSet;

use super::text::names;
use super::{Flow, Step};

impl Flow {
    /// The names of the variables that may matter when a user who stands in a step answers, or is asked for a rating: those
    /// that the answer is captured in, and those in all texts that may follow.
    pub fn needs(&self, step: &str) -> BTreeSet<&str> {
        let mut ahead: Vec<&str> = [Some(step), self.rating.as_deref()].into_iter().flatten().collect();
        let mut needed: BTreeSet<&str> = BTreeSet::new();
        let mut known: BTreeSet<&str> = BTreeSet::new();
        let answered = ahead.clone();
        while let Some(name) = ahead.pop() {
            let Some((name, step)) = self.steps.get_key_value(name).filter(|(name, _)| known.insert(name)) else {
                continue;
            };
            let answers = answered.contains(&name.as_str());
            needed.extend(step.captures().filter(|_| answers));
            needed.extend(step.texts().into_iter().flat_map(|(_, text)| names(text)));
            // What a template's buttons are called is compared with answers, too.
            needed.extend(step.choices().iter().flat_map(|choice| names(&choice.title)));
            if answers || !step.waits() {
                ahead.extend(step.targets().into_iter().map(|(_, target)| target));
            }
        }
        needed
    }
}

impl Step {
    /// The variable that its answer is captured in.
    pub(super) fn captures(&self) -> Option<&str> {
        Some(self.answer.as_ref()?.capture.as_ref()?.variable.as_str())
    }

    /// Its texts in which variables are filled in, each with its path.
    pub(super) fn texts(&self) -> Vec<(Vec<String>, &str)> {
        let mut texts = Vec::new();
        let parameters = self.template.iter().flat_map(|template| &template.parameters).enumerate();
        texts.extend(parameters.map(|(at, text)| (path(&["template", "parameters", &at.to_string()]), text.as_str())));
        texts.extend(self.text.as_deref().map(|text| (path(&["text"]), text)));
        texts.extend(self.offers());
        texts.extend(self.retries().map(|retry| (path(&["answer", "retry", "text"]), retry.text.as_str())));
        texts.extend(self.farewell.as_deref().map(|text| (path(&["farewell"]), text)));
        texts
    }

    /// The texts of what it offers to choose or to open.
    fn offers(&self) -> Vec<(Vec<String>, &str)> {
        let place: &[&str] = if self.list.is_some() { &["list", "rows"] } else { &["buttons"] };
        let choices = if self.template.is_some() { &[] } else { self.choices() };
        let mut texts = Vec::new();
        for (at, choice) in choices.iter().enumerate() {
            let at = at.to_string();
            let of = |part| path(&[place, &[at.as_str(), part]].concat());
            texts.push((of("title"), choice.title.as_str()));
            texts.extend(choice.description.as_deref().map(|text| (of("description"), text)));
        }
        texts.extend(self.list.iter().map(|list| (path(&["list", "button"]), list.button.as_str())));
        if let Some(media) = &self.media {
            texts.push((path(&["media", "link"]), media.link.as_str()));
            texts.extend(media.filename.as_deref().map(|text| (path(&["media", "filename"]), text)));
        }
        texts
    }
}

fn path(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|&part| part.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_step_needs_what_it_captures_and_what_may_be_said_next() {
        let flow = json!({ "start": "a", "rating": "stars", "steps": {
            "a": { "text": "{{own}}", "next": "b", "answer": { "capture": { "variable": "first" },
                "retry": { "text": "{{again}}", "attempts": 1, "next": "agent" } } },
            "b": { "text": "{{passing}}", "next": "c" },
            "c": { "text": "{{asked}}", "next": "d", "answer": { "capture": { "variable": "later" } } },
            "d": { "text": "{{far}}", "final": true },
            "agent": { "text": "{{colleague}}", "handover": true },
            "stars": { "text": "{{how}}", "final": true, "answer": { "capture": { "variable": "rating" } },
                "farewell": "{{bye}}" },
        } });
        let flow: Flow = serde_json::from_value(flow).unwrap();
        let needed = flow.needs("a").into_iter().collect::<Vec<_>>();
        assert_eq!(needed, ["again", "asked", "bye", "colleague", "first", "how", "own", "passing", "rating"]);
    }
}
