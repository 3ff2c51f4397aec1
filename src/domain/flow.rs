//! Flows: the start step, and the template with which an outbound conversation begins.
//!
//! Everything else in a flow is stored exactly as it was published and not interpreted.

use std::time::Duration;

use serde_json::Value;

use super::conversation::Direction;
use super::input::{Fault, check_json};
use super::merge::Variables;

/// A template whose parameters are still to be filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The template's name at the provider.
    pub name: String,
    /// The template's language code, such as `es` or `pt_BR`.
    pub language: String,
    /// The parameters, in which `{{name}}` stands for the value of a variable.
    pub parameters: Vec<String>,
    /// The category in which the provider approved it.
    pub category: Category,
}

/// The category of a template. It decides how long the provider keeps trying to deliver.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Category {
    /// Offers and news; assumed if the flow names none.
    #[default]
    Marketing,
    /// About something that the user asked for.
    Utility,
    /// A one-time password.
    Authentication,
}

/// The name of a variable that a template requires and the user does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingVariable(pub String);

/// Checks a flow that is to be published. The fault names the place in the flow.
pub fn check(flow: &Value, direction: Direction) -> Result<(), Fault> {
    check_json(flow)?;
    let start =
        flow.get("start").and_then(Value::as_str).ok_or_else(|| Fault::new("needs \"start\", the name of a step"))?;
    let steps = flow
        .get("steps")
        .and_then(Value::as_object)
        .ok_or_else(|| Fault::new("needs \"steps\", an object of steps by name"))?;
    if let Some((name, _)) = steps.iter().find(|(_, step)| !step.is_object()) {
        return Err(Fault(format!("has a step \"{name}\" that is not an object")));
    }
    let first =
        steps.get(start).ok_or_else(|| Fault(format!("starts at \"{start}\", but has no step of that name")))?;
    match (direction, first.get("template")) {
        (_, Some(template)) => read_template(template)
            .map(drop)
            .map_err(|fault| Fault(format!("has a step \"{start}\" whose template {fault}"))),
        (Direction::Outbound, None) => {
            Err(Fault(format!("is OUTBOUND, so its first step \"{start}\" needs a template")))
        }
        (Direction::Inbound, None) => Ok(()),
    }
}

/// The template with which a published flow begins, if it begins with one.
pub fn first_template(flow: &Value) -> Option<Template> {
    let start = flow.get("start")?.as_str()?;
    read_template(flow.get("steps")?.get(start)?.get("template")?).ok()
}

impl Category {
    /// How long the provider tries to deliver a message, unless the template or the send says otherwise.
    pub const fn time_to_live(self) -> Duration {
        match self {
            Self::Marketing | Self::Utility => Duration::from_hours(30 * 24),
            Self::Authentication => Duration::from_mins(10),
        }
    }

    fn read(template: &Value) -> Result<Self, Fault> {
        match template.get("category") {
            None | Some(Value::Null) => Ok(Self::default()),
            Some(name) => match name.as_str() {
                Some("MARKETING") => Ok(Self::Marketing),
                Some("UTILITY") => Ok(Self::Utility),
                Some("AUTHENTICATION") => Ok(Self::Authentication),
                _ => Err(Fault::new("has a \"category\" other than MARKETING, UTILITY and AUTHENTICATION")),
            },
        }
    }
}

impl Template {
    /// The parameters with each `{{name}}` replaced by the variable's value. Values are not expanded again.
    pub fn fill(&self, variables: &Variables) -> Result<Vec<String>, MissingVariable> {
        self.parameters.iter().map(|parameter| fill(parameter, variables)).collect()
    }
}

fn read_template(template: &Value) -> Result<Template, Fault> {
    let text = |key: &str| {
        let value = template.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        value.map(str::to_owned).ok_or_else(|| Fault(format!("needs \"{key}\", a non-empty string")))
    };
    let parameters = match template.get("parameters") {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(given) => {
            given.as_array().and_then(|given| given.iter().map(|one| one.as_str().map(str::to_owned)).collect())
        }
    };
    let parameters = parameters.ok_or_else(|| Fault::new("has \"parameters\" that are not a list of strings"))?;
    Ok(Template { name: text("name")?, language: text("language")?, parameters, category: Category::read(template)? })
}

fn fill(parameter: &str, variables: &Variables) -> Result<String, MissingVariable> {
    let mut filled = String::with_capacity(parameter.len());
    let mut rest = parameter;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, behind)) = after.split_once("}}") else { break };
        let name = name.trim();
        let variable = variables.get(name).ok_or_else(|| MissingVariable(name.to_owned()))?;
        filled.push_str(before);
        filled.push_str(&variable.value);
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::merge::VariableValue;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        let value = |value: &str| VariableValue { at: Timestamp::MIN, value: value.to_owned() };
        pairs.iter().map(|&(name, text)| (name.to_owned(), value(text))).collect()
    }

    fn template(parameter: &str) -> Template {
        Template {
            name: "welcome".into(),
            language: "es".into(),
            parameters: vec![parameter.into()],
            category: Category::Marketing,
        }
    }

    #[test]
    fn a_flow_keeps_unknown_steps_and_keys() {
        let flow = json!({"start": "hello", "colour": "blue", "steps": {
            "hello": {"template": {"name": "welcome", "language": "es", "parameters": ["{{first_name}}"]}, "next": "ask"},
            "ask": {"anything": [1, 2]}}});
        assert_eq!(check(&flow, Direction::Outbound), Ok(()));
        assert_eq!(first_template(&flow), Some(template("{{first_name}}")));
    }

    #[test]
    fn faults_name_the_place_and_the_problem() {
        for (flow, words) in [
            (json!([]), "start"),
            (json!({"start": "a"}), "steps"),
            (json!({"start": "a", "steps": {"b": {}}}), "no step of that name"),
            (json!({"start": "a", "steps": {"a": {}}}), "needs a template"),
            (json!({"start": "a", "steps": {"a": {"template": {"name": "x"}}}}), "language"),
            (
                json!({"start": "a", "steps": {"a": {"template": {"name": "x", "language": "es", "parameters": [1]}}}}),
                "parameters",
            ),
            (
                json!({"start": "a", "steps": {"a": {"template": {"name": "x", "language": "es", "category": "SPAM"}}}}),
                "category",
            ),
            (json!({"start": "a", "steps": {"a": 1}}), "not an object"),
        ] {
            let fault = check(&flow, Direction::Outbound).unwrap_err();
            assert!(fault.0.contains(words), "{fault}");
        }
    }

    #[test]
    fn parameters_are_filled_from_variables() {
        let known = variables(&[("name", "Ana"), ("city", "Cali {{name}}")]);
        assert_eq!(
            template("Hi {{ name }} from {{city}}!").fill(&known),
            Ok(vec!["Hi Ana from Cali {{name}}!".into()])
        );
        assert_eq!(template("Hi {{who}}").fill(&known), Err(MissingVariable("who".into())));
        assert_eq!(template("open {{ end").fill(&known), Ok(vec!["open {{ end".into()]));
    }
}
