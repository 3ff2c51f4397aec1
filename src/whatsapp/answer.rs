//! The meaning of the provider's answer to a call, from its status, headers and body alone.
//!
//! The provider asks clients to rely on error codes, never on titles or HTTP statuses, so a readable code takes precedence over
//! the status. Everything else follows from the rule that no message is ever sent twice: only what certainly did not arrive
//! may be sent again, and an answer that cannot be understood is an unknown outcome.

use std::time::Duration;

use serde_json::Value;

use super::error::ErrorObject;
use super::ids::{provider_id, wa_id};
use crate::domain::failure::FailureReason;

/// The result of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The provider accepted the message.
    Accepted(Accepted),
    /// The provider rejected the message with an error code.
    Rejected(Rejected),
    /// The message certainly did not arrive, so it may be sent again.
    NotSent {
        /// How long the provider asks us to wait, if it does.
        retry_after: Option<Duration>,
    },
    /// It is unknown whether the message arrived, so it must not be sent again automatically.
    Unknown,
}

impl Answer {
    /// What became of the call, in a word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::Rejected(_) => "rejected",
            Self::NotSent { .. } => "not_sent",
            Self::Unknown => "unknown",
        }
    }
}

/// The provider accepted the message. That does not mean that it has been sent, let alone delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The provider's id of the message.
    pub provider_message_id: String,
    /// The recipient's WhatsApp id, whose digits may differ from those of the number.
    pub wa_id: Option<String>,
    /// The provider's user id of the recipient.
    pub provider_user_id: Option<String>,
    /// Whether the provider holds the message back, to assess the template's quality or because the template is paused.
    /// If it drops the message later, it reports that in a webhook.
    pub held: bool,
}

/// The provider rejected the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The provider's error code.
    pub code: i32,
    /// The provider's description; may be empty.
    pub text: String,
    /// What to do about it.
    pub action: Action,
    /// How long the provider asks us to wait, if it does.
    pub retry_after: Option<Duration>,
}

/// What to do about a rejected message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Fail the message.
    Fail,
    /// Fail the message and stop the line, since going on would make things worse.
    FailAndStopLine,
    /// Retry the message later.
    Retry(Trouble),
    /// Stop the line, since none of its messages can succeed. They stay queued.
    StopLine,
}

/// Why a message is to be retried later, which decides when and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// An unspecific error, which may be of the provider or of the message.
    Unclear,
    /// The provider is temporarily unavailable.
    Unavailable,
    /// The account is under maintenance, for some minutes.
    Maintenance,
    /// The line or the account sends too fast.
    Throttled,
    /// Too many messages to the same user; nobody else has to wait.
    Pair,
}

/// The longest wait that we accept from the provider.
const MAX_WAIT: Duration = Duration::from_hours(24);

const TOO_MANY_REQUESTS: u16 = 429;

impl Action {
    /// What to do about a call that was rejected with `code`.
    pub fn of_provider_code(code: i32) -> Self {
        match code {
            1 | 131_000 | 131_053 => Self::Retry(Trouble::Unclear),
            2 | 131_016 | 133_004 => Self::Retry(Trouble::Unavailable),
            131_057 => Self::Retry(Trouble::Maintenance),
            4 | 80_007 | 130_429 => Self::Retry(Trouble::Throttled),
            131_056 => Self::Retry(Trouble::Pair),
            368 | 131_048 => Self::FailAndStopLine,
            _ if FailureReason::of_provider_code(code) == FailureReason::LineUnavailable => Self::StopLine,
            _ => Self::Fail,
        }
    }
}

impl Answer {
    /// The meaning of an HTTP response.
    pub(super) fn read(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let accepted = Some(&body).filter(|_| (200..300).contains(&status)).and_then(Accepted::read);
        let rejected = || Rejected::read(&body, retry_after).map(Self::Rejected);
        let answer = accepted.map(Self::Accepted).or_else(rejected);
        answer.unwrap_or_else(|| Self::without_code(status, retry_after))
    }

    /// The meaning of an HTTP response without a readable code.
    fn without_code(status: u16, retry_after: Option<Duration>) -> Self {
        if status == TOO_MANY_REQUESTS { Self::NotSent { retry_after } } else { Self::Unknown }
    }
}

impl Accepted {
    fn read(body: &Value) -> Option<Self> {
        let message = body.get("messages")?.get(0)?;
        let contact = body.get("contacts").and_then(|contacts| contacts.get(0));
        let told = |key: &str| contact.and_then(|contact| contact.get(key)).and_then(Value::as_str);
        let status = message.get("message_status").and_then(Value::as_str);
        Some(Self {
            provider_message_id: message.get("id").and_then(Value::as_str).and_then(provider_id)?,
            wa_id: told("wa_id").and_then(wa_id),
            provider_user_id: told("user_id").and_then(provider_id),
            held: matches!(status, Some("held_for_quality_assessment" | "paused")),
        })
    }
}

impl Rejected {
    fn read(body: &Value, retry_after: Option<Duration>) -> Option<Self> {
        let ErrorObject { code, text } = ErrorObject::read(body.get("error")?);
        code.map(|code| Self { code, text, action: Action::of_provider_code(code), retry_after })
    }
}

/// The wait requested by a `Retry-After` header: a number of seconds, or a date, which is relative to the response's `Date`.
pub(super) fn retry_after(header: &str, date: Option<&str>) -> Option<Duration> {
    let seconds = header.trim().parse::<u64>().ok().map(Duration::from_secs);
    seconds.or_else(|| between(date?, header)).map(|wait| wait.min(MAX_WAIT))
}

