//! Why a socket is closed: the codes of `graphql-transport-ws`, and of WebSocket itself.

use std::borrow::Cow;

use axum::extract::ws::{CloseFrame, Message};

use crate::http::sockets::Full;

/// Why a socket is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    /// The server is shutting down: reconnect.
    GoingAway,
    /// A message is too long.
    TooLong,
    /// The server cannot identify the client now: retry.
    TryAgain,
    /// The client reads too slowly for what it asks for: come back with less.
    TooSlow,
    /// Too many sockets are open: come back later.
    Full(Full),
    /// A message that is not part of the protocol, and what is wrong with it.
    Malformed(&'static str),
    /// An operation before the greeting.
    Unauthorized,
    /// The token is missing, unknown, or was revoked.
    Forbidden,
    /// The client offers no sub-protocol that is spoken here.
    Subprotocol,
    /// No greeting in time.
    InitTimeout,
    /// An operation of this id is running already.
    DuplicateId,
    /// A second greeting.
    TooManyInits,
}

impl Closing {
    const fn code(self) -> u16 {
        match self {
            Self::GoingAway => 1001,
            Self::TooLong => 1009,
            Self::TryAgain | Self::TooSlow | Self::Full(_) => 1013,
            Self::Malformed(_) => 4400,
            Self::Unauthorized => 4401,
            Self::Forbidden => 4403,
            Self::Subprotocol => 4406,
            Self::InitTimeout => 4408,
            Self::DuplicateId => 4409,
            Self::TooManyInits => 4429,
        }
    }

    fn reason(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Full(full) => return full.to_string().into(),
            Self::GoingAway => "Going away",
            Self::TooLong => "Message too long",
            Self::TryAgain => "Try again later",
            Self::TooSlow => "Too much is waiting to be read: read faster, or subscribe to less",
            Self::Malformed(what) => what,
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::Subprotocol => "Subprotocol not acceptable",
            Self::InitTimeout => "Connection initialisation timeout",
            Self::DuplicateId => "Subscriber already exists",
            Self::TooManyInits => "Too many initialisation requests",
        })
    }
}

impl From<Closing> for Message {
    fn from(closing: Closing) -> Self {
        Self::Close(Some(CloseFrame { code: closing.code(), reason: closing.reason().as_ref().into() }))
    }
}
