//! The one place that turns errors into GraphQL errors.
//!
//! Resolvers return [`ApiError`] and know nothing of codes or request ids. async-graphql carries the error along as the
//! source of its own; [`finish`] inspects it once the response is complete, gives every error of the response its
//! `extensions.code`, and logs the causes of faults, each once, however many fields it failed. What a client sees of a
//! fault is a fixed sentence and the request's id.

use std::collections::HashSet;
use std::error::Error as StdError;
use std::sync::Arc;

use async_graphql::{PathSegment, Response, ServerError, Value};

use super::document::Limit;
use super::place::Place;
use crate::auth::Scope;
use crate::dispatch::AgentError;
use crate::domain::input::Fault;
use crate::domain::page::PageFault;
use crate::live::LogError;
use crate::recorder::RecordError;
use crate::storage::StorageError;
use crate::telemetry::{RequestId, causes};

/// Why a field has no value.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum ApiError {
    /// An argument that is malformed or out of range.
    #[error("Argument \"{0}\" {1}")]
    Argument(Place, Fault),
    /// Arguments that name no page.
    #[error(transparent)]
    Page(#[from] PageFault),
    /// What was asked to be followed is not there.
    #[error("Argument \"{1}\" does not name a {0} in this workspace")]
    NotFound(&'static str, &'static str),
    /// What a subscription is to continue with is no longer in the log.
    #[error(
        "The changes after revision {after} are gone, since the log begins after revision {trimmed}: read the users afresh, \
         and subscribe after the revision of their metrics"
    )]
    Trimmed {
        /// Where the client wants to continue.
        after: i64,
        /// The last revision that was removed.
        trimmed: i64,
    },
    /// The token does not allow it.
    #[error("This requires a token with the scope {}", .0.word().to_uppercase())]
    Forbidden(Scope),
    /// The database or the recorder cannot answer now; the same request may succeed later.
    #[error("{}", UNAVAILABLE_MESSAGE)]
    Unavailable(#[source] Cause),
    /// A fault of this program or of its data.
    #[error("{}", INTERNAL_MESSAGE)]
    Internal(#[source] Cause),
}

/// What clients are told while the database or the recorder cannot answer.
pub const UNAVAILABLE_MESSAGE: &str = "The service is temporarily unavailable; try again later";
/// What clients are told about a fault of the server.
pub const INTERNAL_MESSAGE: &str = "Internal server error";

/// The longest message of an error, in bytes.
const MAX_MESSAGE_BYTES: usize = 1_000;

/// What a fault was caused by; the fields that it failed share it.
pub(crate) type Cause = Arc<dyn StdError + Send + Sync>;

/// What resolvers return.
pub(crate) type Result<T, E = ApiError> = std::result::Result<T, E>;

/// A fault without a deeper cause.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Broken(&'static str);

/// The values of `extensions.code` that a GraphQL response may hold; HTTP has some more for requests that it rejects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The document is not GraphQL.
    ParseFailed,
    /// The document does not fit the schema.
    ValidationFailed,
    /// An argument is malformed or out of range.
    BadUserInput,
    /// What was asked to be followed is not there.
    NotFound,
    /// What a subscription is to continue with is no longer in the log.
    RevisionTrimmed,
    /// There is no token, or none that is valid.
    Unauthenticated,
    /// The token does not allow it.
    Forbidden,
    /// Try again later.
    Unavailable,
    /// More is asked for than may be.
    Exceeded(Limit),
    /// The token has spent what it may.
    RateLimited,
    /// The schema may not be asked for.
    IntrospectionDisabled,
    /// The document that is named is not known here: it is to be sent along.
    PersistedQueryNotFound,
    /// The document is not one of those that may run.
    DocumentNotTrusted,
    /// A fault of the server's.
    Internal,
}

impl ApiError {
    /// A fault of this program, told by a sentence for the log.
    pub(crate) fn broken(what: &'static str) -> Self {
        Self::Internal(Arc::new(Broken(what)))
    }

