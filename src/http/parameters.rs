//! The parameters of a GraphQL request, as they come in a body, a query string or a socket's message.

use std::borrow::Cow;

use async_graphql::{Request, Value, Variables};
use serde::Deserialize;

use crate::auth::STREAM_TOKEN;

/// What makes parameters unreadable, told to the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(Cow<'static, str>);

/// The members of a request's JSON object. Others are ignored, as the specification asks.
struct Members {
    query: Value,
    operation_name: Value,
    variables: Value,
    extensions: Value,
}

/// The parameters of a query string, where objects are written as JSON.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct QueryString {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
    /// A stream token, where the address opens a stream.
    token: Option<String>,
}

impl QueryString {
    /// The stream token in it. Any other token has no place in an address.
    pub(super) fn stream_token(&self) -> Option<&str> {
        self.token.as_deref().filter(|token| token.starts_with(STREAM_TOKEN))
    }
}

impl Malformed {
    pub(super) fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self(message.into())
    }
}

/// Reads a POST's body.
pub(super) fn from_body(body: &[u8]) -> Result<Request, Malformed> {
    let value = serde_json::from_slice(body).map_err(|error| not_json("The body", &error))?;
    from_value(value)
}

/// Reads a GET's query string. An empty string stands for a parameter that is not given.
pub(super) fn from_query_string(parameters: QueryString) -> Result<Request, Malformed> {
    let text = |text: Option<String>| text.filter(|text| !text.is_empty()).map_or(Value::Null, Value::String);
    from_members(Members {
        query: text(parameters.query),
        operation_name: text(parameters.operation_name),
        variables: json("variables", parameters.variables)?,
        extensions: json("extensions", parameters.extensions)?,
    })
}

/// Reads a JSON value.
pub(super) fn from_value(value: Value) -> Result<Request, Malformed> {
    let mut members = match value {
        Value::Object(members) => members,
        Value::List(_) => return Err(Malformed::new("Batching is not supported: send one request at a time")),
        _ => return Err(Malformed::new("The request must be a JSON object")),
    };
    let mut take = |name| members.swap_remove(name).unwrap_or_default();
    from_members(Members {
        query: take("query"),
        operation_name: take("operationName"),
        variables: take("variables"),
        extensions: take("extensions"),
    })
}

fn from_members(members: Members) -> Result<Request, Malformed> {
    let mut request = match members.query {
        Value::String(query) => Request::new(query),
        // A document may be named instead.
        Value::Null if names_document(&members.extensions) => Request::new(""),
        Value::Null => return Err(Malformed::new("\"query\" is missing")),
        _ => return Err(Malformed::new("\"query\" must be a string")),
    };
    request.operation_name = match members.operation_name {
        Value::String(name) => Some(name),
        Value::Null => None,
        _ => return Err(Malformed::new("\"operationName\" must be a string")),
    };
    request.variables = Variables::from_value(object("variables", members.variables)?);
    if let Value::Object(extensions) = object("extensions", members.extensions)? {
        request.extensions.extend(extensions.into_iter().map(|(name, value)| (name.to_string(), value)));
    }
    Ok(request)
}

fn names_document(extensions: &Value) -> bool {
    matches!(extensions, Value::Object(extensions) if extensions.contains_key("persistedQuery"))
}

fn object(name: &str, value: Value) -> Result<Value, Malformed> {
    match value {
        Value::Null | Value::Object(_) => Ok(value),
        _ => Err(Malformed::new(format!("\"{name}\" must be an object"))),
    }
}

fn json(name: &str, text: Option<String>) -> Result<Value, Malformed> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(Value::Null) };
    serde_json::from_str(&text).map_err(|error| not_json(&format!("\"{name}\""), &error))
}

/// Where it stops being JSON. The text there is the client's own and is not repeated.
fn not_json(what: &str, error: &serde_json::Error) -> Malformed {
    Malformed::new(format!("{what} is not well-formed JSON (line {}, column {})", error.line(), error.column()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> String {
        from_body(body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_request_is_read_whole() {
        let body = r#"{"query": "{ a }", "operationName": "A", "variables": {"n": 9007199254740993}, "extensions": {"x": [1]}, "more": 1}"#;
        let request = from_body(body.as_bytes()).unwrap();
        assert_eq!((request.query.as_str(), request.operation_name.as_deref()), ("{ a }", Some("A")));
        assert_eq!(request.variables["n"].to_string(), "9007199254740993");
        assert_eq!(request.extensions["x"].to_string(), "[1]");
    }

    #[test]
    fn null_is_as_good_as_nothing() {
        let body = r#"{"query": "{ a }", "operationName": null, "variables": null, "extensions": null}"#;
        let request = from_body(body.as_bytes()).unwrap();
        assert!(request.operation_name.is_none() && request.variables.is_empty() && request.extensions.is_empty());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, message) in [
            ("", "The body is not well-formed JSON (line 1, column 0)"),
            ("{\n 'query': 1}", "The body is not well-formed JSON (line 2, column 2)"),
            ("[]", "Batching is not supported: send one request at a time"),
            ("[{\"query\": \"{ a }\"}]", "Batching is not supported: send one request at a time"),
            ("\"{ a }\"", "The request must be a JSON object"),
            ("{}", "\"query\" is missing"),
            ("{\"query\": 1}", "\"query\" must be a string"),
            ("{\"query\": \"\", \"operationName\": {}}", "\"operationName\" must be a string"),
            ("{\"query\": \"\", \"variables\": []}", "\"variables\" must be an object"),
            ("{\"query\": \"\", \"extensions\": \"{}\"}", "\"extensions\" must be an object"),
        ] {
            assert_eq!(refused(body), message, "{body}");
        }
        assert!(refused(&"[".repeat(100_000)).contains("not well-formed"));
    }

    #[test]
    fn a_query_string_holds_objects_as_json() {
        let parameters = |variables: &str| QueryString {
            query: Some("{ a }".to_owned()),
            operation_name: Some(String::new()),
            variables: Some(variables.to_owned()),
            extensions: None,
            token: None,
        };
        assert_eq!(from_query_string(parameters("{\"n\": 1}")).unwrap().variables["n"].to_string(), "1");
        assert!(from_query_string(parameters("")).unwrap().operation_name.is_none());
        assert_eq!(from_query_string(parameters("1")).unwrap_err().to_string(), "\"variables\" must be an object");
        assert!(from_query_string(parameters("{")).unwrap_err().to_string().starts_with("\"variables\" is not well"));
    }
}
