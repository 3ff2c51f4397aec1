//! Subscriptions need a transport that can carry their events.

use async_graphql::ServerError;
use async_graphql::parser::types::{ExecutableDocument, OperationType};

use super::{marked, operation};
use crate::graphql::error::Code;

/// Refuses a subscription where its events cannot be carried.
pub(super) fn check(
    document: &ExecutableDocument,
    operation_name: Option<&str>,
    can_stream: bool,
) -> Result<(), ServerError> {
    let meant = operation(document, operation_name);
    let subscription = meant.filter(|operation| operation.node.ty == OperationType::Subscription);
    let Some(operation) = subscription.filter(|_| !can_stream) else { return Ok(()) };
    let fault = "Subscriptions are served over WebSocket at /graphql/ws (by graphql-transport-ws), and as server-sent events at /graphql/sse";
    Err(marked(ServerError::new(fault, Some(operation.pos)), Code::ValidationFailed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_needs_a_transport_that_streams() {
        let document = async_graphql::parser::parse_query("subscription A { a } query B { b }").unwrap();
        assert!(check(&document, Some("A"), false).unwrap_err().message.contains("graphql-transport-ws"));
        assert!(check(&document, Some("B"), false).is_ok());
    }
}
