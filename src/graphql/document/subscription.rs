//! What a subscription must be, beyond what holds for every operation.

use std::collections::BTreeSet;

use async_graphql::ServerError;
use async_graphql::parser::types::{ExecutableDocument, OperationType, Selection, SelectionSet};

use super::operation;
use crate::graphql::error::Code;

/// A subscription needs a transport that can carry its events. It has one source of them, so it selects one field; the
/// framework would run several side by side.
pub(super) fn check(
    document: &ExecutableDocument,
    operation_name: Option<&str>,
    can_stream: bool,
) -> Result<(), ServerError> {
    let meant = operation(document, operation_name);
    let Some(operation) = meant.filter(|operation| operation.node.ty == OperationType::Subscription) else {
        return Ok(());
    };
    let (mut fields, mut spread) = (BTreeSet::new(), BTreeSet::new());
    collect(document, &operation.node.selection_set.node, &mut fields, &mut spread);
    let fault = match fields.len() {
        _ if !can_stream => {
            "Subscriptions are served over WebSocket at /graphql/ws (by graphql-transport-ws), and as server-sent events at /graphql/sse"
        }
        0 | 1 => return Ok(()),
        _ => "A subscription must select exactly one field",
    };
    let mut error = ServerError::new(fault, Some(operation.pos));
    Code::ValidationFailed.mark(&mut error);
    Err(error)
}

/// The response names of what is selected, also by fragments, each of which is looked at once.
fn collect<'d>(
    document: &'d ExecutableDocument,
    selections: &'d SelectionSet,
    fields: &mut BTreeSet<&'d str>,
    spread: &mut BTreeSet<&'d str>,
) {
    for selection in &selections.items {
        match &selection.node {
            Selection::Field(field) => {
                fields.insert(field.node.response_key().node.as_str());
            }
            Selection::InlineFragment(inline) => collect(document, &inline.node.selection_set.node, fields, spread),
            Selection::FragmentSpread(named) => {
                let name = &named.node.fragment_name.node;
                let fragment = document.fragments.get(name).filter(|_| spread.insert(name.as_str()));
                if let Some(fragment) = fragment {
                    collect(document, &fragment.node.selection_set.node, fields, spread);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_selects_one_field() {
        let check = |document: &str| {
            let document = async_graphql::parser::parse_query(document).unwrap();
            check(&document, None, true).is_ok()
        };
        for right in [
            "subscription { a }",
            "subscription { a { b c } a { d } }",
            "subscription { ...A } fragment A on Subscription { a ...A }",
            "query { a b }",
        ] {
            assert!(check(right), "{right}");
        }
        for wrong in [
            "subscription { a b }",
            "subscription { x: a y: a }",
            "subscription { a ...B } fragment B on Subscription { b }",
            "subscription { a ... { b } }",
        ] {
            assert!(!check(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_subscription_needs_a_transport_that_streams() {
        let document = async_graphql::parser::parse_query("subscription A { a } query B { b }").unwrap();
        assert!(check(&document, Some("A"), false).unwrap_err().message.contains("graphql-transport-ws"));
        assert!(check(&document, Some("B"), false).is_ok());
    }
}
