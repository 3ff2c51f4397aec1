//! The course of a message: how its call is answered, and what happens to it then. A pure function of settings, chance
//! and the message.

use std::time::Duration;

use super::chance::Chance;
use super::content::{Content, Offer};
use super::settings::{Faults, Reply, SimulatorSettings, Span};
use crate::domain::outgoing::Choice;

/// How a call is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Accept { held: bool },
    Refuse(i32),
    TooMany,
    Broken,
    Cut,
    Silent,
    WithoutId,
    Garbage,
}

/// An event that a webhook reports about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    Sent,
    Delivered,
    Read,
    Failed(i32),
    /// The user writes a text, which may quote the message.
    Text {
        text: String,
        quoting: bool,
    },
    /// The user begins with a text, having come from an advertisement.
    FromAd {
        text: String,
        source_id: String,
    },
    /// The user presses a button of a template.
    Button {
        payload: String,
        text: String,
    },
    /// The user presses a reply button, or chooses from a list.
    Choice {
        list: bool,
        choice: Choice,
    },
    /// The user reacts to the message.
    Reaction(&'static str),
    /// The user asks WhatsApp for no more messages of the business.
    OptedOut,
}

/// An update to be posted. Times are real time since the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) event: Event,
    pub(super) happens: Duration,
    pub(super) posted: Duration,
}

/// A story under construction: its events, and the current time in simulated seconds.
struct Story<'a> {
    settings: &'a SimulatorSettings,
    content: &'a Content,
    /// How users answer this message, if not in the usual way.
    reply: Option<&'a Reply>,
    chance: Chance,
    now: f64,
    events: Vec<(Event, f64)>,
}

const UNDELIVERABLE: i32 = 131_026;
const WITHHELD: i32 = 131_049;
const UNKNOWN_ERROR: i32 = 131_000;

/// How many times as long slow answers take.
const SLOWNESS: f64 = 10.0;

const EMOJIS: [&str; 4] = ["👍", "❤️", "😂", "🙏"];

/// Decides how a call is answered.
pub(super) fn verdict(settings: &SimulatorSettings, faults: &Faults, chance: Chance) -> Verdict {
    match chance.among("verdict", &faults.exclusive()) {
        None => Verdict::Accept { held: held(settings, chance) },
        Some(0) => Verdict::Refuse(*chance.pick("refusal", &faults.refusal_codes).unwrap_or(&UNKNOWN_ERROR)),
        Some(1) => Verdict::TooMany,
        Some(2) => Verdict::Broken,
        Some(3) => Verdict::Cut,
        Some(4) => Verdict::Silent,
        Some(5) => Verdict::WithoutId,
        Some(_) => Verdict::Garbage,
    }
}

/// Whether the message is accepted, regardless of the answer.
pub(super) fn accepts(verdict: Verdict, faults: &Faults, chance: Chance) -> bool {
    match verdict {
        Verdict::Accept { .. } => true,
        Verdict::Refuse(_) | Verdict::TooMany => false,
        Verdict::Broken | Verdict::Cut | Verdict::Silent | Verdict::WithoutId | Verdict::Garbage => {
            chance.happens("accepted anyway", faults.accepted_anyway)
        }
    }
}

/// The updates to be posted about an accepted message, including duplicates and late ones, without lost ones.
pub(super) fn plan(settings: &SimulatorSettings, chance: Chance, content: &Content) -> Vec<Planned> {
    let events = Story::tell(settings, chance, content).into_iter().enumerate();
    events.flat_map(|(index, (event, seconds))| posts(settings, chance.part(index), &event, seconds)).collect()
}

fn posts(settings: &SimulatorSettings, chance: Chance, event: &Event, seconds: f64) -> Vec<Planned> {
    let webhooks = &settings.webhooks;
    if chance.happens("lost", webhooks.lost) {
        return Vec::new();
    }
    let lateness = |what: &str| chance.seconds(what, webhooks.lateness);
    let first = if chance.happens("late", webhooks.late) { lateness("first lateness") } else { 0.0 };
    let second = chance.happens("duplicated", webhooks.duplicated).then(|| lateness("second lateness"));
    let happens = settings.real(seconds);
    let post = |late: f64| Planned { event: event.clone(), happens, posted: settings.real(seconds + late) };
    std::iter::once(first).chain(second).map(post).collect()
}

fn held(settings: &SimulatorSettings, chance: Chance) -> bool {
    chance.happens("held", settings.outcomes.held)
}

