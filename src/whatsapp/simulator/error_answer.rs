//! The provider's error answers: an HTTP status, and an error object with a code.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// The answer to a rejected call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ErrorAnswer {
    pub(super) code: i32,
    pub(super) details: String,
}

const MISSING: i32 = 131_008;
const INVALID_VALUE: i32 = 131_009;

impl ErrorAnswer {
    pub(super) fn new(code: i32, details: impl Into<String>) -> Self {
        Self { code, details: details.into() }
    }

    /// The error of a parameter that is missing.
    pub(super) fn missing(name: &str) -> Self {
        Self::new(MISSING, format!("{name} is missing"))
    }

    /// The error of a parameter whose value is not allowed.
    pub(super) fn invalid(details: impl Into<String>) -> Self {
        Self::new(INVALID_VALUE, details)
    }

    /// An error whose details are just the title of its code.
    pub(super) fn of_code(code: i32) -> Self {
        Self::new(code, title(code))
    }

    fn body(&self) -> Value {
        let Self { code, details } = self;
        json!({ "error": {
            "message": format!("(#{code}) {}", title(*code)),
            "type": "OAuthException",
            "code": code,
            "error_data": { "messaging_product": "whatsapp", "details": details },
            "fbtrace_id": "Simulated",
        } })
    }
}

impl IntoResponse for ErrorAnswer {
    fn into_response(self) -> Response {
        (http_status(self.code), Json(self.body())).into_response()
    }
}

/// The error object in a webhook about a failed message.
pub(super) fn failure(code: i32) -> Value {
    let title = title(code);
    json!({ "code": code, "title": title, "message": title, "error_data": { "details": title } })
}

const fn http_status(code: i32) -> StatusCode {
    match code {
        0 | 190 => StatusCode::UNAUTHORIZED,
        10 | 200..=299 | 368 | 131_005 | 131_031 => StatusCode::FORBIDDEN,
        3 | 131_000 | 131_016 | 131_045 | 131_057 | 133_004 => StatusCode::INTERNAL_SERVER_ERROR,
        2 => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    }
}

const fn title(code: i32) -> &'static str {
    match code {
        4 | 80_007 | 130_429 => "Rate limit reached",
        100 => "Invalid parameter",
        190 => "The access token is not valid",
        368 => "Blocked for a while for violating policies",
        130_472 => "The user is part of an experiment",
        130_497 => "Messages to this country are not allowed",
        131_000 => "Something went wrong",
        131_008 => "A required parameter is missing",
        131_009 => "A parameter's value is not valid",
        131_016 => "The service is not available",
        131_026 => "The message cannot be delivered",
        131_042 => "There is a problem with the payment method",
        131_047 => "More than 24 hours have passed since the user last wrote",
        131_049 => "Not delivered, to keep the ecosystem healthy",
        131_050 => "The user stopped marketing messages of this business",
        131_051 => "This type of message is not supported",
        131_056 => "Too many messages to the same recipient",
        132_000 => "The number of parameters does not match the template",
        132_001 => "The template does not exist in this language",
        132_012 => "A parameter's format does not match the template",
        132_015 => "The template is paused",
        _ => "The message failed",
    }
}