    /// A fault in an argument of the field itself.
    pub(crate) fn argument(name: &'static str, fault: impl Into<String>) -> Self {
        Self::Argument(Place::of(name), Fault::new(fault))
    }

    const fn code(&self) -> Code {
        match self {
            Self::Argument(..) | Self::Page(_) => Code::BadUserInput,
            Self::NotFound(..) => Code::NotFound,
            Self::Trimmed { .. } => Code::RevisionTrimmed,
            Self::Forbidden(_) => Code::Forbidden,
            Self::Unavailable(_) => Code::Unavailable,
            Self::Internal(_) => Code::Internal,
        }
    }

    const fn cause(&self) -> Option<&Cause> {
        match self {
            Self::Unavailable(cause) | Self::Internal(cause) => Some(cause),
            _ => None,
        }
    }
}

impl Code {
    /// How it is written.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ParseFailed => "GRAPHQL_PARSE_FAILED",
            Self::ValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::NotFound => "NOT_FOUND",
            Self::RevisionTrimmed => "REVISION_TRIMMED",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::Unavailable => "UNAVAILABLE",
            Self::Exceeded(limit) => limit.word(),
            Self::RateLimited => "RATE_LIMITED",
            Self::IntrospectionDisabled => "INTROSPECTION_DISABLED",
            Self::PersistedQueryNotFound => "PERSISTED_QUERY_NOT_FOUND",
            Self::DocumentNotTrusted => "DOCUMENT_NOT_TRUSTED",
            Self::Internal => "INTERNAL",
        }
    }

    /// Whether an error has this code.
    pub(crate) fn is_of(self, error: &ServerError) -> bool {
        let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code"));
        matches!(code, Some(Value::String(word)) if word == self.word())
    }

    /// Writes the code into an error.
    pub(crate) fn mark(self, error: &mut ServerError) {
        error.extensions.get_or_insert_default().set("code", self.word());
    }
}

impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Corrupt(_) | StorageError::Url => Self::Internal(Arc::new(error)),
            StorageError::Database(_) | StorageError::Overtaken => Self::Unavailable(Arc::new(error)),
        }
    }
}

impl From<LogError> for ApiError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Storage(error) => error.into(),
            LogError::Trimmed { after, trimmed } => Self::Trimmed { after, trimmed },
        }
    }
}

impl From<AgentError> for ApiError {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::Storage(error) => error.into(),
            AgentError::Record(error) => error.into(),
            AgentError::Kept => Self::Internal(Arc::new(error)),
        }
    }
}

impl From<RecordError> for ApiError {
    fn from(error: RecordError) -> Self {
        Self::Unavailable(Arc::new(error))
    }
}

/// Gives every error of a response its code; logs the causes of faults and reports the request's id in their place.
pub(crate) fn finish(mut response: Response, request_id: &RequestId) -> Response {
    let mut logged = HashSet::new();
    for error in &mut response.errors {
        shorten(&mut error.message);
        let known = error.source::<ApiError>().cloned();
        if let Some(code) = code_of(error, known.as_ref()) {
            code.mark(error);
        }
        if let Some(cause) = known.as_ref().and_then(ApiError::cause) {
            if logged.insert(Arc::as_ptr(cause).cast::<()>()) {
                log(cause.as_ref(), &error.path, request_id);
            }
            error.message = format!("{} (request {request_id})", error.message);
            error.extensions.get_or_insert_default().set("requestId", request_id.as_str());
        }
    }
    response
}

/// Messages of the parser and the validator repeat what they were given, which may be long.
fn shorten(message: &mut String) {
    if message.len() > MAX_MESSAGE_BYTES {
        let end = (0..=MAX_MESSAGE_BYTES).rev().find(|&end| message.is_char_boundary(end)).unwrap_or_default();
        message.truncate(end);
        message.push('…');
    }
}

