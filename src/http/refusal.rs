//! What a request is answered with when it is not carried out: one shape for all, that of a GraphQL error.
//!
//! Handlers return a [`Refusal`]; `boundary` writes it, with the request's id, and logs its cause. So causes stay inside.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};

use super::negotiation::Media;
use crate::graphql::{Code, INTERNAL_MESSAGE, UNAVAILABLE_MESSAGE};
use crate::telemetry::{RequestId, causes};

/// Why a request was not carried out.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    kind: Kind,
    message: Cow<'static, str>,
    media: Media,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// What a program needs beside the sentence, by name.
    details: Map<String, Value>,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

/// What was wrong: the response's status, and the `extensions.code` of its error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The request is malformed.
    BadRequest,
    /// There is no token, or none that is valid.
    Unauthenticated,
    /// The caller may not do this.
    Forbidden,
    /// There is nothing here.
    NotFound,
    /// The address does not allow this method.
    MethodNotAllowed,
    /// Nothing that the client accepts can be answered.
    NotAcceptable,
    /// It does not go together with what is there.
    Conflict,
    /// The request did not arrive in time.
    RequestTimeout,
    /// The request is too large.
    TooLarge,
    /// The body is of a type that is not read.
    UnsupportedMediaType,
    /// What the body says cannot be done.
    Unprocessable,
    /// This address speaks another protocol.
    UpgradeRequired,
    /// The client asks for too much at once.
    TooManyRequests,
    /// The operation took too long.
    Timeout,
    /// Try again later.
    Unavailable,
    /// A fault of the server's.
    Internal,
}

/// A refusal's body.
#[derive(Serialize)]
struct Written {
    errors: [WrittenError; 1],
}

/// A GraphQL error, as it is written.
#[derive(Serialize)]
pub(super) struct WrittenError {
    message: Cow<'static, str>,
    extensions: Extensions,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Extensions {
    code: &'static str,
    request_id: String,
    #[serde(flatten)]
    details: Map<String, Value>,
}

impl Kind {
    const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::Conflict => StatusCode::CONFLICT,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
            Self::UpgradeRequired => StatusCode::UPGRADE_REQUIRED,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::Timeout | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The `extensions.code`: GraphQL's own where it has one for this.
    const fn code(self) -> &'static str {
        match self {
            Self::BadRequest => "BAD_REQUEST",
            Self::Unauthenticated => Code::Unauthenticated.word(),
            Self::Forbidden => Code::Forbidden.word(),
            Self::NotFound => Code::NotFound.word(),
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::NotAcceptable => "NOT_ACCEPTABLE",
            Self::Conflict => "CONFLICT",
            Self::RequestTimeout => "REQUEST_TIMEOUT",
            Self::TooLarge => "TOO_LARGE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::Unprocessable => "UNPROCESSABLE",
            Self::UpgradeRequired => "UPGRADE_REQUIRED",
            Self::TooManyRequests => "TOO_MANY_REQUESTS",
            Self::Timeout => "TIMEOUT",
            Self::Unavailable => Code::Unavailable.word(),
            Self::Internal => Code::Internal.word(),
        }
    }
}

impl Refusal {
    /// Whether another request may fare better, rather than the same one later.
    pub(super) fn is_of_the_client(&self) -> bool {
        self.kind.status().is_client_error()
    }

    /// A refusal with a sentence for the client.
    pub(super) fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            media: Media::Json,
            headers: Vec::new(),
            details: Map::new(),
            cause: None,
        }
    }

    /// A fault of the server, whose cause goes to the log only.
    pub(super) fn internal() -> Self {
        Self::new(Kind::Internal, INTERNAL_MESSAGE)
    }

    /// The server cannot do it now.
    pub(super) fn unavailable() -> Self {
        Self::new(Kind::Unavailable, UNAVAILABLE_MESSAGE)
    }

    /// Also says this in the response's head.
    #[must_use]
    pub(super) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Also tells programs this, beside the code.
    #[must_use]
    pub(super) fn with_detail(mut self, name: &str, detail: Value) -> Self {
        self.details.insert(name.to_owned(), detail);
        self
    }

    /// What to log.
    #[must_use]
    pub(super) fn because(mut self, cause: Arc<dyn Error + Send + Sync>) -> Self {
        self.cause = Some(cause);
        self
    }

    /// Written as this media type.
    #[must_use]
    pub(super) const fn written_as(mut self, media: Media) -> Self {
        self.media = media;
        self
    }

    /// The GraphQL error, for the request of this id. Faults tell the id also to those who read nothing but the sentence.
    pub(super) fn error(&self, request_id: &RequestId) -> WrittenError {
        let message = match self.kind {
            Kind::Internal | Kind::Unavailable => Cow::Owned(format!("{} (request {request_id})", self.message)),
            _ => self.message.clone(),
        };
        let (code, request_id) = (self.kind.code(), request_id.to_string());
        WrittenError { message, extensions: Extensions { code, request_id, details: self.details.clone() } }
    }

    /// The response, for the request of this id.
    pub(super) fn write(mut self, request_id: &RequestId) -> Response {
        if let Some(cause) = &self.cause {
            log(self.kind, cause.as_ref(), request_id);
        }
        let errors = [self.error(request_id)];
        let body = serde_json::to_string(&Written { errors }).unwrap_or_default();
        self.headers.push((CONTENT_TYPE, self.media.header()));
        (self.kind.status(), AppendHeaders(self.headers), Body::from(body)).into_response()
    }
}

impl IntoResponse for Refusal {
    /// A response without a body, that carries the refusal for `boundary` to write.
    fn into_response(self) -> Response {
        let mut response = self.kind.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

fn log(kind: Kind, cause: &(dyn Error + Send + Sync + 'static), request_id: &RequestId) {
    tracing::error!(
        request.id = %request_id,
        response.code = kind.code(),
        error = %cause,
        error.causes = ?causes(cause),
        "a request was not answered"
    );
}
