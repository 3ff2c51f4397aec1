//! Documents: bounded, parsed, validated and measured before anything is carried out.
//!
//! async-graphql parses and executes. apollo-compiler validates, since async-graphql's own rules leave gaps; its validated
//! document knows the type of every field, which is what [`measure`] needs. A document is read once and kept by its text, as
//! clients have few documents and send them again and again.

mod limit;
mod measure;
mod nesting;
mod persisted;
mod settled;
mod subscription;

use std::sync::Arc;

use apollo_compiler::ast::Document as Ast;
use apollo_compiler::diagnostic::ToCliReport;
use apollo_compiler::executable::{ExecutableDocument as Validated, Operation};
use apollo_compiler::parser::Parser;
use apollo_compiler::validation::{DiagnosticList, Valid};
use async_graphql::parser::parse_query;
use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, OperationType};
use async_graphql::{Name, Pos, Positioned, Request, ServerError};
use moka::sync::Cache;

pub(crate) use self::limit::{Exceeded, Limit};
pub(crate) use self::measure::Measure;
use self::nesting::nesting;
use self::persisted::Persisted;
pub use self::persisted::TrustedError;
use super::error::Code;
use super::weight::Weight;
use crate::config::GraphqlSettings;

/// How deep selections, lists and objects may be nested in a document. Parsers recurse and would exhaust a thread's stack
/// at some hundreds.
const MAX_NESTING: usize = 200;

/// How many bytes of documents are kept, and of one at most: parsed, they take many times as much.
const CACHE_BYTES: u64 = 1 << 20;
const MAX_CACHED_BYTES: usize = 16 << 10;

/// The most faults of a document that are told.
const MAX_FAULTS: usize = 20;

/// Reads documents for one schema. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Documents(Arc<Inner>);

struct Inner {
    schema: Valid<apollo_compiler::Schema>,
    limits: GraphqlSettings,
    known: Cache<String, Arc<Document>>,
    persisted: Persisted,
}

/// Why documents cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DocumentsError {
    /// The schema is not one that validators understand.
    #[error("the schema is invalid: {0}")]
    Schema(String),
    /// The file of trusted documents cannot be used.
    #[error(transparent)]
    Trusted(#[from] TrustedError),
    /// A trusted document cannot be carried out.
    #[error("the trusted document {0} does not fit the schema: {1}")]
    Unfit(String, String),
}

/// A document that fits the schema.
pub(crate) struct Document {
    executable: ExecutableDocument,
    validated: Valid<Validated>,
    /// Whether all its arguments are of types that every validator knows.
    plain: bool,
}

/// A request that may be carried out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admitted {
    /// What it asks for.
    pub(crate) measure: Measure,
    /// Whether the executor need not validate it.
    pub(crate) settled: bool,
}

impl Documents {
    /// Documents for the schema with this definition.
    pub(crate) fn new(sdl: &str, limits: GraphqlSettings) -> Result<Self, DocumentsError> {
        let schema = apollo_compiler::Schema::parse_and_validate(sdl, "schema.graphql");
        let schema = schema.map_err(|faults| DocumentsError::Schema(faults.errors.to_string()))?;
        let weight = |text: &String, _: &_| u32::try_from(text.len()).unwrap_or(u32::MAX);
        let known = Cache::builder().weigher(weight).max_capacity(CACHE_BYTES).build();
        let persisted = Persisted::new(limits.trusted_documents.as_deref(), limits.trusted_only)?;
        let documents = Self(Arc::new(Inner { schema, limits, known, persisted }));
        for (name, text) in documents.0.persisted.trusted() {
            let fault =
                |errors: Vec<ServerError>| errors.first().map(|error| error.message.clone()).unwrap_or_default();
            documents.read(text).map_err(|errors| DocumentsError::Unfit(name.to_owned(), fault(errors)))?;
        }
        Ok(documents)
    }

    /// Reads a document.
    fn read(&self, text: &str) -> Result<Arc<Document>, Vec<ServerError>> {
        if let Some(known) = self.0.known.get(text) {
            return Ok(known);
        }
        let document = Arc::new(self.0.read(text)?);
        if text.len() <= MAX_CACHED_BYTES {
            self.0.known.insert(text.to_owned(), Arc::clone(&document));
        }
        Ok(document)
    }

