//! Whether a request needs the executor's own validation, which takes a quarter of the time of a small query.
//!
//! The document is valid by then. What is left to be told is whether values have the right form: of types that every
//! validator knows, that is told here; of ours, such as `DateTime`, and of input objects, which may hold them, only the
//! executor can tell.

use apollo_compiler::Schema;
use apollo_compiler::ast::Type;
use apollo_compiler::executable::{ExecutableDocument, Operation, Selection, SelectionSet, VariableDefinition};
use apollo_compiler::schema::ExtendedType;
use async_graphql::{Value, Variables};

/// Whether all arguments of a document are of types that every validator knows.
pub(super) fn is_plain(schema: &Schema, document: &ExecutableDocument) -> bool {
    let operations = document.operations.iter().map(|operation| &operation.selection_set);
    let fragments = document.fragments.values().map(|fragment| &fragment.selection_set);
    operations.chain(fragments).all(|selections| has_plain_arguments(schema, selections))
}

/// Whether the values of an operation's variables have the right form. That they have not is not said: it is for the executor
/// to tell.
pub(super) fn fits(schema: &Schema, operation: &Operation, variables: &Variables) -> bool {
    let fits = |definition: &VariableDefinition| match variables.get(definition.name.as_str()) {
        None => definition.default_value.is_some() || !definition.ty.is_non_null(),
        Some(Value::Null) => !definition.ty.is_non_null(),
        Some(value) => !definition.ty.is_list() && is_of(schema, &definition.ty, value),
    };
    operation.variables.iter().all(|definition| fits(definition))
}

fn has_plain_arguments(schema: &Schema, selections: &SelectionSet) -> bool {
    selections.selections.iter().all(|selection| match selection {
        Selection::Field(field) => {
            let given = field
                .definition
                .arguments
                .iter()
                .filter(|argument| field.arguments.iter().any(|given| given.name == argument.name));
            let mut types = given.map(|argument| &argument.ty);
            types.all(|ty| is_known(schema, ty)) && has_plain_arguments(schema, &field.selection_set)
        }
        Selection::InlineFragment(inline) => has_plain_arguments(schema, &inline.selection_set),
        // Fragments are looked at by themselves.
        Selection::FragmentSpread(_) => true,
    })
}

fn is_known(schema: &Schema, ty: &Type) -> bool {
    match schema.types.get(ty.inner_named_type()) {
        Some(ExtendedType::Scalar(scalar)) => scalar.is_built_in(),
        Some(ExtendedType::Enum(_)) => true,
        _ => false,
    }
}

fn is_of(schema: &Schema, ty: &Type, value: &Value) -> bool {
    match (schema.types.get(ty.inner_named_type()), value) {
        (Some(ExtendedType::Enum(words)), Value::String(word)) => words.values.contains_key(word.as_str()),
        (Some(ExtendedType::Scalar(scalar)), value) => match (scalar.name.as_str(), value) {
            ("ID" | "String", Value::String(_)) | ("Boolean", Value::Boolean(_)) => true,
            ("Int", Value::Number(number)) => number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use apollo_compiler::ExecutableDocument;
    use serde_json::{Value, json};

    use super::*;

    const SCHEMA: &str = "
        type Query { leaf(id: ID, n: Int, on: Boolean, word: Word, at: Time, filter: Filter, list: [Int!]): Query, name: String }
        enum Word { ONE TWO }
        scalar Time
        input Filter { at: Time }
    ";

    fn settled(document: &str, variables: Value) -> bool {
        let schema = Schema::parse_and_validate(SCHEMA, "schema").unwrap();
        let document = ExecutableDocument::parse_and_validate(&schema, document, "document").unwrap();
        let operation = document.operations.get(None).unwrap();
        is_plain(&schema, &document) && fits(&schema, operation, &Variables::from_json(variables))
    }

    #[test]
    fn values_of_types_that_everybody_knows_need_no_other_look() {
        for (document, variables) in [
            ("{ name }", json!({})),
            ("{ leaf(id: \"a\", n: 5, on: true, word: ONE, list: [1, 2]) { name } }", json!({})),
            (
                "query($id: ID!, $n: Int = 5, $word: Word) { leaf(id: $id, n: $n, word: $word) { name } }",
                json!({ "id": "a" }),
            ),
            (
                "query($word: Word) { ...A } fragment A on Query { leaf(word: $word) { name } }",
                json!({ "word": "TWO" }),
            ),
            ("query($n: Int) { leaf(n: $n) { name } }", json!({ "n": null, "unknown": 1 })),
        ] {
            assert!(settled(document, variables), "{document}");
        }
    }

    #[test]
    fn whatever_else_there_is_is_for_the_executor_to_tell() {
        for (document, variables) in [
            ("{ leaf(at: 5) { name } }", json!({})),
            ("{ leaf { ...A } } fragment A on Query { leaf { leaf(filter: { at: \"x\" }) { name } } }", json!({})),
            ("query($at: Time) { leaf(at: $at) { name } }", json!({ "at": "x" })),
            ("query($id: ID!) { leaf(id: $id) { name } }", json!({})),
            ("query($id: ID!) { leaf(id: $id) { name } }", json!({ "id": null })),
            ("query($id: ID!) { leaf(id: $id) { name } }", json!({ "id": {} })),
            ("query($n: Int) { leaf(n: $n) { name } }", json!({ "n": 2_147_483_648_i64 })),
            ("query($n: Int) { leaf(n: $n) { name } }", json!({ "n": 1.5 })),
            ("query($on: Boolean) { leaf(on: $on) { name } }", json!({ "on": "true" })),
            ("query($word: Word) { leaf(word: $word) { name } }", json!({ "word": "THREE" })),
            ("query($list: [Int!]) { leaf(list: $list) { name } }", json!({ "list": ["x"] })),
        ] {
            assert!(!settled(document, variables), "{document}");
        }
    }
}
