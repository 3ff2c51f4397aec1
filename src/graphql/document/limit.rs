//! The limits of a request, each with its setting and its `extensions.code`.

use async_graphql::ServerError;

use crate::graphql::error::Code;

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The size of a document.
    DocumentBytes,
    /// The number of a document's tokens.
    Tokens,
    /// How deep brackets are nested.
    Nesting,
    /// How deep fields are nested.
    Depth,
    /// The number of aliases.
    Aliases,
    /// The number of fields of the operation itself.
    RootFields,
    /// The number of directives.
    Directives,
    /// The number of objects that may be asked for.
    Cost,
    /// The size of the variables.
    VariablesBytes,
    /// The size of the response.
    ResponseBytes,
}

/// A limit that a request exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The {} is {value}; the maximum is {maximum}", limit.subject())]
pub(crate) struct Exceeded {
    limit: Limit,
    value: u64,
    maximum: u64,
}

impl Limit {
    /// All limits.
    pub const ALL: [Self; 10] = [
        Self::DocumentBytes,
        Self::Tokens,
        Self::Nesting,
        Self::Depth,
        Self::Aliases,
        Self::RootFields,
        Self::Directives,
        Self::Cost,
        Self::VariablesBytes,
        Self::ResponseBytes,
    ];

    /// Refuses a value beyond the maximum.
    pub(crate) fn check(self, value: usize, maximum: usize) -> Result<(), Exceeded> {
        let exceeded = Exceeded { limit: self, value: value as u64, maximum: maximum as u64 };
        if value > maximum { Err(exceeded) } else { Ok(()) }
    }

    /// The `extensions.code` of a request that exceeds it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::DocumentBytes => "DOCUMENT_TOO_LARGE",
            Self::Tokens => "TOO_MANY_TOKENS",
            Self::Nesting => "NESTED_TOO_DEEPLY",
            Self::Depth => "TOO_DEEP",
            Self::Aliases => "TOO_MANY_ALIASES",
            Self::RootFields => "TOO_MANY_ROOT_FIELDS",
            Self::Directives => "TOO_MANY_DIRECTIVES",
            Self::Cost => "COST_TOO_HIGH",
            Self::VariablesBytes => "VARIABLES_TOO_LARGE",
            Self::ResponseBytes => "RESPONSE_TOO_LARGE",
        }
    }

    const fn subject(self) -> &'static str {
        match self {
            Self::DocumentBytes => "document's size in bytes",
            Self::Tokens => "document's number of tokens, as far as they were counted,",
            Self::Nesting => "nesting of the document's brackets",
            Self::Depth => "depth of the operation's fields",
            Self::Aliases => "number of aliases, with those of fragments wherever they are spread,",
            Self::RootFields => "operation's number of fields",
            Self::Directives => "number of directives, with those of fragments wherever they are spread,",
            Self::Cost => "operation's cost",
            Self::VariablesBytes => "variables' size in bytes",
            Self::ResponseBytes => "response's size in bytes",
        }
    }
}

impl From<Exceeded> for ServerError {
    fn from(exceeded: Exceeded) -> Self {
        let mut error = Self::new(exceeded.to_string(), None);
        Code::Exceeded(exceeded.limit).mark(&mut error);
        let extensions = error.extensions.get_or_insert_default();
        extensions.set("value", exceeded.value);
        extensions.set("maximum", exceeded.maximum);
        error
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn what_is_exceeded_is_told_with_its_value_and_its_maximum() {
        assert_eq!(Limit::Depth.check(16, 16), Ok(()));
        let error = ServerError::from(Limit::Depth.check(17, 16).unwrap_err());
        assert_eq!(error.message, "The depth of the operation's fields is 17; the maximum is 16");
        let extensions = serde_json::to_value(error.extensions.unwrap()).unwrap();
        assert_eq!(extensions, serde_json::json!({ "code": "TOO_DEEP", "value": 17, "maximum": 16 }));
    }

    #[test]
    fn every_limit_has_a_code_of_its_own() {
        let words: HashSet<_> = Limit::ALL.iter().map(|limit| limit.word()).collect();
        assert_eq!(words.len(), Limit::ALL.len());
    }
}
