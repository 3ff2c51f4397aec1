//! Why messages fail: the provider's codes, our own reasons, and whether a retry makes sense.

use std::time::Duration;

use super::clock::Timestamp;
use super::code::coded;

coded! {
    /// Why a deployment failed.
    FailureReason {
        /// The number is not valid, or the provider rejects it.
        InvalidPhone = 0 / "INVALID_PHONE",
        /// The provider cannot reach this number.
        Undeliverable = 1 / "UNDELIVERABLE",
        /// The business blocked the contact.
        BlockedContact = 2 / "BLOCKED_CONTACT",
        /// The contact opted out of messages.
        OptedOut = 3 / "OPTED_OUT",
        /// The contact has an open session with an agent, which takes precedence.
        OpenAgentSession = 4 / "OPEN_AGENT_SESSION",
        /// A rate limit of the provider was still exceeded after our retries.
        RateLimited = 5 / "RATE_LIMITED",
        /// The business portfolio has reached its limit of unique users in 24 hours.
        TierCapacity = 6 / "TIER_CAPACITY",
        /// A parameter of the template is missing or wrong.
        TemplateParameters = 7 / "TEMPLATE_PARAMETERS",
        /// The template is missing, paused, disabled or not approved.
        TemplateUnavailable = 8 / "TEMPLATE_UNAVAILABLE",
        /// The conversation was archived before the deployment left the queue.
        ConversationInactive = 9 / "CONVERSATION_INACTIVE",
        /// The provider chose not to deliver the message.
        Withheld = 10 / "WITHHELD",
        /// The provider excludes the user from marketing messages for an experiment.
        Experiment = 11 / "EXPERIMENT",
        /// The provider's policies forbid the message.
        Policy = 12 / "POLICY",
        /// The line or its account cannot send.
        LineUnavailable = 13 / "LINE_UNAVAILABLE",
        /// The provider still reported an internal error after our retries.
        ProviderError = 14 / "PROVIDER_ERROR",
        /// The message was not delivered within its time to live.
        Expired = 15 / "EXPIRED",
        /// It never became known whether the provider accepted the message.
        OutcomeUnknown = 16 / "OUTCOME_UNKNOWN",
        /// It was canceled before it left the queue: with its send, or as a retry of a message that was delivered after all.
        Canceled = 17 / "CANCELED",
        /// Any other code of the provider.
        Other = 18 / "OTHER",
    }
}

/// A failure that the provider reported. If there are several of a message, the least is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct ProviderFailure {
    /// When the message failed.
    pub at: Timestamp,
    /// The provider's error code, if it gave one.
    pub code: Option<i32>,
    /// The meaning of the code.
    pub reason: FailureReason,
    /// The provider's own description; may be empty.
    pub text: String,
}

/// A failure that we detected ourselves. If there are several of a message, the least is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct OwnFailure {
    /// When it was detected.
    pub at: Timestamp,
    /// Why the message failed.
    pub reason: FailureReason,
}

/// A failure as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Why the message failed.
    pub reason: FailureReason,
    /// The provider's error code, if there is one.
    pub code: Option<i32>,
    /// The provider's description, or else our own.
    pub message: String,
    /// When the message failed.
    pub at: Timestamp,
}

/// Whether sending a failed message again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Retry {
    Never,
    OnceFixed,
    After(Duration),
}

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Codes for a template that becomes available again by itself: paused for its quality, or throttled.
const TEMPORARILY_UNAVAILABLE: [i32; 2] = [132_015, 132_069];

impl FailureReason {
    /// The meaning of a provider's error code, according to its error reference of 2026.
    pub const fn of_provider_code(code: i32) -> Self {
        match code {
            131_021 | 131_030 => Self::InvalidPhone,
            131_026 => Self::Undeliverable,
            130_403 => Self::BlockedContact,
            131_050 => Self::OptedOut,
            4 | 80_007 | 130_429 | 131_056 => Self::RateLimited,
            131_008 | 131_009 | 132_000 | 132_005 | 132_012 | 132_018 => Self::TemplateParameters,
            132_001 | 132_007 | 132_015 | 132_016 | 132_068 | 132_069 => Self::TemplateUnavailable,
            131_049 => Self::Withheld,
            130_472 => Self::Experiment,
            130_497 | 131_047 | 131_048 | 131_064 | 368 => Self::Policy,
            1 | 2 | 131_000 | 131_016 | 131_057 | 133_004 => Self::ProviderError,
            0 | 3 | 10 | 33 | 190 | 200..=299 | 131_005 | 131_031 | 131_037 | 131_042 | 131_045 | 133_000..=133_999 => {
                Self::LineUnavailable
            }
            _ => Self::Other,
        }
    }

