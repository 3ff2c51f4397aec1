//! The engine against the naive model, for generated flows and generated behaviour.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::draw::{answers, flow};
use super::model::Model;
use crate::domain::arbitrary::config;
use crate::domain::clock::Timestamp;
use crate::domain::conversation::Direction;
use crate::domain::flow::engine::{self, Reaction, Said, State};
use crate::domain::flow::{Flow, check};
use crate::domain::merge::{VariableValue, Variables};
use crate::domain::outgoing::Outgoing;
use crate::domain::standing::SessionStatus;

/// A user of a flow as the engine sees it.
struct Played {
    state: State,
    variables: Variables,
    status: Option<SessionStatus>,
    finished: bool,
    said: Vec<String>,
    answered: Vec<String>,
}

fn at(second: usize) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + i64::try_from(second).unwrap()).unwrap()
}

fn published(flow: &Value) -> Flow {
    let checked = check::check(flow, Direction::Outbound);
    checked.unwrap_or_else(|found| panic!("{found:?} in {flow}")).expect("it runs")
}

fn told(message: &Outgoing) -> String {
    match message {
        Outgoing::Template(template) => format!("template {}", template.name),
        Outgoing::Media { link, caption: None, .. } => format!("file {link}"),
        other => other.text().unwrap_or_default(),
    }
}

impl Played {
    fn sent(flow: &Flow) -> Self {
        let value = VariableValue { at: at(0), value: "Ana".to_owned() };
        Self {
            state: State::at_start(flow, at(0)),
            variables: [("first_name".to_owned(), value)].into(),
            status: None,
            finished: false,
            said: vec!["template hello".to_owned()],
            answered: Vec::new(),
        }
    }

    /// A user whose message began the conversation.
    fn begun(flow: &Flow) -> Self {
        let mut played = Self { said: Vec::new(), ..Self::sent(flow) };
        let reaction = engine::begin(flow, &played.variables, at(0));
        played.take(reaction, 0);
        played
    }

    fn take(&mut self, reaction: Reaction, second: usize) {
        let Reaction { state, status, messages, captured, answered, finished, .. } = reaction;
        (self.state, self.status) = (state, Some(status));
        self.finished |= finished;
        self.said.extend(messages.iter().map(told));
        self.answered.extend(answered.map(|(step, _)| step));
        if let Some((name, value)) = captured {
            self.variables.insert(name, VariableValue { at: at(second), value });
        }
    }

    fn hears(&mut self, flow: &Flow, said: &Said, second: usize) -> Option<Reaction> {
        if matches!(self.status, Some(SessionStatus::Agent | SessionStatus::Completed)) {
            return None;
        }
        let reaction = engine::answer(flow, &self.state, &self.variables, said, at(second));
        self.take(reaction.clone(), second);
        Some(reaction)
    }

    fn play(flow: &Flow, answers: &[Said]) -> Self {
        Self::sent(flow).goes_on(flow, answers)
    }

    fn goes_on(mut self, flow: &Flow, answers: &[Said]) -> Self {
        for (second, said) in (1..).zip(answers) {
            self.hears(flow, said, second);
        }
        self
    }
}

fn model(flow: &Value, answers: &[Said], begun: bool) -> Model {
    let mut model = Model::new(flow, BTreeMap::from([("first_name".to_owned(), "Ana".to_owned())]), begun);
    for said in answers {
        model.hear(flow, said.text.as_deref(), said.pressed.as_deref());
    }
    model
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_engine_does_what_the_model_does(json in flow(), answers in answers(), begun in any::<bool>()) {
        let flow = published(&json);
        let played = if begun { Played::begun(&flow) } else { Played::sent(&flow) };
        let (played, model) = (played.goes_on(&flow, &answers), model(&json, &answers, begun));
        prop_assert_eq!(&played.said, &model.said);
        prop_assert_eq!(&played.state.step, &model.step);
        prop_assert_eq!(played.status.map_or("", SessionStatus::word), model.status);
        prop_assert_eq!(played.finished, model.finished);
        prop_assert_eq!(&played.answered, &model.answered);
        let values: BTreeMap<_, _> = played.variables.into_iter().map(|(name, value)| (name, value.value)).collect();
        prop_assert_eq!(values, model.variables);
        let entered: Vec<_> = played.state.entered.iter().filter_map(|place| flow.step_at(place)).collect();
        let mut expected = model.entered;
        expected.sort();
        prop_assert_eq!(entered, expected);
    }

    #[test]
    fn nobody_is_stuck(json in flow(), answers in answers()) {
        let flow = published(&json);
        let played = Played::play(&flow, &answers);
        // Whoever is with the bot stands in a step that waits for an answer, and every answer leads to a reaction or an end.
        if matches!(played.status, None | Some(SessionStatus::Bot | SessionStatus::Rating)) {
            prop_assert!(flow.steps.get(&played.state.step).unwrap().waits());
            let said = Said { text: Some("?".to_owned()), pressed: None };
            let reaction = engine::answer(&flow, &played.state, &played.variables, &said, at(99));
            let moved = !reaction.messages.is_empty() || reaction.state != played.state || reaction.state.ended;
            prop_assert!(moved, "{reaction:?}");
        }
    }

    #[test]
    fn nothing_is_said_after_the_end(json in flow(), answers in answers(), more in answers()) {
        let flow = published(&json);
        let played = Played::play(&flow, &answers);
        if played.state.ended {
            for said in more {
                let reaction = engine::answer(&flow, &played.state, &played.variables, &said, at(99));
                prop_assert!(reaction.messages.is_empty() && !reaction.finished && reaction.captured.is_none());
                prop_assert_eq!(reaction.state, played.state.clone());
            }
        }
    }

    #[test]
    fn the_same_events_lead_to_the_same_reactions(json in flow(), answers in answers()) {
        let (flow, again) = (published(&json), Flow::of_published(&json.to_string()).unwrap());
        prop_assert_eq!(&flow, &again);
        let (mut one, mut other) = (Played::sent(&flow), Played::sent(&again));
        for (second, said) in (1..).zip(&answers) {
            prop_assert_eq!(one.hears(&flow, said, second), other.hears(&again, said, second));
        }
    }

    #[test]
    fn a_rating_is_asked_for_from_everywhere(json in flow(), answers in answers()) {
        let flow = published(&json);
        let played = Played::play(&flow, &answers);
        let reaction = engine::ask_for_rating(&flow, &played.state, &played.variables, at(99));
        match &flow.rating {
            Some(rating) => prop_assert_eq!((&reaction.state.step, reaction.status), (rating, SessionStatus::Rating)),
            None => prop_assert!(reaction.state.ended && reaction.messages.is_empty()),
        }
    }
}