    /// The kind of operation that a request asks for, where its document tells.
    pub(crate) fn kind(&self, request: &mut Request) -> Option<OperationType> {
        self.0.persisted.resolve(request).ok()?;
        let document = self.read(&request.query).ok()?;
        operation(&document.executable, request.operation_name.as_deref()).map(|operation| operation.node.ty)
    }

    /// Measures the operation that a request asks for and gives it the document, unless it exceeds a limit. `can_stream` tells
    /// whether a subscription's events can be carried.
    pub(crate) fn admit(&self, request: &mut Request, can_stream: bool) -> Result<Admitted, Vec<ServerError>> {
        self.0.persisted.resolve(request).map_err(|error| vec![error])?;
        let document = self.read(&request.query)?;
        let measure = self.0.admit(&document, request, can_stream).map_err(|error| vec![error])?;
        request.set_parsed_query(document.executable.clone());
        Ok(Admitted { measure, settled: self.0.is_settled(&document, request) })
    }

    /// Refuses data that is too large to be sent.
    pub(crate) fn check_size(&self, data: Weight) -> Result<(), Exceeded> {
        Limit::ResponseBytes.check(data.bytes, self.0.limits.response_bytes.get())
    }
}

impl Inner {
    fn read(&self, text: &str) -> Result<Document, Vec<ServerError>> {
        let bounded = Limit::DocumentBytes.check(text.len(), self.limits.document_bytes.get());
        let bounded = bounded.and_then(|()| Limit::Nesting.check(nesting(text), MAX_NESTING));
        bounded.map_err(|exceeded| vec![exceeded.into()])?;
        let validated = self.parse(text)?.to_executable_validate(&self.schema);
        let validated = validated.map_err(|faults| told(&faults.errors, text, Code::ValidationFailed))?;
        let executable = parse_query(text).map_err(|error| vec![marked(error.into(), Code::ParseFailed)])?;
        let plain = settled::is_plain(&self.schema, &validated);
        Ok(Document { executable, validated, plain })
    }

    fn is_settled(&self, document: &Document, request: &Request) -> bool {
        let operation = document.validated.operations.get(request.operation_name.as_deref());
        let fits = |operation: &Operation| settled::fits(&self.schema, operation, &request.variables);
        document.plain && operation.is_ok_and(|operation| fits(operation))
    }

    fn admit(&self, document: &Document, request: &Request, can_stream: bool) -> Result<Measure, ServerError> {
        let (name, limits) = (request.operation_name.as_deref(), &self.limits);
        subscription::check(&document.executable, name, can_stream)?;
        let variables = request.variables.values().map(|value| Weight::of(value).bytes).sum();
        Limit::VariablesBytes.check(variables, limits.variables_bytes.get())?;
        let measure = Measure::of(&document.validated, name, &request.variables);
        measure.check(limits)?;
        if measure.introspects && !limits.introspection {
            let error = ServerError::new("The schema cannot be asked for on this server", None);
            return Err(marked(error, Code::IntrospectionDisabled));
        }
        Ok(measure)
    }

    /// Parses a document into what is validated, up to a number of tokens.
    fn parse(&self, text: &str) -> Result<Ast, Vec<ServerError>> {
        let most = self.limits.tokens.get();
        // One more, so that a document of just as many as may be is parsed whole.
        let mut parser = Parser::new().token_limit(most.saturating_add(1)).recursion_limit(MAX_NESTING * 2);
        let parsed = parser.parse_ast(text, "document");
        Limit::Tokens.check(parser.tokens_reached(), most).map_err(|exceeded| vec![exceeded.into()])?;
        parsed.map_err(|faults| told(&faults.errors, text, Code::ParseFailed))
    }
}

