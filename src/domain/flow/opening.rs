//! How a conversation opens: its first template, and whether a flow has more than that.

use std::time::Duration;

use serde_json::Value;

use super::text::{fill, names};
use super::{Category, Template};
use crate::domain::merge::Variables;
use crate::domain::outgoing::FilledTemplate;

/// The template with which an outbound conversation begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The step that it is of.
    pub step: String,
    /// The template.
    pub template: Template,
    /// The variables that a user must have, besides those of the template.
    pub required: Vec<String>,
}

/// The name of a variable that a template requires and the user does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingVariable(pub String);

/// What a step has that says how it goes on.
const WAYS_ONWARD: [&str; 5] = ["answer", "final", "handover", "jump", "next"];

/// Whether there is more to a flow than its opening.
pub(super) fn runs(flow: &Value) -> bool {
    let Some(steps) = flow.get("steps").and_then(Value::as_object) else { return false };
    let goes_on = |step: &Value| WAYS_ONWARD.iter().any(|way| step.get(way).is_some_and(|way| !way.is_null()));
    steps.len() > 1 || steps.values().any(goes_on)
}

/// The template with which a published flow begins, if it begins with one.
pub fn first_template(flow: &Value) -> Option<Start> {
    let step = flow.get("start")?.as_str()?;
    let template = read_template(flow.get("steps")?.get(step)?.get("template")?).ok()?;
    let given = if runs(flow) { flow.get("variables").and_then(Value::as_array) } else { None };
    let required = given.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    Some(Start { step: step.to_owned(), template, required: required.collect() })
}

/// Reads a template on its own, in which unknown keys do no harm.
pub(super) fn read_template(template: &Value) -> Result<Template, serde_path_to_error::Error<serde_json::Error>> {
    let mut known = template.clone();
    if let Some(fields) = known.as_object_mut() {
        fields.retain(|name, value| {
            !value.is_null() && matches!(name.as_str(), "name" | "language" | "parameters" | "category" | "buttons")
        });
    }
    serde_path_to_error::deserialize(known)
}

impl Category {
    /// How long the provider tries to deliver a message, unless the template or the send says otherwise.
    pub const fn time_to_live(self) -> Duration {
        match self {
            Self::Marketing | Self::Utility => Duration::from_hours(30 * 24),
            Self::Authentication => Duration::from_mins(10),
        }
    }
}

impl Start {
    /// The template with its parameters filled in, for a user who has every variable that is required.
    pub fn fill(&self, variables: &Variables) -> Result<FilledTemplate, MissingVariable> {
        let parameters = self.template.parameters.iter().flat_map(|parameter| names(parameter));
        let mut required = self.required.iter().map(String::as_str).chain(parameters);
        match required.find(|name| !variables.contains_key(*name)) {
            Some(name) => Err(MissingVariable(name.to_owned())),
            None => Ok(self.template.filled(&self.step, variables, usize::MAX)),
        }
    }

    /// The template with nothing filled in, for a user who cannot be sent to.
    pub fn unfilled(&self) -> FilledTemplate {
        FilledTemplate { parameters: Vec::new(), ..self.template.filled(&self.step, &Variables::new(), usize::MAX) }
    }
}

impl Template {
    /// The template of a step with each `{{name}}` replaced by the variable's value, each parameter cut to so many characters.
    pub(super) fn filled(&self, step: &str, variables: &Variables, characters: usize) -> FilledTemplate {
        FilledTemplate {
            name: self.name.clone(),
            language: self.language.clone(),
            parameters: self.parameters.iter().map(|parameter| fill(parameter, variables, characters)).collect(),
            replies: self.buttons.iter().map(|button| button.wire_id(step)).collect(),
        }
    }
}
