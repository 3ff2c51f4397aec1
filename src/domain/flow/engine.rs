//! The engine: what a flow does when a conversation begins and when the user answers.
//!
//! It is a pure function of the flow, of the state in which the user is, and of what happened. The state is kept with the
//! deployment, so that the same events in the same order always lead to the same messages.

use super::answer::{Understood, understand};
use super::steps::Steps;
use super::text::fill;
use super::{Choice, Flow, Step};
use crate::domain::clock::Timestamp;
use crate::domain::id::ConversationId;
use crate::domain::merge::{VariableValue, Variables};
use crate::domain::outgoing::{self, Outgoing};
use crate::domain::standing::SessionStatus;

pub use super::answer::Said;

/// Where a user is in a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The step in which the user stands.
    pub step: String,
    /// Since when.
    pub since: Timestamp,
    /// How many invalid answers the user has given to it.
    pub invalid: u8,
    /// The steps that the user entered.
    pub entered: Steps,
    /// The steps from which the user went on: by a valid answer, or at once where nothing is asked.
    pub answered: Steps,
    /// Whether the flow is at its end, so that nothing is said any more.
    pub ended: bool,
}

/// What follows from an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// Where the user is now.
    pub state: State,
    /// Who handles the conversation now.
    pub status: SessionStatus,
    /// What to send, in this order.
    pub messages: Vec<Outgoing>,
    /// The variable that took a value.
    pub captured: Option<(String, String)>,
    /// The step that was answered for the first time, and how many seconds that took.
    pub answered: Option<(String, i64)>,
    /// Whether the user answered a final step.
    pub finished: bool,
    /// The conversation that begins now.
    pub jump: Option<ConversationId>,
}

/// The most characters of a text on its own.
pub(super) const MAX_TEXT: usize = 4_096;
/// The most characters of a text with buttons, a list or media.
pub(super) const MAX_BODY: usize = 1_024;
/// The most characters of a button.
pub(super) const MAX_BUTTON: usize = 20;
/// The most characters of a row's title.
pub(super) const MAX_ROW: usize = 24;
/// The most characters of a row's description.
pub(super) const MAX_DESCRIPTION: usize = 72;
/// The most characters of a template's parameter, where a flow says it.
const MAX_PARAMETER: usize = MAX_BODY;
/// The most characters of an address.
pub(super) const MAX_LINK: usize = 2_048;
/// The most characters of a file's name.
pub(super) const MAX_FILENAME: usize = 240;

/// A reaction under construction.
struct Run<'a> {
    flow: &'a Flow,
    variables: Variables,
    at: Timestamp,
    reaction: Reaction,
}

/// Begins a conversation: what its first step says.
pub fn begin(flow: &Flow, variables: &Variables, at: Timestamp) -> Reaction {
    let mut run = Run::new(flow, State::at_start(flow, at), variables, at);
    run.enter(&flow.start);
    run.reaction
}

/// Leads a user to the step that asks for a rating; to the end, if there is none.
pub fn ask_for_rating(flow: &Flow, state: &State, variables: &Variables, at: Timestamp) -> Reaction {
    let mut run = Run::new(flow, state.clone(), variables, at);
    match &flow.rating {
        Some(rating) => run.enter(rating),
        None => run.end(),
    }
    run.reaction
}

/// Takes an answer.
pub fn answer(flow: &Flow, state: &State, variables: &Variables, said: &Said, at: Timestamp) -> Reaction {
    let mut run = Run::new(flow, state.clone(), variables, at);
    match flow.steps.get(&state.step) {
        _ if state.ended => run.reaction.status = SessionStatus::Completed,
        Some(step) => run.answer(step, said),
        None => run.hand_over(),
    }
    run.reaction
}

impl State {
    /// The state of a user to whom the first step was said, and who has yet to answer.
    pub fn at_start(flow: &Flow, since: Timestamp) -> Self {
        let entered = flow.place(&flow.start).into_iter().collect();
        let step = flow.start.clone();
        Self { step, since, invalid: 0, entered, answered: Steps::default(), ended: false }
    }
}

impl<'a> Run<'a> {
    fn new(flow: &'a Flow, state: State, variables: &Variables, at: Timestamp) -> Self {
        let status = SessionStatus::Bot;
        let reaction = Reaction {
            state,
            status,
            messages: Vec::new(),
            captured: None,
            answered: None,
            finished: false,
            jump: None,
        };
        Self { flow, variables: variables.clone(), at, reaction }
    }

    fn answer(&mut self, step: &'a Step, said: &Said) {
        let name = self.reaction.state.step.clone();
        self.reaction.status = self.status_at(&name);
        match understand(&name, step, said, &self.variables) {
            Understood::Valid { captured, next } => {
                if let Some((variable, value)) = captured {
                    self.capture(variable, value);
                }
                self.go_on(step, next);
            }
            Understood::Invalid => self.retry(&name, step),
        }
    }

    /// Asks again, or leads on where the user has been asked often enough.
    fn retry(&mut self, name: &str, step: &'a Step) {
        match step.retries() {
            Some(retry) if self.reaction.state.invalid < retry.attempts => {
                self.reaction.state.invalid += 1;
                self.reaction.messages.push(step.said(name, &retry.text, &self.variables));
            }
            Some(retry) => self.enter(&retry.next),
            // An old button was pressed where nothing is asked again.
            None => {}
        }
    }