/// The code that an error lacks. What async-graphql itself rejects is a fault of the document, or, where it names a field,
/// of an argument's value.
fn code_of(error: &ServerError, known: Option<&ApiError>) -> Option<Code> {
    match known {
        Some(known) => Some(known.code()),
        None if error.extensions.as_ref().is_some_and(|extensions| extensions.get("code").is_some()) => None,
        None if error.path.is_empty() => Some(Code::ValidationFailed),
        None => Some(Code::BadUserInput),
    }
}

fn log(cause: &(dyn StdError + Send + Sync + 'static), path: &[PathSegment], request_id: &RequestId) {
    let field = path.iter().rev().find_map(|segment| match segment {
        PathSegment::Field(name) => Some(name.as_str()),
        PathSegment::Index(_) => None,
    });
    tracing::error!(
        request.id = %request_id,
        graphql.field = field,
        error = %cause,
        error.causes = ?causes(cause),
        "a field could not be answered"
    );
}

#[cfg(test)]
mod tests {
    use async_graphql::Error;

    use super::*;

    fn finish_as_r1(response: Response) -> Response {
        finish(response, &RequestId::accept("r-1").unwrap())
    }

    fn finished(error: ApiError) -> ServerError {
        let error = Error::from(error).into_server_error(async_graphql::Pos::default());
        let error = error.with_path(vec![PathSegment::Field("conversation".into())]);
        finish_as_r1(Response::from_errors(vec![error])).errors.remove(0)
    }

    fn extension(error: &ServerError, name: &str) -> Option<String> {
        let value = error.extensions.as_ref()?.get(name)?.clone();
        value.into_json().unwrap().as_str().map(str::to_owned)
    }

    #[test]
    fn every_error_has_its_code() {
        let cause: Cause = Arc::new(Broken("secret"));
        for (error, code) in [
            (ApiError::argument("id", "is malformed"), "BAD_USER_INPUT"),
            (ApiError::Page(PageFault::BothSizes), "BAD_USER_INPUT"),
            (ApiError::NotFound("send", "sendId"), "NOT_FOUND"),
            (ApiError::Trimmed { after: 1, trimmed: 2 }, "REVISION_TRIMMED"),
            (ApiError::Forbidden(Scope::Admin), "FORBIDDEN"),
            (ApiError::Unavailable(cause.clone()), "UNAVAILABLE"),
            (ApiError::Internal(cause.clone()), "INTERNAL"),
        ] {
            assert_eq!(extension(&finished(error), "code").as_deref(), Some(code));
        }
    }

    #[test]
    fn a_fault_hides_its_cause_and_tells_the_request() {
        let error = finished(ApiError::from(StorageError::Corrupt("phone number")));
        assert_eq!(error.message, "Internal server error (request r-1)");
        assert_eq!(extension(&error, "requestId").as_deref(), Some("r-1"));
        let error = finished(ApiError::from(RecordError::Full));
        assert_eq!(error.message, "The service is temporarily unavailable; try again later (request r-1)");
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let error = ServerError::new("é".repeat(501) + "x", None);
        let message = finish_as_r1(Response::from_errors(vec![error])).errors.remove(0).message;
        assert_eq!(message, "é".repeat(500) + "…");
    }

    #[test]
    fn a_code_that_is_there_stays() {
        let mut error = ServerError::new("it is not GraphQL", None);
        Code::ParseFailed.mark(&mut error);
        let response = finish_as_r1(Response::from_errors(vec![error]));
        assert_eq!(extension(&response.errors[0], "code").as_deref(), Some("GRAPHQL_PARSE_FAILED"));
    }

    #[tokio::test]
    async fn what_the_framework_finds_has_a_code_too() {
        let response = crate::graphql::schema(async_graphql::ValidationMode::Strict).execute("{ nonsense }").await;
        assert_eq!(extension(&finish_as_r1(response).errors[0], "code").as_deref(), Some("GRAPHQL_VALIDATION_FAILED"));
    }
}
