//! The simulator's settings. Each has a default, so a file contains only what it changes.
//!
//! Probabilities are numbers from 0 (never) to 1 (always). Times are in seconds of simulated time, which runs `speed` times as
//! fast as real time.

mod outcomes;

use std::time::Duration;

use serde::Deserialize;

pub use self::outcomes::{Outcomes, Reply};
use crate::config::Secret;

/// The settings of a simulator.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulatorSettings {
    /// The seed of all randomness. What happens to a message depends only on it, on the line, on the recipient, on the
    /// number of earlier messages to that recipient on that line, and on what the message says. 1 by default.
    pub seed: u64,
    /// How many times faster than real time everything happens; greater than 0, and 1 by default.
    pub speed: f64,
    /// The only accepted token; any token is accepted if this is absent.
    pub access_token: Option<Secret>,
    /// The secret with which webhooks are signed; `simulator` by default.
    pub app_secret: Secret,
    /// The URL to which webhooks are posted; none are posted if this is absent.
    pub webhook_url: Option<String>,
    /// How long after a user's last message to a line free-form messages may be sent to that user, in seconds; 86,400
    /// by default. A message counts from when its webhook is posted, so one whose webhook is lost does not count.
    pub window: f64,
    /// What happens to accepted messages.
    pub outcomes: Outcomes,
    /// How long things take.
    pub delays: Delays,
    /// How webhooks are posted.
    pub webhooks: Webhooks,
    /// What goes wrong with calls.
    pub faults: Faults,
}

/// How long everything takes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Delays {
    /// From a call to its answer; 0.01 to 0.05 by default.
    pub answer: Span,
    /// How long a held message is held back; 60 to 300 by default.
    pub held: Span,
    /// From the call to `sent`; 0.1 to 1 by default.
    pub sent: Span,
    /// From the call, or from `sent`, to `failed`; 0.2 to 3 by default.
    pub failed: Span,
    /// From `sent` to `delivered`; 0.2 to 5 by default.
    pub delivered: Span,
    /// From `delivered` to `read`; 2 to 60 by default.
    pub read: Span,
    /// From `read`, or from `delivered`, to the answer; 3 to 90 by default. Slow answers take ten times as long.
    pub answered: Span,
}

/// How webhooks are posted.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhooks {
    /// The probability that an update is posted twice; 0.02 by default.
    pub duplicated: f64,
    /// The probability that an update is posted late, and so out of order; 0.05 by default.
    pub late: f64,
    /// The delay of a late update or of a duplicate; 0.5 to 30 by default.
    pub lateness: Span,
    /// The probability that an update is never posted; 0 by default.
    pub lost: f64,
    /// The most updates in one webhook. Updates that are due at the same time are posted together. 100 by default.
    pub updates_per_post: usize,
    /// The most concurrent posts; 8 by default.
    pub posts_at_once: usize,
    /// The most attempts to post a webhook until it is answered with 200; 10 by default.
    pub attempts: u32,
    /// The delay before the second attempt, which doubles with each attempt; 1 by default.
    pub first_retry: f64,
    /// The most updates that may wait to be posted. Beyond that, calls are rejected with code 130429. 500,000 by default.
    pub backlog: usize,
}

/// What goes wrong with calls. Except for the last one, the probabilities are mutually exclusive and 0 by default.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Rejected with one of `refusal_codes`.
    pub refused: f64,
    /// The codes of rejections; 130429, 131056, 131016 and 132012 by default.
    pub refusal_codes: Vec<i32>,
    /// HTTP 429 without a code, and with `Retry-After: 1`.
    pub too_many: f64,
    /// HTTP 500 without a code.
    pub broken: f64,
    /// The connection breaks before the answer is complete.
    pub cut: f64,
    /// No answer at all.
    pub silent: f64,
    /// HTTP 200 without an id.
    pub without_id: f64,
    /// HTTP 200 with something other than JSON.
    pub garbage: f64,
    /// Of the last five: the message is accepted nevertheless, and its webhooks follow; 0.5 by default.
    pub accepted_anyway: f64,
}

/// A range of times in seconds, which are uniformly distributed.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The shortest time, in seconds.
    pub min: f64,
    /// The longest time, in seconds.
    pub max: f64,
}

/// A setting that is out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the simulator's setting {0}")]
pub struct SettingsFault(String);

impl SimulatorSettings {
    /// Converts simulated seconds to real time.
    pub(super) fn real(&self, seconds: f64) -> Duration {
        Duration::try_from_secs_f64(seconds / self.speed).unwrap_or_default()
    }

    /// Converts real time to simulated seconds.
    pub(super) fn simulated(&self, real: Duration) -> f64 {
        real.as_secs_f64() * self.speed
    }

    /// Refuses settings that are out of range.
    pub(super) fn check(&self) -> Result<(), SettingsFault> {
        if !(self.speed.is_finite() && self.speed > 0.0) {
            return Err(SettingsFault("speed must be greater than 0".into()));
        }
        if self.app_secret.expose().is_empty() {
            return Err(SettingsFault("app_secret must not be empty".into()));
        }
        check(self.window >= 0.0, "window", "must be at least 0")?;
        check_probabilities(self)?;
        self.faults.check()?;
        check_spans(self)?;
        check_counts(&self.webhooks)
    }
}