/// The operation that a request asks for; `None` where the document does not tell, which the executor will. As the executor
/// has it, the only operation of a document need not be named by the request, whatever its name.
pub fn operation<'d>(
    document: &'d ExecutableDocument,
    operation_name: Option<&str>,
) -> Option<&'d Positioned<OperationDefinition>> {
    let is_meant = |name: Option<&Name>| operation_name.is_none() || name.map(Name::as_str) == operation_name;
    let mut meant = document.operations.iter().filter(|(name, _)| is_meant(*name));
    let (_, operation) = meant.next()?;
    meant.next().is_none().then_some(operation)
}

/// The faults of a document as errors. What is wrong with a value is told with the name that it is given to.
fn told(faults: &DiagnosticList, text: &str, code: Code) -> Vec<ServerError> {
    let errors = faults.iter().take(MAX_FAULTS).map(|fault| {
        let (span, message) = (fault.error.location(), fault.error.to_string());
        let place = span.and_then(|span| span.line_column(fault.sources));
        let place = place.map(|place| Pos { line: place.line, column: place.column });
        let name = span.and_then(|span| named_before(text.get(..span.offset())?));
        let message = name.map_or_else(|| message.clone(), |name| format!("\"{name}\": {message}"));
        marked(ServerError::new(message, place), code)
    });
    errors.collect()
}

