//! What the simulator does, and how often. Every setting has a default, so a file names only what it changes.
//!
//! A share is a number from 0, never, to 1, always. Times are in seconds of simulated time, which runs `speed` times as
//! fast as the clock.

use std::time::Duration;

use serde::Deserialize;

use crate::config::Secret;

/// The settings of a simulator.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulatorSettings {
    /// What happens to a message depends on this, its line, its recipient, and how many went to that recipient on that
    /// line before; on nothing else. 1 by default.
    pub seed: u64,
    /// How many times as fast as the clock everything happens; 1 by default.
    pub speed: f64,
    /// The only token taken; any is taken where this is left out.
    pub access_token: Option<Secret>,
    /// Webhooks are signed with it; `simulator` by default.
    pub app_secret: Secret,
    /// Where webhooks are posted; nowhere where this is left out.
    pub webhook_url: Option<String>,
    /// What becomes of accepted messages.
    pub outcomes: Outcomes,
    /// How long things take.
    pub delays: Delays,
    /// How webhooks are posted.
    pub webhooks: Webhooks,
    /// What goes wrong with calls.
    pub faults: Faults,
}

/// What becomes of accepted messages. The first four are shares of all of them and exclude each other; who is in none is
/// delivered.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outcomes {
    /// Not on WhatsApp, code 131026; 0.03 by default.
    pub undeliverable: f64,
    /// Withheld by the provider, code 131049; 0.02 by default.
    pub withheld: f64,
    /// Failed with one of `failure_codes`; 0.01 by default.
    pub failed: f64,
    /// Sent, and the phone stays off; 0.04 by default.
    pub unreachable: f64,
    /// The codes of other failures; 130472, 130497, 131000 and 131050 by default.
    pub failure_codes: Vec<i32>,
    /// Of the failing: first reported as sent; 0.5 by default.
    pub sent_before_failing: f64,
    /// Of all: held back to judge the template's quality first; 0 by default.
    pub held: f64,
    /// Of the delivered: another device of the user's reports a failure later; 0 by default.
    pub contradicted: f64,
    /// Of the delivered: read, and the user lets it show; 0.7 by default.
    pub read: f64,
    /// Of the read: the chat is open, so that `delivered` is never reported; 0.02 by default.
    pub chat_open: f64,
    /// Of the delivered: answered; 0.25 by default.
    pub answered: f64,
    /// Of the answers: a pressed button; 0.4 by default.
    pub by_button: f64,
    /// Of the answers: they quote the message that they answer (a button always does); 0.3 by default.
    pub quoting: f64,
    /// Of the delivered: reacted to with an emoji; 0.05 by default.
    pub reacted: f64,
    /// What users write.
    pub texts: Vec<String>,
    /// What the buttons say.
    pub buttons: Vec<String>,
}

/// How long things take, each counted from the one before it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Delays {
    /// From the call to its answer; 0.01 to 0.05 by default.
    pub answer: Span,
    /// For how long a held message is held; 60 to 300 by default.
    pub held: Span,
    /// From the call to `sent`; 0.1 to 1 by default.
    pub sent: Span,
    /// From the call, or from `sent`, to `failed`; 0.2 to 3 by default.
    pub failed: Span,
    /// From `sent` to `delivered`; 0.2 to 5 by default.
    pub delivered: Span,
    /// From `delivered` to `read`; 2 to 60 by default.
    pub read: Span,
    /// From `read`, or from `delivered`, to the answer; 3 to 90 by default.
    pub answered: Span,
}

/// How webhooks are posted.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhooks {
    /// The share of updates that are posted twice; 0.02 by default.
    pub duplicated: f64,
    /// The share of updates that are posted late, and so out of order; 0.05 by default.
    pub late: f64,
    /// How late a late update or a second copy is; 0.5 to 30 by default.
    pub lateness: Span,
    /// The share of updates that are never posted; 0 by default.
    pub lost: f64,
    /// The most updates of one post; what is due together is posted together. 100 by default.
    pub updates_per_post: usize,
    /// The most posts at the same time; 8 by default.
    pub posts_at_once: usize,
    /// How often a webhook is posted until it is answered with 200; 10 by default.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles each time. 1 by default.
    pub first_retry: f64,
    /// The most updates that may wait to be posted: beyond, calls are refused with code 130429. 500,000 by default.
    pub backlog: usize,
}