impl Span {
    /// From `min` to `max`.
    pub const fn new(min: f64, max: f64) -> Self {
        Self { min, max }
    }

    /// The span of 0 seconds.
    pub const ZERO: Self = Self::new(0.0, 0.0);

    /// A span that is longer by a factor.
    pub(super) const fn times(self, factor: f64) -> Self {
        Self::new(self.min * factor, self.max * factor)
    }
}

impl Faults {
    /// The mutually exclusive probabilities, in the order in which they are drawn.
    pub(super) const fn exclusive(&self) -> [f64; 7] {
        [self.refused, self.too_many, self.broken, self.cut, self.silent, self.without_id, self.garbage]
    }
}

impl Faults {
    /// Refuses settings that are out of range.
    pub(super) fn check(&self) -> Result<(), SettingsFault> {
        check_exclusive("faults", &self.exclusive())?;
        check(is_probability(self.accepted_anyway), "faults.accepted_anyway", "is not a probability from 0 to 1")
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
            window: 86_400.0,
            outcomes: Outcomes::default(),
            delays: Delays::default(),
            webhooks: Webhooks::default(),
            faults: Faults::default(),
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
            garbage: 0.0,
            accepted_anyway: 0.5,
        }
    }
}

fn check_probabilities(settings: &SimulatorSettings) -> Result<(), SettingsFault> {
    let SimulatorSettings { outcomes, webhooks, .. } = settings;
    outcomes.check()?;
    for (name, share) in [
        ("webhooks.duplicated", webhooks.duplicated),
        ("webhooks.late", webhooks.late),
        ("webhooks.lost", webhooks.lost),
    ] {
        check(is_probability(share), name, "is not a probability from 0 to 1")?;
    }
    Ok(())
}

/// Refuses probabilities that cannot be those of alternatives.
fn check_exclusive(name: &str, probabilities: &[f64]) -> Result<(), SettingsFault> {
    let valid = probabilities.iter().all(|one| is_probability(*one)) && is_probability(probabilities.iter().sum());
    check(valid, name, "has probabilities outside 0 to 1, or with a sum greater than 1")
}

fn check_spans(settings: &SimulatorSettings) -> Result<(), SettingsFault> {
    let Delays { answer, held, sent, failed, delivered, read, answered } = &settings.delays;
    let lateness = ("webhooks.lateness", &settings.webhooks.lateness);
    let delays = [answer, held, sent, failed, delivered, read, answered].map(|span| ("delays", span));
    for (name, span) in delays.into_iter().chain([lateness]) {
        let ordered = span.min >= 0.0 && span.min <= span.max && span.max.is_finite();
        check(ordered, name, "must have a min of at least 0 and a max of at least min")?;
    }
    Ok(())
}

fn check_counts(webhooks: &Webhooks) -> Result<(), SettingsFault> {
    check(webhooks.updates_per_post > 0, "webhooks.updates_per_post", "must be at least 1")?;
    check(webhooks.posts_at_once > 0, "webhooks.posts_at_once", "must be at least 1")?;
    check(webhooks.attempts > 0, "webhooks.attempts", "must be at least 1")?;
    check(webhooks.first_retry >= 0.0, "webhooks.first_retry", "must be at least 0")
}

fn is_probability(share: f64) -> bool {
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
    fn settings_contain_only_what_they_change() {
        let given = json!({"seed": 7, "outcomes": {"read": 1.0}, "delays": {"read": {"min": 0, "max": 1.5}}});
        let settings: SimulatorSettings = serde_json::from_value(given).unwrap();
        let outcomes = Outcomes { read: 1.0, ..Outcomes::default() };
        let delays = Delays { read: Span::new(0.0, 1.5), ..Delays::default() };
        assert_eq!(settings, SimulatorSettings { seed: 7, outcomes, delays, ..SimulatorSettings::default() });
        assert_eq!(settings.check(), Ok(()));
        assert!(serde_json::from_value::<SimulatorSettings>(json!({"sede": 7})).is_err());
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        for (given, words) in [
            (json!({"speed": 0.0}), "speed"),
            (json!({"app_secret": ""}), "app_secret"),
            (json!({"outcomes": {"failed": 0.8, "withheld": 0.3}}), "outcomes"),
            (json!({"outcomes": {"read": 1.1}}), "outcomes.read"),
            (json!({"outcomes": {"opted_out": -0.1}}), "outcomes.opted_out"),
            (json!({"outcomes": {"slow": 2}}), "outcomes.slow"),
            (json!({"outcomes": {"replies": [{"contains": "a", "answered": 1.5}]}}), "outcomes.replies"),
            (json!({"window": -1}), "window"),
            (json!({"faults": {"cut": -0.1}}), "faults"),
            (json!({"delays": {"sent": {"min": 2, "max": 1}}}), "delays"),
            (json!({"webhooks": {"posts_at_once": 0}}), "posts_at_once"),
        ] {
            let settings: SimulatorSettings = serde_json::from_value(given).unwrap();
            assert!(settings.check().unwrap_err().to_string().contains(words), "{words}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let settings = SimulatorSettings { access_token: Some(Secret::new("EAAB")), ..SimulatorSettings::default() };
        let shown = format!("{settings:?}");
        assert!(!shown.contains("EAAB") && !shown.contains("\"simulator\""));
    }
}