/// The name in `name: value`, from what stands before the value.
fn named_before(text: &str) -> Option<&str> {
    let name = text.trim_end().strip_suffix(':')?.trim_end();
    name.rsplit(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').next().filter(|name| !name.is_empty())
}

fn marked(mut error: ServerError, code: Code) -> ServerError {
    code.mark(&mut error);
    error
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::config::Settings;

    const TOY: &str = "
        directive @skip(if: Boolean!) on FIELD
        type Query { leaf(text: String): Int, things(first: Int): Things! }
        type Things { nodes: [Thing!]! }
        type Thing { name: String, things(first: Int): Things! }
        type Subscription { leaf: Int, other: Int, thing: Thing }
    ";

    fn documents(settings: &[(&str, &str)]) -> Documents {
        Documents::new(TOY, Settings::with(settings).unwrap().graphql).unwrap()
    }

    fn code_with(settings: &[(&str, &str)], document: &str, variables: Value) -> Option<String> {
        let mut request = Request::new(document).variables(async_graphql::Variables::from_json(variables));
        let errors = documents(settings).admit(&mut request, true).err()?;
        let extensions = serde_json::to_value(errors[0].extensions.as_ref().unwrap()).unwrap();
        Some(extensions["code"].as_str().unwrap().to_owned())
    }

    #[test]
    fn every_limit_is_kept_to_the_last() {
        let nested =
            |depth: usize| format!("{}name{}", "things(first: 1) { nodes { ".repeat(depth), " } }".repeat(depth));
        for (setting, value, within, beyond, code) in [
            ("document_bytes", "10", "{    leaf}".to_owned(), "{     leaf}".to_owned(), "DOCUMENT_TOO_LARGE"),
            ("depth", "5", format!("{{ {} }}", nested(2)), format!("{{ {} }}", nested(3)), "TOO_DEEP"),
            (
                "root_fields",
                "2",
                "{ a: leaf b: leaf }".into(),
                "{ a: leaf b: leaf c: leaf }".into(),
                "TOO_MANY_ROOT_FIELDS",
            ),
            ("aliases", "1", "{ a: leaf leaf }".into(), "{ a: leaf b: leaf }".into(), "TOO_MANY_ALIASES"),
            ("directives", "0", "{ leaf }".into(), "{ leaf @skip(if: true) }".into(), "TOO_MANY_DIRECTIVES"),
            (
                "cost",
                "101",
                "{ things(first: 100) { nodes { name } } }".into(),
                "{ things(first: 101) { nodes { name } } }".into(),
                "COST_TOO_HIGH",
            ),
        ] {
            let settings = [(&*format!("graphql.{setting}"), value)];
            assert_eq!(code_with(&settings, &within, json!({})), None, "{setting}");
            assert_eq!(code_with(&settings, &beyond, json!({})).as_deref(), Some(code), "{setting}");
        }
        let document = "query($text: String) { leaf(text: $text) }";
        let settings = [("graphql.variables_bytes", "10")];
        assert_eq!(code_with(&settings, document, json!({ "text": "12345678" })), None);
        assert_eq!(
            code_with(&settings, document, json!({ "text": "123456789" })).as_deref(),
            Some("VARIABLES_TOO_LARGE")
        );
    }

    #[test]
    fn tokens_are_limited_before_they_are_parsed() {
        let settings = [("graphql.tokens", "50")];
        assert_eq!(code_with(&settings, "{ leaf leaf leaf leaf }", json!({})), None);
        let flood = format!("{{ {} }}", "leaf ".repeat(5_000));
        assert_eq!(code_with(&settings, &flood, json!({})).as_deref(), Some("TOO_MANY_TOKENS"));
    }

    #[test]
    fn a_document_that_is_nested_too_deeply_is_not_parsed() {
        let nested = |depth| "{ a".repeat(depth) + &"}".repeat(depth);
        let settings = [("graphql.document_bytes", "10000000")];
        assert_eq!(code_with(&settings, &nested(201), json!({})).as_deref(), Some("NESTED_TOO_DEEPLY"));
        assert_eq!(code_with(&settings, &nested(1_000_000), json!({})).as_deref(), Some("NESTED_TOO_DEEPLY"));
        assert_eq!(code_with(&settings, &nested(150), json!({})).as_deref(), Some("GRAPHQL_VALIDATION_FAILED"));
    }

    #[test]
    fn a_document_must_fit_the_schema_in_every_part() {
        for fault in [
            "{ nothing }",
            "{ __typename @nothing }",
            "{ __typename(a: 1) }",
            "{ __typename { a } }",
            "{ ...F } fragment F on Query { ...F leaf }",
            "query A { leaf } query A { leaf }",
            "query($a: Int) { leaf }",
            "subscription { leaf other }",
            "subscription { __typename }",
        ] {
            assert_eq!(code_with(&[], fault, json!({})).as_deref(), Some("GRAPHQL_VALIDATION_FAILED"), "{fault}");
        }
        assert_eq!(code_with(&[], "query($a: Boolean!) { __typename @skip(if: $a) }", json!({ "a": true })), None);
        assert_eq!(code_with(&[], "{ leaf", json!({})).as_deref(), Some("GRAPHQL_PARSE_FAILED"));
    }

    #[test]
    fn a_response_has_so_many_bytes_and_no_more() {
        let documents = documents(&[("graphql.response_bytes", "10")]);
        let weighing = |bytes| documents.check_size(Weight { objects: 1, bytes });
        assert!(weighing(10).is_ok());
        let refused = weighing(11).unwrap_err().to_string();
        assert!(refused.contains("11") && refused.contains("10"), "{refused}");
    }

    #[test]
    fn a_subscription_selects_one_field() {
        for right in [
            "subscription { leaf }",
            "subscription { ...A } fragment A on Subscription { leaf }",
            "query { leaf a: leaf }",
        ] {
            assert_eq!(code_with(&[], right, json!({})), None, "{right}");
        }
        for wrong in [
            "subscription { leaf other }",
            "subscription { x: leaf y: leaf }",
            "subscription { leaf ...B } fragment B on Subscription { other }",
            "subscription { leaf ... { other } }",
            "subscription { ...A } fragment A on Subscription { leaf ...A }",
            // The executor would run one beside the other, and each frame would show half of what was selected.
            "subscription { thing { name } thing { things { nodes { name } } } }",
        ] {
            let code = code_with(&[], wrong, json!({}));
            assert_eq!(code.as_deref(), Some("GRAPHQL_VALIDATION_FAILED"), "{wrong}");
        }
    }

    #[test]
    fn the_schema_is_told_unless_that_is_switched_off() {
        let document = "{ leaf __schema { queryType { name } } }";
        assert_eq!(code_with(&[], document, json!({})), None);
        let settings = [("graphql.introspection", "false")];
        assert_eq!(code_with(&settings, document, json!({})).as_deref(), Some("INTROSPECTION_DISABLED"));
        assert_eq!(code_with(&settings, "{ leaf __typename }", json!({})), None);
    }
}