fn between(date: &str, later: &str) -> Option<Duration> {
    let instant = |text: &str| chrono::DateTime::parse_from_rfc2822(text.trim()).ok();
    Some((instant(later)? - instant(date)?).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Every code of the provider's reference, and the action it leads to.
    const ACTIONS: [(Action, &[i32]); 8] = [
        (Action::Retry(Trouble::Unclear), &[1, 131_000, 131_053]),
        (Action::Retry(Trouble::Unavailable), &[2, 131_016, 133_004]),
        (Action::Retry(Trouble::Maintenance), &[131_057]),
        (Action::Retry(Trouble::Throttled), &[4, 80_007, 130_429]),
        (Action::Retry(Trouble::Pair), &[131_056]),
        (Action::FailAndStopLine, &[368, 131_048]),
        (
            Action::StopLine,
            &[
                0, 3, 10, 33, 190, 200, 250, 299, 131_005, 131_031, 131_037, 131_042, 131_045, 133_000, 133_005,
                133_006, 133_008, 133_009, 133_010, 133_015, 133_016,
            ],
        ),
        (
            Action::Fail,
            &[
                100,
                130_403,
                130_472,
                130_497,
                131_008,
                131_009,
                131_021,
                131_026,
                131_030,
                131_047,
                131_049,
                131_050,
                131_051,
                131_052,
                131_055,
                131_062,
                131_063,
                131_064,
                132_000,
                132_001,
                132_005,
                132_007,
                132_012,
                132_015,
                132_016,
                132_018,
                132_068,
                132_069,
                134_011,
                134_100,
                134_101,
                134_102,
                135_000,
                199,
                300,
                -1,
                i32::MAX,
                i32::MIN,
            ],
        ),
    ];

    fn read(status: u16, body: &Value) -> Answer {
        Answer::read(status, None, body.to_string().as_bytes())
    }

    fn refusal(code: i32) -> Value {
        json!({"error": {"message": "(#1) Words", "type": "OAuthException", "code": code, "fbtrace_id": "A"}})
    }

    #[test]
    fn a_message_id_means_accepted() {
        let body = json!({
            "messaging_product": "whatsapp",
            "contacts": [{"input": "+5511999", "wa_id": "551199", "user_id": "BR.1349"}],
            "messages": [{"id": "wamid.A", "message_status": "accepted"}],
        });
        let accepted = Accepted {
            provider_message_id: "wamid.A".into(),
            wa_id: Some("551199".into()),
            provider_user_id: Some("BR.1349".into()),
            held: false,
        };
        assert_eq!(read(200, &body), Answer::Accepted(accepted));
    }

    #[test]
    fn a_message_held_for_quality_or_with_its_template_paused_is_held() {
        for (status, held) in
            [("accepted", false), ("held_for_quality_assessment", true), ("paused", true), ("new word", false)]
        {
            let body = json!({"messages": [{"id": "wamid.A", "message_status": status}]});
            let Answer::Accepted(accepted) = read(200, &body) else { panic!("{status}") };
            assert_eq!(accepted.held, held, "{status}");
            assert_eq!(accepted.wa_id, None);
        }
    }

    #[test]
    fn a_code_means_rejected_whatever_the_http_status() {
        for status in [200, 400, 401, 403, 429, 500, 503] {
            let Answer::Rejected(rejected) = read(status, &refusal(131_008)) else { panic!("{status}") };
            assert_eq!((rejected.code, rejected.action), (131_008, Action::Fail));
        }
    }

    #[test]
    fn without_a_code_only_too_many_requests_may_be_sent_again() {
        for status in [200, 201, 204, 301, 400, 401, 403, 404, 408, 413, 500, 501, 502, 503, 504] {
            for body in ["", "{}", "[]", "<html>", "null", r#"{"error": {"code": "x"}}"#, r#"{"messages": []}"#] {
                assert_eq!(Answer::read(status, None, body.as_bytes()), Answer::Unknown, "{status} {body}");
            }
        }
        let wait = Some(Duration::from_secs(3));
        assert_eq!(Answer::read(429, wait, b"slow down"), Answer::NotSent { retry_after: wait });
    }

    #[test]
    fn an_id_that_cannot_be_stored_or_comes_with_a_failure_status_is_an_unknown_outcome() {
        let message = |id: &str| json!({"messages": [{"id": id}]});
        assert_eq!(read(500, &message("wamid.A")), Answer::Unknown);
        assert_eq!(read(200, &message("a\u{0}")), Answer::Unknown);
        assert_eq!(read(200, &json!({"messages": [{"id": 7}]})), Answer::Unknown);
        assert_eq!(read(400, &json!({"error": {"code": 99_999_999_999_i64}})), Answer::Unknown);
    }

    #[test]
    fn every_code_has_its_action() {
        for (action, codes) in ACTIONS {
            for &code in codes {
                assert_eq!(Action::of_provider_code(code), action, "{code}");
            }
        }
    }

    #[test]
    fn a_wait_is_read_from_seconds_or_from_a_date() {
        let date = Some("Wed, 21 Oct 2026 07:28:00 GMT");
        assert_eq!(retry_after("120", None), Some(Duration::from_mins(2)));
        assert_eq!(retry_after("Wed, 21 Oct 2026 07:28:05 GMT", date), Some(Duration::from_secs(5)));
        assert_eq!(retry_after("Wed, 21 Oct 2026 07:27:00 GMT", date), Some(Duration::ZERO));
        assert_eq!(retry_after("Wed, 21 Oct 2026 07:28:05 GMT", None), None);
        assert_eq!(retry_after("soon", date), None);
        assert_eq!(retry_after("18446744073709551615", None), Some(MAX_WAIT));
    }
}
