//! How much an operation asks for, found from its document and variables alone.
//!
//! Depth is no protection: five lists inside each other with a hundred nodes each are ten billion. So the cost is the number
//! of objects that may be asked for: page sizes are multiplied down the tree. Fragments count wherever they are spread, and
//! each is measured once, so that measuring takes no longer than reading.

use std::collections::HashMap;

use apollo_compiler::Name;
use apollo_compiler::executable::{
    DirectiveList, ExecutableDocument, Field, FragmentSpread, Operation, Selection, SelectionSet, Value,
};
use async_graphql::{Value as Given, Variables};

use super::limit::{Exceeded, Limit};
use crate::config::GraphqlSettings;
use crate::domain::page::{DEFAULT_SIZE, MAX_SIZE};

/// How long a list is assumed to be that is no page of a connection.
const LIST_LENGTH: usize = 10;

/// What a field of a mutation costs besides its payload.
const MUTATION_COST: usize = 10;

/// What an operation asks for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Measure {
    /// How deep fields are nested.
    pub(crate) depth: usize,
    /// The number of fields of the operation itself.
    pub(crate) root_fields: usize,
    /// The number of aliases.
    pub(crate) aliases: usize,
    /// The number of directives.
    pub(crate) directives: usize,
    /// The number of objects that may be asked for.
    pub(crate) cost: usize,
    /// Whether it asks for the schema.
    pub(crate) introspects: bool,
}

struct Measuring<'d> {
    document: &'d ExecutableDocument,
    operation: &'d Operation,
    variables: &'d Variables,
    /// Fragments by name and by the length of the page that they are spread in.
    fragments: HashMap<(&'d Name, Option<usize>), Measure>,
}

impl Measure {
    /// Measures the operation that a name means. Where it means none, which the executor refuses, there is nothing to measure.
    pub(super) fn of(document: &ExecutableDocument, name: Option<&str>, variables: &Variables) -> Self {
        let Ok(operation) = document.operations.get(name) else { return Self::default() };
        let mut measuring = Measuring { document, operation, variables, fragments: HashMap::new() };
        let mut measure = measuring.selections(&operation.selection_set, None);
        measure.directives = measure.directives.saturating_add(operation.directives.len());
        measure.root_fields = operation.root_fields(document).count();
        if operation.is_mutation() {
            measure.cost = measure.cost.saturating_add(measure.root_fields.saturating_mul(MUTATION_COST));
        }
        measure
    }

    /// Refuses what exceeds a limit.
    pub(super) fn check(&self, limits: &GraphqlSettings) -> Result<(), Exceeded> {
        Limit::Depth.check(self.depth, limits.depth.get())?;
        Limit::RootFields.check(self.root_fields, limits.root_fields.get())?;
        Limit::Aliases.check(self.aliases, limits.aliases)?;
        Limit::Directives.check(self.directives, limits.directives)?;
        Limit::Cost.check(self.cost, limits.cost.get())
    }

    fn and(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            root_fields: 0,
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            cost: self.cost.saturating_add(other.cost),
            introspects: self.introspects || other.introspects,
        }
    }
}

impl<'d> Measuring<'d> {
    /// The measure of what is selected. `page` is the length of the page, where it is selected of one.
    fn selections(&mut self, selected: &'d SelectionSet, page: Option<usize>) -> Measure {
        let measures = selected.selections.iter().map(|selection| match selection {
            Selection::Field(field) => self.field(field, page),
            Selection::InlineFragment(inline) => {
                directed(&inline.directives, self.selections(&inline.selection_set, page))
            }
            Selection::FragmentSpread(spread) => directed(&spread.directives, self.fragment(spread, page)),
        });
        measures.fold(Measure::default(), Measure::and)
    }

    fn fragment(&mut self, spread: &'d FragmentSpread, page: Option<usize>) -> Measure {
        let key = (&spread.fragment_name, page);
        if let Some(known) = self.fragments.get(&key) {
            return *known;
        }
        // Validation has made sure that there is one, and that it does not contain itself.
        let Some(fragment) = self.document.fragments.get(&spread.fragment_name) else { return Measure::default() };
        let measure = directed(&fragment.directives, self.selections(&fragment.selection_set, page));
        self.fragments.insert(key, measure);
        measure
    }

    fn field(&mut self, field: &'d Field, page: Option<usize>) -> Measure {
        let inner = self.selections(&field.selection_set, self.page_size(field));
        let own = usize::from(!field.selection_set.is_empty());
        let length = if field.definition.ty.is_list() { page.unwrap_or(LIST_LENGTH) } else { 1 };
        let measure = Measure {
            depth: inner.depth.saturating_add(1),
            aliases: inner.aliases.saturating_add(usize::from(field.alias.is_some())),
            cost: inner.cost.saturating_add(own).saturating_mul(length),
            introspects: inner.introspects || matches!(field.name.as_str(), "__schema" | "__type"),
            ..inner
        };
        directed(&field.directives, measure)
    }

