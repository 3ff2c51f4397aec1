//! The parameters of `POST /sends`, in its query string.

use std::time::Duration;

use axum::extract::Query;
use axum::http::Uri;

use crate::dispatch::uploads::Order;
use crate::domain::clock::Timestamp;
use crate::domain::id::{AnyId, ConversationId};
use crate::domain::send::TIMES_TO_LIVE;
use crate::http::refusal::{Kind, Refusal};

const NAMES: [&str; 5] = ["conversationId", "scheduledAt", "timeToLiveSeconds", "idempotencyKey", "skipInvalid"];

/// How much of an unknown name an error repeats, in characters.
const NAME_CHARACTERS: usize = 40;

/// Parameters by name, each given once.
struct Given(Vec<(String, String)>);

/// Reads a query string.
pub(super) fn read(query: &str) -> Result<Order, Refusal> {
    let given = Given::read(query)?;
    let id = given.get("conversationId").ok_or_else(|| bad("conversationId is required"))?;
    Ok(Order {
        conversation: conversation(id)?,
        scheduled_at: given.get("scheduledAt").map(time).transpose()?,
        time_to_live: given.get("timeToLiveSeconds").map(time_to_live).transpose()?,
        idempotency_key: given.get("idempotencyKey").map(str::to_owned),
        skip_invalid: given.get("skipInvalid").map(flag).transpose()?.unwrap_or_default(),
    })
}

impl Given {
    fn read(query: &str) -> Result<Self, Refusal> {
        let malformed = || bad("The query string is malformed");
        let uri = Uri::builder().path_and_query(format!("/?{query}")).build().map_err(|_| malformed())?;
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&uri).map_err(|_| malformed())?;
        for (at, (name, _)) in pairs.iter().enumerate() {
            if !NAMES.contains(&name.as_str()) {
                let name: String = name.chars().take(NAME_CHARACTERS).collect();
                return Err(bad(format!("There is no parameter {name:?}; the parameters are {}", NAMES.join(", "))));
            }
            if pairs.iter().skip(at + 1).any(|(other, _)| other == name) {
                return Err(bad(format!("{name} is given twice")));
            }
        }
        Ok(Self(pairs))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}

fn conversation(text: &str) -> Result<ConversationId, Refusal> {
    match AnyId::parse(text) {
        Ok(AnyId::Conversation(id)) => Ok(id),
        Ok(_) => {
            let message = "conversationId does not name a conversation in this workspace";
            Err(Refusal::new(Kind::NotFound, message))
        }
        Err(malformed) => Err(bad(format!("conversationId {malformed}"))),
    }
}

fn time(text: &str) -> Result<Timestamp, Refusal> {
    let message = "scheduledAt must be a time in RFC 3339 between 1970 and 2099, such as 2026-11-22T12:00:00Z; a + is \
                   written %2B";
    Timestamp::parse(text).ok_or_else(|| bad(message))
}

fn time_to_live(text: &str) -> Result<Duration, Refusal> {
    let given = text.parse().map(Duration::from_secs).ok().filter(|given| TIMES_TO_LIVE.contains(given));
    given.ok_or_else(|| bad("timeToLiveSeconds must be between 30 and 2592000 (30 days)"))
}

fn flag(text: &str) -> Result<bool, Refusal> {
    text.parse().map_err(|_| bad("skipInvalid must be true or false"))
}

fn bad(message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(Kind::BadRequest, message)
}
