//! Flows: what a version says, asks and does with the answers.
//!
//! A flow is a graph of steps. Its types are those of the published JSON (`flow.schema.json` is made of them); `check` finds
//! what is wrong with a flow that is to be published, and `engine` runs one: a pure function of flow, state and event.
//!
//! A flow of a single step that names no way onward is an *opening*: its template is sent, and what follows is left to people
//! or to a bot of the company's own. Such a flow is not run, and may carry whatever its authors like.

mod answer;
pub mod check;
pub mod engine;
mod opening;
pub mod steps;
#[cfg(test)]
mod tests;
mod text;
mod texts;
mod walk;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

pub use opening::{MissingVariable, Start, first_template};

use super::conversation::Direction;
use super::id::{AnyId, ConversationId};
use super::outgoing::MediaKind;

/// A flow that runs.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Flow {
    /// The name of the step with which it begins.
    pub start: String,
    /// The steps by name, at most 500. A name has 1 to 80 bytes, without colons.
    pub steps: BTreeMap<String, Step>,
    /// The step that asks for a rating, which must be final. While a user stands in it, the session is in RATING; an agent
    /// may close a session by leading to it.
    #[serde(default)]
    pub rating: Option<String>,
    /// Names of variables that every user is given when the conversation is sent; a user without one of them is not sent to.
    /// An inbound conversation has them from a flow that jumps to it, and they are empty where a user begins it. At most 100.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub variables: Vec<String>,
    /// After how many minutes without a message a session expires, whoever has it: 1 to 43,200.
    #[serde(default = "a_day")]
    #[schemars(range(min = 1, max = 43_200))]
    pub session_minutes: u32,
}

/// A step: a message, and what comes after it.
///
/// A step with `answer` or `final` waits for the user. Any other goes on at once, by exactly one of `next`, `jump` and
/// `handover`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// An approved template. It is the only message that may be sent when the user has not written for a day.
    #[serde(default)]
    pub template: Option<Template>,
    /// A text: 1 to 4,096 characters, or 1,024 with buttons, a list or media. `{{name}}` stands for the value of a variable.
    #[serde(default)]
    #[schemars(length(min = 1, max = 4_096))]
    pub text: Option<String>,
    /// Up to three buttons below the text.
    #[serde(default)]
    #[schemars(length(max = 3))]
    pub buttons: Vec<Choice>,
    /// A list to choose from below the text.
    #[serde(default)]
    pub list: Option<List>,
    /// A picture, video, recording or file. The text, if there is one, is its caption.
    #[serde(default)]
    pub media: Option<Media>,
    /// What is done with the user's answer.
    #[serde(default)]
    pub answer: Option<Answer>,
    /// The step that follows: at once, or after a valid answer that no route matches.
    #[serde(default)]
    pub next: Option<String>,
    /// The id of another conversation of the same line, which begins while this one ends.
    #[serde(default)]
    pub jump: Option<String>,
    /// Whether an agent takes over.
    #[serde(default)]
    pub handover: bool,
    /// Whether a valid answer finishes the conversation.
    #[serde(default, rename = "final")]
    pub is_final: bool,
    /// Said to the user in parting, once a final step is answered: a text of 1 to 4,096 characters.
    #[serde(default)]
    #[schemars(length(min = 1, max = 4_096))]
    pub farewell: Option<String>,
}

/// A template whose parameters are still to be filled in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Template {
    /// The template's name at the provider.
    pub name: String,
    /// The template's language code, such as `es` or `pt_BR`.
    pub language: String,
    /// The parameters, in which `{{name}}` stands for the value of a variable.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub parameters: Vec<String>,
    /// The category in which the provider approved it.
    #[serde(default)]
    pub category: Category,
    /// The quick-reply buttons of the template, in order: at most ten.
    #[serde(default)]
    #[schemars(length(max = 10))]
    pub buttons: Vec<Choice>,
}

/// The category of a template. It decides how long the provider keeps trying to deliver.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Category {
    /// Offers and news; assumed if the flow names none.
    #[default]
    Marketing,
    /// About something that the user asked for.
    Utility,
    /// A one-time password.
    Authentication,
}

/// A button, or a row of a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Choice {
    /// What the user reads: 1 to 20 characters on a button, 24 in a list, 25 on a template. It is different from those of its
    /// neighbours.
    #[schemars(length(min = 1, max = 25))]
    pub title: String,
    /// By what routes refer to it, and what is captured: 1 to 100 bytes; the title if there is none.
    #[serde(default)]
    pub id: Option<String>,
    /// More about a row of a list: up to 72 characters.
    #[serde(default)]
    pub description: Option<String>,
}

/// A list to choose from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct List {
    /// The button that opens the list: 1 to 20 characters.
    #[schemars(length(min = 1, max = 20))]
    pub button: String,
    /// The rows: 1 to 10.
    #[schemars(length(min = 1, max = 10))]
    pub rows: Vec<Choice>,
}

/// A picture, video, recording or file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Media {
    /// What it is.
    pub kind: MediaKind,
    /// Where the provider fetches it: an `https` or `http` address of up to 2,048 bytes.
    pub link: String,
    /// The name of a DOCUMENT, as the user sees it: up to 240 bytes.
    #[serde(default)]
    pub filename: Option<String>,
}