    /// How many nodes a field asks for, if it is a connection.
    fn page_size(&self, field: &'d Field) -> Option<usize> {
        field.definition.argument_by_name("first")?;
        let given = ["first", "last"].into_iter().find_map(|name| self.number(field.specified_argument_by_name(name)?));
        // Another size is refused with a better message, by whoever makes the page.
        Some(given.map_or(DEFAULT_SIZE, |size| usize::try_from(size).unwrap_or_default().min(MAX_SIZE)))
    }

    fn number(&self, value: &Value) -> Option<i64> {
        match value {
            Value::Int(number) => number.as_str().parse().ok(),
            Value::Variable(name) => match self.variables.get(name.as_str()) {
                Some(Given::Number(number)) => number.as_i64(),
                Some(_) => None,
                None => {
                    let defined = self.operation.variables.iter().find(|variable| variable.name == *name)?;
                    self.number(defined.default_value.as_ref()?)
                }
            },
            _ => None,
        }
    }
}

fn directed(directives: &DirectiveList, measure: Measure) -> Measure {
    Measure { directives: measure.directives.saturating_add(directives.len()), ..measure }
}

#[cfg(test)]
mod tests {
    use apollo_compiler::Schema;
    use serde_json::{Value as Json, json};

    use super::*;

    const TOY: &str = "
        type Query { one: Thing, list: [Thing!]!, things(first: Int, last: Int, after: String): Things!, leaf: Int }
        type Mutation { make: Thing }
        type Thing { name: String, one: Thing, things(first: Int, last: Int): Things! }
        type Things { nodes: [Thing!]!, edges: [Edge!]!, totalCount: Int! }
        type Edge { node: Thing! }
    ";

    fn measure_with(document: &str, variables: Json) -> Measure {
        let schema = Schema::parse_and_validate(TOY, "toy").unwrap();
        let document = ExecutableDocument::parse_and_validate(&schema, document, "document").unwrap();
        Measure::of(&document, None, &Variables::from_json(variables))
    }

    fn measure(document: &str) -> Measure {
        measure_with(document, json!({}))
    }

    #[test]
    fn the_cost_is_how_many_objects_may_be_asked_for() {
        for (document, cost) in [
            ("{ leaf }", 0),
            ("{ one { name } }", 1),
            ("{ one { one { name } } other: one { name } }", 3),
            ("{ list { name } }", 10),
            ("{ things { totalCount } }", 1),
            ("{ things { nodes { name } } }", 51),
            ("{ things(first: 3) { nodes { name } } }", 4),
            ("{ things(last: 3) { edges { node { name } } } }", 7),
            ("{ things(first: 0) { nodes { name } } }", 1),
            ("{ things(first: 9999) { nodes { name } } }", 201),
            ("{ things(first: -1) { nodes { name } } }", 1),
            ("{ things(first: 4) { nodes { things(first: 5) { nodes { name } } } } }", 1 + 4 * (1 + 1 + 5)),
            (
                "{ things(first: 4) { ...T } } fragment T on Things { nodes { name } edges { node { name } } }",
                1 + 4 + 8,
            ),
            ("mutation { make { name } }", 11),
        ] {
            assert_eq!(measure(document).cost, cost, "{document}");
        }
    }

    #[test]
    fn page_sizes_are_known_from_variables_too() {
        let document = "query($n: Int = 7) { things(first: $n) { nodes { name } } }";
        for (variables, cost) in
            [(json!({}), 8), (json!({ "n": 3 }), 4), (json!({ "n": null }), 51), (json!({ "n": "many" }), 51)]
        {
            assert_eq!(measure_with(document, variables.clone()).cost, cost, "{variables}");
        }
        let document = "query($n: Int) { things(first: $n) { nodes { name } } }";
        assert_eq!(measure(document).cost, 51);
    }

    #[test]
    fn aliases_directives_and_depth_are_counted_wherever_fragments_are_spread() {
        let measure = measure(
            "query($yes: Boolean!) { a: one { ...F @include(if: $yes) b: one { ...F } } ... @skip(if: $yes) { leaf } }
             fragment F on Thing { c: name @include(if: $yes) d: one { name } }",
        );
        assert_eq!((measure.aliases, measure.directives), (1 + 2 + 1 + 2, 1 + 1 + 1 + 1));
        assert_eq!((measure.depth, measure.root_fields), (4, 2));
    }

    #[test]
    fn fragments_that_multiply_are_measured_in_no_time_and_never_overflow() {
        let doubled =
            |number| format!("fragment F{number} on Query {{ ...F{0} ... on Query {{ ...F{0} }} }}", number + 1);
        let fragments: String = (0..99).map(doubled).collect();
        let document = format!(
            "query {{ ...F0 }} {fragments} fragment F99 on Query {{ x: things(first: 200) {{ nodes {{ name }} }} }}"
        );
        let measure = measure(&document);
        assert_eq!((measure.aliases, measure.cost), (usize::MAX, usize::MAX));
    }

    #[test]
    fn asking_for_the_schema_is_seen_wherever_it_is() {
        assert!(measure("{ ...F } fragment F on Query { __schema { types { name } } }").introspects);
        assert!(measure("{ leaf __type(name: \"Thing\") { name } }").introspects);
        assert!(!measure("{ __typename leaf }").introspects);
    }
}