    fn go_on(&mut self, step: &'a Step, next: Option<&'a str>) {
        if step.waits() {
            self.take();
        } else {
            self.pass();
        }
        match next {
            _ if step.is_final => self.finish(step),
            Some(next) => self.enter(next),
            None => self.hand_over(),
        }
    }

    /// Notes that the user went on from a step that does not wait.
    fn pass(&mut self) {
        let state = &mut self.reaction.state;
        if let Some(place) = self.flow.place(&state.step) {
            state.answered.add(place);
        }
    }

    /// Notes that the step was answered.
    fn take(&mut self) {
        let State { step, since, .. } = &self.reaction.state;
        let seconds = self.at.seconds().saturating_sub(since.seconds()).max(0);
        let answered = (step.clone(), seconds);
        if self.flow.place(step).is_some_and(|place| self.reaction.state.answered.add(place)) {
            self.reaction.answered = Some(answered);
        }
    }

    fn capture(&mut self, variable: &str, value: String) {
        self.reaction.captured = Some((variable.to_owned(), value.clone()));
        self.variables.insert(variable.to_owned(), VariableValue { at: self.at, value });
    }

    fn finish(&mut self, step: &Step) {
        self.reaction.finished = true;
        if let Some(farewell) = &step.farewell {
            let text = fill(farewell, &self.variables, MAX_TEXT);
            self.reaction.messages.push(Outgoing::Text(text));
        }
        self.end();
    }

    /// Enters a step, and those that it leads to at once, up to one that waits for the user.
    fn enter(&mut self, name: &str) {
        let mut name = name;
        // A flow that can be published has no loop without an answer in it.
        for _ in 0..=self.flow.steps.len() {
            let Some(step) = self.stand_in(name) else { break };
            if step.waits() {
                return;
            }
            self.pass();
            match (&step.next, step.jumps_to()) {
                (Some(next), _) => name = next,
                (None, Some(jump)) => self.reaction.jump = Some(jump),
                (None, None) => break,
            }
            if self.reaction.jump.is_some() {
                return self.end();
            }
        }
        self.hand_over();
    }

    /// Stands in a step and says its message; `None` if there is no such step.
    fn stand_in(&mut self, name: &str) -> Option<&'a Step> {
        let (place, step) = (self.flow.place(name)?, self.flow.steps.get(name)?);
        let state = &mut self.reaction.state;
        name.clone_into(&mut state.step);
        state.since = self.at;
        state.invalid = 0;
        state.entered.add(place);
        self.reaction.status = self.status_at(name);
        let message = step.message(name, &self.variables);
        self.reaction.messages.extend(message);
        Some(step)
    }

    fn status_at(&self, step: &str) -> SessionStatus {
        if self.flow.is_rating(step) { SessionStatus::Rating } else { SessionStatus::Bot }
    }

    fn hand_over(&mut self) {
        self.reaction.status = SessionStatus::Agent;
    }

    fn end(&mut self) {
        self.reaction.state.ended = true;
        self.reaction.status = SessionStatus::Completed;
    }
}

impl Flow {
    /// The place of a step among the names of all.
    pub fn place(&self, step: &str) -> Option<u16> {
        let place = self.steps.keys().position(|name| name == step)?;
        u16::try_from(place).ok()
    }

    /// The name of the step at a place.
    pub fn step_at(&self, place: u16) -> Option<&str> {
        self.steps.keys().nth(place.into()).map(String::as_str)
    }
}

impl Step {
    /// Its message to a user with these variables, if it has one.
    fn message(&self, name: &str, variables: &Variables) -> Option<Outgoing> {
        if let Some(template) = &self.template {
            return Some(Outgoing::Template(template.filled(name, variables, MAX_PARAMETER)));
        }
        if let Some(media) = &self.media {
            return Some(Outgoing::Media {
                kind: media.kind,
                link: fill(&media.link, variables, MAX_LINK),
                caption: self.text.as_ref().map(|text| fill(text, variables, MAX_BODY)),
                filename: media.filename.as_ref().map(|filename| fill(filename, variables, MAX_FILENAME)),
            });
        }
        self.text.as_ref().map(|text| self.said(name, text, variables))
    }

    /// A text with the buttons or the list of the step, if it has any.
    fn said(&self, name: &str, text: &str, variables: &Variables) -> Outgoing {
        let offered =
            |choices: &[Choice], limit| choices.iter().map(|choice| choice.offered(name, variables, limit)).collect();
        match &self.list {
            Some(list) => Outgoing::List {
                text: fill(text, variables, MAX_BODY),
                button: fill(&list.button, variables, MAX_BUTTON),
                choices: offered(&list.rows, MAX_ROW),
            },
            None if self.buttons.is_empty() => Outgoing::Text(fill(text, variables, MAX_TEXT)),
            None => {
                Outgoing::Buttons { text: fill(text, variables, MAX_BODY), buttons: offered(&self.buttons, MAX_BUTTON) }
            }
        }
    }
}

impl Choice {
    /// As it is offered, with a title of so many characters at most.
    fn offered(&self, step: &str, variables: &Variables, limit: usize) -> outgoing::Choice {
        let description = self.description.as_ref().map(|text| fill(text, variables, MAX_DESCRIPTION));
        let title = fill(&self.title, variables, limit);
        outgoing::Choice { id: self.wire_id(step), title, description }
    }
}