/// What is done with an answer.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Answer {
    /// The variable that takes its value.
    #[serde(default)]
    pub capture: Option<Capture>,
    /// Where it leads: the first route that matches. At most 50.
    #[serde(default)]
    #[schemars(length(max = 50))]
    pub routes: Vec<Route>,
    /// What is done with an invalid answer: one that is not of the type to be captured, or that leads nowhere.
    #[serde(default)]
    pub retry: Option<Retry>,
}

/// A variable to be captured.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Capture {
    /// The variable's name: 1 to 100 bytes.
    pub variable: String,
    /// The type of a valid answer.
    #[serde(default, rename = "type")]
    pub kind: CaptureType,
    /// What a CHOICE without buttons and list may be answered with, in any case: at most 50 texts of 1 to 100 bytes.
    #[serde(default)]
    #[schemars(length(max = 50))]
    pub choices: Vec<String>,
}

/// The type of a captured value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CaptureType {
    /// Any text.
    #[default]
    Text,
    /// A number, with a decimal point or comma; captured as written, with a point.
    Number,
    /// An email address.
    Email,
    /// A day as `2026-11-27`, `27/11/2026` or `27.11.2026`, with four digits of the year; captured as the first of these.
    Date,
    /// One of the step's buttons, rows or choices: pressed, or typed. Its id is captured.
    Choice,
}

/// Where an answer leads.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Route {
    /// Which answers it is for.
    pub when: Match,
    /// The step to which they lead.
    pub next: String,
}

/// Which answers a route is for. Texts, of 1 to 200 bytes, are compared without regard to case and to spaces around them.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Match {
    /// The button or row of this id, pressed or typed.
    Button(String),
    /// Exactly this text.
    Equals(String),
    /// A text in which this occurs.
    Contains(String),
    /// A number within a range.
    Range(Range),
}

/// A range of numbers, with both of its bounds. Without one of them it is open.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Range {
    /// The least number.
    #[serde(default)]
    pub min: Option<f64>,
    /// The greatest number.
    #[serde(default)]
    pub max: Option<f64>,
}

/// What is done with an invalid answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retry {
    /// Said to the user, who may then answer again: 1 to 4,096 characters, or 1,024 where buttons or a list are offered again.
    #[schemars(length(min = 1, max = 4_096))]
    pub text: String,
    /// How often at most: 1 to 10 times.
    #[schemars(range(min = 1, max = 10))]
    pub attempts: u8,
    /// The step to which the invalid answer after that leads.
    pub next: String,
}

/// The separator between the name of a step and the id of one of its choices, in the id that is sent to the provider. An
/// old button can so be told from one of the step at which the user is.
const SEPARATOR: char = ':';

/// The sessions of flows that name no time end when the provider's window for free messages does.
const fn a_day() -> u32 {
    24 * 60
}

impl Flow {
    /// The flow of a version that was published; `None` if it is an opening, which is not run, or was published when flows
    /// were not checked.
    pub fn of_published(json: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(json).ok()?;
        let checked = |direction| check::check(&value, direction).ok();
        checked(Direction::Outbound).or_else(|| checked(Direction::Inbound)).flatten()
    }

    /// The schema of flows, as `flow.schema.json` publishes it.
    pub fn schema() -> Value {
        schemars::schema_for!(Self).to_value()
    }

    /// Whether users who stand in a step are being asked for a rating.
    pub fn is_rating(&self, step: &str) -> bool {
        self.rating.as_deref() == Some(step)
    }
}

impl Step {
    /// Whether it waits for the user.
    pub const fn waits(&self) -> bool {
        self.answer.is_some() || self.is_final
    }

    /// The buttons or rows that the user may choose from.
    pub fn choices(&self) -> &[Choice] {
        match (&self.template, &self.list) {
            (Some(template), _) => &template.buttons,
            (None, Some(list)) => &list.rows,
            (None, None) => &self.buttons,
        }
    }

    /// What is done with an invalid answer.
    pub fn retries(&self) -> Option<&Retry> {
        self.answer.as_ref()?.retry.as_ref()
    }

    /// The conversation to which it jumps.
    pub fn jumps_to(&self) -> Option<ConversationId> {
        match AnyId::parse(self.jump.as_deref()?) {
            Ok(AnyId::Conversation(id)) => Some(id),
            _ => None,
        }
    }

    /// The steps to which it may lead, each with the path to its name within the step.
    fn targets(&self) -> Vec<(Vec<String>, &str)> {
        let place = |path: &[&str]| path.iter().map(|&part| part.to_owned()).collect::<Vec<_>>();
        let mut targets = Vec::new();
        if let Some(next) = &self.next {
            targets.push((place(&["next"]), next.as_str()));
        }
        if let Some(answer) = &self.answer {
            let routes = answer.routes.iter().enumerate();
            targets.extend(
                routes.map(|(at, route)| (place(&["answer", "routes", &at.to_string(), "next"]), route.next.as_str())),
            );
            targets.extend(answer.retry.iter().map(|retry| (place(&["answer", "retry", "next"]), retry.next.as_str())));
        }
        targets
    }
}

impl Choice {
    /// By what it is referred to.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.title)
    }

    /// The id that is sent to the provider, which names the step, too.
    fn wire_id(&self, step: &str) -> String {
        format!("{step}{SEPARATOR}{}", self.id())
    }
}