/// What goes wrong with calls. The shares exclude each other; 0 by default, all of them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Refused with one of `refusal_codes`.
    pub refused: f64,
    /// The codes of refusals; 130429, 131056, 131016 and 132012 by default.
    pub refusal_codes: Vec<i32>,
    /// HTTP 429 without a code, and a wish to wait for one second.
    pub too_many: f64,
    /// HTTP 500 without a code.
    pub broken: f64,
    /// The connection breaks before the answer is whole.
    pub cut: f64,
    /// No answer at all.
    pub silent: f64,
    /// HTTP 200 without an id.
    pub without_id: f64,
    /// Of the last four: the message was accepted all the same, and its webhooks follow; 0.5 by default.
    pub accepted_anyway: f64,
}

/// A least and a greatest time, in seconds; what lies between is equally likely.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

/// What is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the simulator's setting {0}")]
pub struct SettingsFault(String);

impl SimulatorSettings {
    /// Simulated seconds as real time.
    pub(super) fn real(&self, seconds: f64) -> Duration {
        Duration::try_from_secs_f64(seconds / self.speed).unwrap_or_default()
    }

    /// Refuses what makes no sense.
    pub(super) fn check(&self) -> Result<(), SettingsFault> {
        if !(self.speed.is_finite() && self.speed > 0.0) {
            return Err(SettingsFault("speed must be greater than 0".into()));
        }
        if self.app_secret.expose().is_empty() {
            return Err(SettingsFault("app_secret must not be empty".into()));
        }
        check_shares(self)?;
        check_spans(self)?;
        check_counts(&self.webhooks)
    }
}

impl Span {
    /// From `min` to `max`.
    pub const fn new(min: f64, max: f64) -> Self {
        Self { min, max }
    }

    /// No time at all.
    pub const ZERO: Self = Self::new(0.0, 0.0);
}

impl Outcomes {
    /// The four that exclude each other, in the order in which they are drawn.
    pub(super) const fn exclusive(&self) -> [f64; 4] {
        [self.undeliverable, self.withheld, self.failed, self.unreachable]
    }
}

impl Faults {
    /// Those that exclude each other, in the order in which they are drawn.
    pub(super) const fn exclusive(&self) -> [f64; 6] {
        [self.refused, self.too_many, self.broken, self.cut, self.silent, self.without_id]
    }
}

impl Default for SimulatorSettings {
    fn default() -> Self {
        Self {
            seed: 1,
            speed: 1.0,
            access_token: None,
            app_secret: Secret::new("simulator"),
            webhook_url: None,
            outcomes: Outcomes::default(),
            delays: Delays::default(),
            webhooks: Webhooks::default(),
            faults: Faults::default(),
        }
    }
}

impl Default for Outcomes {
    fn default() -> Self {
        let texts =
            ["Hi! Yes, tell me more.", "Sí, gracias 😊", "How much is it?", "Ahora no puedo, escríbeme mañana", "Ok"];
        let buttons = ["Yes, I'm interested", "Not now"];
        Self {
            undeliverable: 0.03,
            withheld: 0.02,
            failed: 0.01,
            unreachable: 0.04,
            failure_codes: vec![130_472, 130_497, 131_000, 131_050],
            sent_before_failing: 0.5,
            held: 0.0,
            contradicted: 0.0,
            read: 0.7,
            chat_open: 0.02,
            answered: 0.25,
            by_button: 0.4,
            quoting: 0.3,
            reacted: 0.05,
            texts: texts.map(str::to_owned).to_vec(),
            buttons: buttons.map(str::to_owned).to_vec(),
        }
    }
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            answer: Span::new(0.01, 0.05),
            held: Span::new(60.0, 300.0),
            sent: Span::new(0.1, 1.0),
            failed: Span::new(0.2, 3.0),
            delivered: Span::new(0.2, 5.0),
            read: Span::new(2.0, 60.0),
            answered: Span::new(3.0, 90.0),
        }
    }
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            duplicated: 0.02,
            late: 0.05,
            lateness: Span::new(0.5, 30.0),
            lost: 0.0,
            updates_per_post: 100,
            posts_at_once: 8,
            attempts: 10,
            first_retry: 1.0,
            backlog: 500_000,
        }
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            refused: 0.0,
            refusal_codes: vec![130_429, 131_056, 131_016, 132_012],
            too_many: 0.0,
            broken: 0.0,
            cut: 0.0,
            silent: 0.0,
            without_id: 0.0,
            accepted_anyway: 0.5,
        }
    }
}

