//! How a deployment opens: with a template message, or with a failure that is known before anything is sent.

use serde_json::json;

use super::failure::FailureReason;
use super::flow::Template;
use super::merge::Variables;

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
    /// Fills in a template for a user with or without a valid number.
    pub fn of(template: Option<&Template>, phone_is_valid: bool, variables: &Variables) -> Self {
        let filled = template.map(|template| (template, template.fill(variables)));
        let own_failure = match &filled {
            _ if !phone_is_valid => Some(FailureReason::InvalidPhone),
            Some((_, Err(_))) => Some(FailureReason::TemplateParameters),
            _ => None,
        };
        let template = filled.map(|(template, parameters)| written(template, &parameters.unwrap_or_default()));
        Self { template, own_failure }
    }
}

fn written(template: &Template, parameters: &[String]) -> String {
    json!({ "name": template.name, "language": template.language, "parameters": parameters }).to_string()
}