impl Event {
    /// The provider's type of the message with which a user does this; `None` if it is no message of a user.
    pub(super) const fn message_type(&self) -> Option<&'static str> {
        match self {
            Self::Text { .. } | Self::FromAd { .. } => Some("text"),
            Self::Button { .. } => Some("button"),
            Self::Choice { .. } => Some("interactive"),
            Self::Reaction(_) => Some("reaction"),
            Self::Sent | Self::Delivered | Self::Read | Self::Failed(_) | Self::OptedOut => None,
        }
    }

    /// A button of a template whose payload is its label.
    fn own_button(text: String) -> Self {
        Self::Button { payload: text.clone(), text }
    }

    /// A button of a template, by its payload. Its label is what follows the last colon, by a convention of ours: the
    /// call does not tell the labels.
    fn payload(payload: String) -> Self {
        let text = payload.rsplit_once(':').map_or(payload.as_str(), |(_, text)| text).to_owned();
        Self::Button { payload, text }
    }
}

impl<'a> Story<'a> {
    /// All events of the message, with their times in simulated seconds since the call.
    fn tell(settings: &'a SimulatorSettings, chance: Chance, content: &'a Content) -> Vec<(Event, f64)> {
        let reply = settings.outcomes.reply_to(&content.text);
        let mut story = Self { settings, content, reply, chance, now: 0.0, events: Vec::new() };
        if held(settings, chance) {
            story.now = chance.seconds("held for", settings.delays.held);
        }
        match chance.among("fate", &settings.outcomes.exclusive()) {
            Some(0) => story.fail(UNDELIVERABLE),
            Some(1) => story.fail(WITHHELD),
            Some(2) => story.fail(*chance.pick("failure", &settings.outcomes.failure_codes).unwrap_or(&UNKNOWN_ERROR)),
            Some(_) => story.then(Event::Sent, settings.delays.sent),
            None => story.arrive(),
        }
        story.events
    }

    fn fail(&mut self, code: i32) {
        if self.chance.happens("sent before failing", self.settings.outcomes.sent_before_failing) {
            self.then(Event::Sent, self.settings.delays.sent);
        }
        self.then(Event::Failed(code), self.settings.delays.failed);
    }

    fn arrive(&mut self) {
        let (settings, chance) = (self.settings, self.chance);
        let outcomes = &settings.outcomes;
        self.then(Event::Sent, settings.delays.sent);
        let read = chance.happens("read", outcomes.read);
        if read && chance.happens("chat open", outcomes.chat_open) {
            self.now += chance.seconds("unseen", settings.delays.delivered);
        } else {
            self.then(Event::Delivered, settings.delays.delivered);
        }
        if read {
            self.then(Event::Read, settings.delays.read);
        }
        self.react(outcomes.contradicted, "contradicted", |_| Event::Failed(UNDELIVERABLE));
        self.answer();
        self.react(outcomes.reacted, "reacted", |story| {
            Event::Reaction(story.chance.pick("emoji", &EMOJIS).copied().unwrap_or_default())
        });
        self.react(outcomes.opted_out, "opted out", |_| Event::OptedOut);
    }

    /// Adds an event that happens to a delivered message with a given probability.
    fn react(&mut self, share: f64, what: &str, event: impl Fn(&Self) -> Event) {
        if self.chance.happens(what, share) {
            let event = event(self);
            self.then(event, self.settings.delays.answered);
        }
    }

    /// Adds the user's answer, if there is one.
    fn answer(&mut self) {
        let (outcomes, delay) = (&self.settings.outcomes, self.settings.delays.answered);
        let answered = self.reply.and_then(|reply| reply.answered).unwrap_or(outcomes.answered);
        if self.chance.happens("answered", answered) {
            let slow = self.chance.happens("slow", outcomes.slow);
            self.then(self.answered(), if slow { delay.times(SLOWNESS) } else { delay });
        }
    }

    fn answered(&self) -> Event {
        let by_button = self.reply.and_then(|reply| reply.by_button).unwrap_or(self.settings.outcomes.by_button);
        let pressed = self.chance.happens("by button", by_button).then(|| self.pressed()).flatten();
        pressed.unwrap_or_else(|| self.written())
    }

    /// The user presses one of the offered buttons, or chooses one of the offered rows; `None` if nothing is offered.
    fn pressed(&self) -> Option<Event> {
        let choice = |choices: &[Choice]| self.chance.pick("button", choices).cloned();
        match &self.content.offer {
            Offer::Nothing => None,
            Offer::OwnButtons => self.pick("button", &self.settings.outcomes.buttons).map(Event::own_button),
            Offer::Payloads(payloads) => self.pick("button", payloads).map(Event::payload),
            Offer::Buttons(buttons) => Some(Event::Choice { list: false, choice: choice(buttons)? }),
            Offer::Rows(rows) => Some(Event::Choice { list: true, choice: choice(rows)? }),
        }
    }

    fn written(&self) -> Event {
        let own = self.reply.map(|reply| &reply.texts).filter(|texts| !texts.is_empty());
        let text = self.pick("text", own.unwrap_or(&self.settings.outcomes.texts)).unwrap_or_default();
        Event::Text { text, quoting: self.chance.happens("quoting", self.settings.outcomes.quoting) }
    }