fn check_shares(settings: &SimulatorSettings) -> Result<(), SettingsFault> {
    let SimulatorSettings { outcomes, webhooks, faults, .. } = settings;
    for (name, shares) in [("outcomes", &outcomes.exclusive()[..]), ("faults", &faults.exclusive()[..])] {
        let valid = shares.iter().all(|share| is_share(*share)) && is_share(shares.iter().sum());
        check(valid, name, "has shares outside 0 to 1, or that together are more than 1")?;
    }
    for (name, share) in [
        ("outcomes.sent_before_failing", outcomes.sent_before_failing),
        ("outcomes.held", outcomes.held),
        ("outcomes.contradicted", outcomes.contradicted),
        ("outcomes.read", outcomes.read),
        ("outcomes.chat_open", outcomes.chat_open),
        ("outcomes.answered", outcomes.answered),
        ("outcomes.by_button", outcomes.by_button),
        ("outcomes.quoting", outcomes.quoting),
        ("outcomes.reacted", outcomes.reacted),
        ("webhooks.duplicated", webhooks.duplicated),
        ("webhooks.late", webhooks.late),
        ("webhooks.lost", webhooks.lost),
        ("faults.accepted_anyway", faults.accepted_anyway),
    ] {
        check(is_share(share), name, "is no share from 0 to 1")?;
    }
    Ok(())
}

fn check_spans(settings: &SimulatorSettings) -> Result<(), SettingsFault> {
    let Delays { answer, held, sent, failed, delivered, read, answered } = &settings.delays;
    let lateness = ("webhooks.lateness", &settings.webhooks.lateness);
    let delays = [answer, held, sent, failed, delivered, read, answered].map(|span| ("delays", span));
    for (name, span) in delays.into_iter().chain([lateness]) {
        let ordered = span.min >= 0.0 && span.min <= span.max && span.max.is_finite();
        check(ordered, name, "must go from a min of at least 0 to a max that is not less")?;
    }
    Ok(())
}

fn check_counts(webhooks: &Webhooks) -> Result<(), SettingsFault> {
    check(webhooks.updates_per_post > 0, "webhooks.updates_per_post", "must be at least 1")?;
    check(webhooks.posts_at_once > 0, "webhooks.posts_at_once", "must be at least 1")?;
    check(webhooks.attempts > 0, "webhooks.attempts", "must be at least 1")?;
    check(webhooks.first_retry >= 0.0, "webhooks.first_retry", "must be at least 0")
}

fn is_share(share: f64) -> bool {
    (0.0..=1.0).contains(&share)
}

fn check(holds: bool, name: &str, fault: &str) -> Result<(), SettingsFault> {
    if holds { Ok(()) } else { Err(SettingsFault(format!("{name} {fault}"))) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_name_only_what_they_change() {
        let given = json!({"seed": 7, "outcomes": {"read": 1.0}, "delays": {"read": {"min": 0, "max": 1.5}}});
        let settings: SimulatorSettings = serde_json::from_value(given).unwrap();
        let outcomes = Outcomes { read: 1.0, ..Outcomes::default() };
        let delays = Delays { read: Span::new(0.0, 1.5), ..Delays::default() };
        assert_eq!(settings, SimulatorSettings { seed: 7, outcomes, delays, ..SimulatorSettings::default() });
        assert_eq!(settings.check(), Ok(()));
        assert!(serde_json::from_value::<SimulatorSettings>(json!({"sede": 7})).is_err());
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        for (given, words) in [
            (json!({"speed": 0.0}), "speed"),
            (json!({"app_secret": ""}), "app_secret"),
            (json!({"outcomes": {"failed": 0.8, "withheld": 0.3}}), "outcomes"),
            (json!({"outcomes": {"read": 1.1}}), "outcomes.read"),
            (json!({"faults": {"cut": -0.1}}), "faults"),
            (json!({"delays": {"sent": {"min": 2, "max": 1}}}), "delays"),
            (json!({"webhooks": {"posts_at_once": 0}}), "posts_at_once"),
        ] {
            let settings: SimulatorSettings = serde_json::from_value(given).unwrap();
            assert!(settings.check().unwrap_err().to_string().contains(words), "{words}");
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let settings = SimulatorSettings { access_token: Some(Secret::new("EAAB")), ..SimulatorSettings::default() };
        let shown = format!("{settings:?}");
        assert!(!shown.contains("EAAB") && !shown.contains("\"simulator\""));
    }
}