    /// Whether only we can detect it, as the provider has no code for it.
    pub const fn is_ours(self) -> bool {
        matches!(
            self,
            Self::OpenAgentSession | Self::ConversationInactive | Self::Expired | Self::OutcomeUnknown | Self::Canceled
        )
    }

    /// The description that is shown if the provider gave none.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::InvalidPhone => "The number is not a valid phone number.",
            Self::Undeliverable => "WhatsApp cannot deliver to this number.",
            Self::BlockedContact => "This contact is blocked.",
            Self::OptedOut => "The contact asked to receive no more messages.",
            Self::OpenAgentSession => "The contact has an open session with an agent.",
            Self::RateLimited => "The rate limit of the line or the account was reached.",
            Self::TierCapacity => "The account has reached its number of unique users in 24 hours.",
            Self::TemplateParameters => "A parameter of the template is missing or does not fit.",
            Self::TemplateUnavailable => "The template is not available.",
            Self::ConversationInactive => "The conversation was archived before this message left the queue.",
            Self::Withheld => "WhatsApp chose not to deliver this message.",
            Self::Experiment => "WhatsApp holds this user out of marketing messages for an experiment.",
            Self::Policy => "WhatsApp's policies do not allow this message.",
            Self::LineUnavailable => "The line or its account cannot send.",
            Self::ProviderError => "WhatsApp had a fault.",
            Self::Expired => "The message was not delivered within its time to live.",
            Self::OutcomeUnknown => "It was never learnt what became of this message.",
            Self::Canceled => {
                "It was canceled before it left the queue: with its send, or as a retry that was not needed any more."
            }
            Self::Other => "The message failed.",
        }
    }

    /// Whether sending again may help, by itself or once something was mended; the provider's code tells more.
    pub fn retryable(self, code: Option<i32>) -> bool {
        self.retry(code) != Retry::Never
    }

    /// How long after the failure sending again makes sense; `None` if there is no reason to wait.
    pub const fn wait(self) -> Option<Duration> {
        match self.retry(None) {
            Retry::After(wait) => Some(wait),
            Retry::Never | Retry::OnceFixed => None,
        }
    }

    const fn retry(self, code: Option<i32>) -> Retry {
        match self {
            Self::RateLimited => Retry::After(HOUR),
            Self::TierCapacity | Self::Withheld => Retry::After(DAY),
            Self::OpenAgentSession
            | Self::TemplateParameters
            | Self::LineUnavailable
            | Self::ProviderError
            | Self::Expired => Retry::OnceFixed,
            Self::TemplateUnavailable => match code {
                Some(code) if code == TEMPORARILY_UNAVAILABLE[0] || code == TEMPORARILY_UNAVAILABLE[1] => {
                    Retry::OnceFixed
                }
                _ => Retry::Never,
            },
            _ => Retry::Never,
        }
    }
}

impl Failure {
    /// Whether sending the message again may succeed.
    pub fn retryable(&self) -> bool {
        self.reason.retryable(self.code)
    }

    /// The earliest time at which sending again makes sense; `None` if there is no reason to wait.
    pub fn retry_after(&self) -> Option<Timestamp> {
        self.reason.wait().map(|wait| self.at.plus(wait))
    }
}

impl From<&ProviderFailure> for Failure {
    fn from(failure: &ProviderFailure) -> Self {
        let message = if failure.text.is_empty() { failure.reason.sentence().to_owned() } else { failure.text.clone() };
        Self { reason: failure.reason, code: failure.code, message, at: failure.at }
    }
}

impl From<OwnFailure> for Failure {
    fn from(refusal: OwnFailure) -> Self {
        Self { reason: refusal.reason, code: None, message: refusal.reason.sentence().to_owned(), at: refusal.at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_the_provider_documents() {
        for (code, reason) in [
            (131_026, FailureReason::Undeliverable),
            (133_004, FailureReason::ProviderError),
            (133_010, FailureReason::LineUnavailable),
            (250, FailureReason::LineUnavailable),
            (131_056, FailureReason::RateLimited),
            (131_052, FailureReason::Other),
            (-7, FailureReason::Other),
        ] {
            assert_eq!(FailureReason::of_provider_code(code), reason, "{code}");
        }
    }

    #[test]
    fn a_paused_template_can_be_retried_and_a_disabled_one_cannot() {
        let failure = |code| {
            let at = Timestamp::from_seconds(100).unwrap();
            Failure { reason: FailureReason::TemplateUnavailable, code: Some(code), message: String::new(), at }
        };
        assert!(failure(132_015).retryable());
        assert!(!failure(132_016).retryable());
    }

    #[test]
    fn a_withheld_message_can_be_retried_after_a_day() {
        let at = Timestamp::from_seconds(100).unwrap();
        let failure = Failure::from(OwnFailure { at, reason: FailureReason::Withheld });
        assert_eq!(failure.retry_after(), Timestamp::from_seconds(100 + 86_400));
    }
}