    fn pick(&self, what: &str, words: &[String]) -> Option<String> {
        self.chance.pick(what, words).cloned()
    }

    fn then(&mut self, event: Event, delay: Span) {
        self.now += self.chance.part(self.events.len()).seconds("delay", delay);
        self.events.push((event, self.now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::whatsapp::simulator::settings::{Outcomes, Webhooks};

    fn chances() -> impl Iterator<Item = Chance> {
        (0..1_500_u32).map(|n| Chance::of(1, &["line", &n.to_string(), "0"]))
    }

    fn template() -> Content {
        Content { text: "welcome".into(), offer: Offer::OwnButtons, free_form: false }
    }

    fn question(offer: Offer) -> Content {
        Content { text: "Which?".into(), offer, free_form: true }
    }

    fn stories(outcomes: Outcomes) -> Vec<Vec<(Event, f64)>> {
        stories_of(&template(), outcomes)
    }

    fn stories_of(content: &Content, outcomes: Outcomes) -> Vec<Vec<(Event, f64)>> {
        let settings = SimulatorSettings { outcomes, ..SimulatorSettings::default() };
        chances().map(|chance| Story::tell(&settings, chance, content)).collect()
    }

    /// What users answer, each answer once, by messages and without reactions.
    fn answers(stories: &[Vec<(Event, f64)>]) -> Vec<Event> {
        let mut answers = Vec::new();
        for (event, _) in stories.iter().flatten() {
            let answer = event.message_type().is_some() && !matches!(event, Event::Reaction(_));
            if answer && !answers.contains(event) {
                answers.push(event.clone());
            }
        }
        answers
    }

    /// The percentage of stories with a matching event.
    fn percent(stories: &[Vec<(Event, f64)>], happens: impl Fn(&Event) -> bool) -> usize {
        let count = stories.iter().filter(|story| story.iter().any(|(event, _)| happens(event))).count();
        (count * 100).div_ceil(stories.len())
    }

    #[test]
    fn time_never_runs_backwards_in_a_story() {
        for story in stories(Outcomes { held: 0.5, contradicted: 0.5, reacted: 0.5, ..Outcomes::default() }) {
            assert!(story.is_sorted_by(|one, next| one.1 <= next.1), "{story:?}");
            assert!(!story.is_empty());
        }
    }

    #[test]
    fn outcomes_have_their_probabilities() {
        let stories = stories(Outcomes { undeliverable: 0.2, withheld: 0.1, read: 0.5, ..Outcomes::default() });
        assert!((18..=22).contains(&percent(&stories, |event| *event == Event::Failed(UNDELIVERABLE))));
        assert!((8..=12).contains(&percent(&stories, |event| *event == Event::Failed(WITHHELD))));
        assert!((30..=35).contains(&percent(&stories, |event| *event == Event::Read)));
    }

    #[test]
    fn some_opt_out_after_everything_else_and_only_of_what_was_delivered() {
        let stories = stories(Outcomes { opted_out: 0.5, ..Outcomes::default() });
        assert!((42..=49).contains(&percent(&stories, |event| *event == Event::OptedOut)));
        for story in stories.iter().filter(|story| story.iter().any(|(event, _)| *event == Event::OptedOut)) {
            assert!(matches!(story.last(), Some((Event::OptedOut, _))), "{story:?}");
            assert!(story.iter().any(|(event, _)| matches!(event, Event::Delivered | Event::Read)), "{story:?}");
        }
    }

    #[test]
    fn users_press_what_is_offered() {
        let choices = || vec![Choice::new("a", "A"), Choice::new("b", "B")];
        let button = |payload: &str, text: &str| Event::Button { payload: payload.into(), text: text.into() };
        let chosen = |list: bool| move |choice: Choice| Event::Choice { list, choice };
        let payloads = ["1:hello:Yes", "No"].map(str::to_owned).to_vec();
        for (offer, expected) in [
            (Offer::OwnButtons, vec![button("Ok", "Ok")]),
            (Offer::Payloads(payloads), vec![button("1:hello:Yes", "Yes"), button("No", "No")]),
            (Offer::Buttons(choices()), choices().into_iter().map(chosen(false)).collect()),
            (Offer::Rows(choices()), choices().into_iter().map(chosen(true)).collect()),
        ] {
            let outcomes = Outcomes { by_button: 1.0, buttons: vec!["Ok".into()], ..Outcomes::default() };
            let answers = answers(&stories_of(&question(offer), outcomes));
            assert_eq!(answers.len(), expected.len());
            assert!(expected.iter().all(|answer| answers.contains(answer)), "{answers:?}");
        }
        let nothing = stories_of(&question(Offer::Nothing), Outcomes { by_button: 1.0, ..Outcomes::default() });
        assert!(answers(&nothing).iter().all(|answer| matches!(answer, Event::Text { .. })));
    }

    #[test]
    fn a_reply_decides_about_the_messages_that_it_fits_and_no_others() {
        let reply =
            Reply { contains: "WHICH".into(), texts: vec!["Blue".into()], by_button: Some(0.0), answered: Some(0.5) };
        let outcomes = Outcomes { replies: vec![reply], answered: 0.0, quoting: 0.0, ..Outcomes::default() };
        let buttons = Offer::Buttons(vec![Choice::new("a", "A")]);
        let fitting = stories_of(&question(buttons), outcomes.clone());
        assert_eq!(answers(&fitting), [Event::Text { text: "Blue".into(), quoting: false }]);
        assert!((40..=50).contains(&percent(&fitting, |event| matches!(event, Event::Text { .. }))));
        assert_eq!(answers(&stories(outcomes)), []);
    }

    #[test]
    fn slow_answers_take_ten_times_as_long_and_change_nothing_else() {
        let with = |slow| stories(Outcomes { slow, answered: 1.0, reacted: 0.0, ..Outcomes::default() });
        let pause = |story: &[(Event, f64)]| match story {
            [.., (_, before), (answer, at)] if answer.message_type().is_some() => Some(at - before),
            _ => None,
        };
        for (quick, slow) in with(0.0).iter().zip(with(1.0)) {
            let pauses = pause(quick).zip(pause(&slow));
            assert!(pauses.is_none_or(|(quick, slow)| (slow - quick * SLOWNESS).abs() < 1e-6), "{pauses:?}");
            let events = |story: &[(Event, f64)]| story.iter().map(|(event, _)| event.clone()).collect::<Vec<_>>();
            assert_eq!(events(quick), events(&slow));
        }
    }

    #[test]
    fn unreachable_users_get_one_tick_and_failures_no_second() {
        let unreachable =
            Outcomes { undeliverable: 0.0, withheld: 0.0, failed: 0.0, unreachable: 1.0, ..Outcomes::default() };
        assert!(stories(unreachable).iter().all(|story| matches!(story[..], [(Event::Sent, _)])));
        for story in stories(Outcomes {
            undeliverable: 1.0,
            withheld: 0.0,
            failed: 0.0,
            unreachable: 0.0,
            ..Outcomes::default()
        }) {
            assert!(matches!(story[..], [(Event::Failed(_), _)] | [(Event::Sent, _), (Event::Failed(_), _)]));
        }
    }

    #[test]
    fn updates_are_posted_once_twice_late_or_never() {
        let plans = |webhooks| {
            let settings = SimulatorSettings { webhooks, ..SimulatorSettings::default() };
            chances().flat_map(|chance| plan(&settings, chance, &template())).collect::<Vec<_>>()
        };
        let plain = Webhooks { duplicated: 0.0, late: 0.0, lost: 0.0, ..Webhooks::default() };
        let once = plans(plain.clone());
        assert!(once.iter().all(|planned| planned.happens == planned.posted));
        let twice = plans(Webhooks { duplicated: 1.0, ..plain.clone() });
        assert_eq!(twice.len(), once.len() * 2);
        let late = plans(Webhooks { late: 1.0, ..plain.clone() });
        assert!(late.iter().all(|planned| planned.happens < planned.posted));
        assert_eq!(plans(Webhooks { lost: 1.0, ..plain }), []);
    }

    #[test]
    fn a_lost_webhook_changes_nothing_else() {
        let with = |lost| SimulatorSettings {
            webhooks: Webhooks { lost, ..Webhooks::default() },
            ..SimulatorSettings::default()
        };
        for chance in chances().take(200) {
            let all = plan(&with(0.0), chance, &template());
            assert!(plan(&with(0.5), chance, &template()).iter().all(|planned| all.contains(planned)));
        }
    }

    #[test]
    fn a_rejected_message_is_never_accepted_and_one_with_a_lost_answer_sometimes() {
        let faults = Faults { refused: 0.3, broken: 0.3, silent: 0.3, ..Faults::default() };
        let settings = SimulatorSettings::default();
        let verdicts: Vec<(Verdict, bool)> = chances()
            .map(|chance| (verdict(&settings, &faults, chance), chance))
            .map(|(verdict, chance)| (verdict, accepts(verdict, &faults, chance)))
            .collect();
        let count =
            |verdict: Verdict, accepted: bool| verdicts.iter().filter(|&&one| one == (verdict, accepted)).count();
        assert!(verdicts.iter().all(|&(verdict, accepted)| !(accepted && matches!(verdict, Verdict::Refuse(_)))));
        assert!(count(Verdict::Broken, true) > 170 && count(Verdict::Broken, false) > 170);
        assert!(count(Verdict::Accept { held: false }, true) > 110);
    }
}
