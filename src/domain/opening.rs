//! How a deployment opens: with a template message, or with a failure that is known before anything is sent.

use super::failure::FailureReason;
use super::flow::Start;
use super::merge::Variables;
use super::outgoing::Outgoing;

/// How a deployment opens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opening {
    /// The first message, as JSON text, which the dispatcher reads back and the history shows; `None` if another system
    /// sends.
    pub template: Option<String>,
    /// Why the deployment fails before anything is sent, if it does.
    pub own_failure: Option<FailureReason>,
}

impl Opening {
    /// Fills in the first template for a user with or without a valid number.
    pub fn of(start: Option<&Start>, phone_is_valid: bool, variables: &Variables) -> Self {
        let filled = start.map(|start| (start, start.fill(variables)));
        let own_failure = match &filled {
            _ if !phone_is_valid => Some(FailureReason::InvalidPhone),
            Some((_, Err(_))) => Some(FailureReason::TemplateParameters),
            _ => None,
        };
        let template = filled
            .and_then(|(start, filled)| Outgoing::Template(filled.unwrap_or_else(|_| start.unfilled())).payload());
        Self { template, own_failure }
    }
}
