//! Filters of the users table as SQL.
//!
//! Filters are two-valued and SQL is three-valued, so every leaf here is true or false but never null, which makes `NOT` mean the
//! same in both. Conditions refer only to the table `users`, and to other tables by `EXISTS`. Codes are part of the text, since
//! there are few of them, and the planner then knows how rare each one is.

use super::query::Query;
use crate::domain::code::Coded;
use crate::domain::filter::{TimeRange, UserFilter};
use crate::domain::id::SendId;

/// The condition that a user matches a filter.
pub(super) fn condition(query: &mut Query<'_>, filter: &UserFilter) -> String {
    match filter {
        UserFilter::All(filters) => every(query, filters),
        UserFilter::Any(filters) => any(query, filters),
        UserFilter::Not(filter) => format!("NOT ({})", condition(query, filter)),
        UserFilter::Status(values) => one_of("users.status", codes(values)),
        UserFilter::Stage(values) => some_or_none("users.stage", values),
        UserFilter::Session(values) => some_or_none("users.session_status", values),
        UserFilter::Failure(values) => known_one_of("users.failure_reason", codes(values)),
        UserFilter::Phone(prefix) => phone(query, prefix),
        UserFilter::Deployed(range) => in_range(query, "users.deployed_at", range),
        UserFilter::Activity(range) => activity(query, range),
        UserFilter::Variable { name, equals } => variable(query, name, equals.as_deref()),
        UserFilter::Send(send) => of_send(query, *send),
    }
}

/// The branches of a filter that requires one of several values of a column that is indexed in the order of deployment: a
/// condition for each value. If there are several such columns, the one with the fewest values is used.
pub(super) fn branches(filter: &UserFilter) -> Vec<String> {
    conjuncts(filter).into_iter().filter_map(values_by_index).min_by_key(Vec::len).unwrap_or_default()
}

fn conjuncts(filter: &UserFilter) -> Vec<&UserFilter> {
    match filter {
        UserFilter::All(filters) => filters.iter().flat_map(conjuncts).collect(),
        _ => vec![filter],
    }
}

fn values_by_index(filter: &UserFilter) -> Option<Vec<String>> {
    let (column, mut codes): (_, Vec<i16>) = match filter {
        UserFilter::Status(values) => ("users.status", codes(values).collect()),
        UserFilter::Stage(values) => ("users.stage", known(values)?),
        UserFilter::Session(values) => ("users.session_status", known(values)?),
        UserFilter::Failure(values) => ("users.failure_reason", codes(values).collect()),
        _ => return None,
    };
    codes.sort_unstable();
    codes.dedup();
    Some(codes.into_iter().map(|code| format!("{column} = {code}")).collect())
}

fn codes<T: Coded>(values: &[T]) -> impl Iterator<Item = i16> {
    values.iter().map(|&value| value.code())
}

/// The codes of values; `None` if users without a value match, too, since the index does not contain them.
fn known<T: Coded>(values: &[Option<T>]) -> Option<Vec<i16>> {
    values.iter().map(|value| value.map(T::code)).collect()
}

fn every(query: &mut Query<'_>, filters: &[UserFilter]) -> String {
    joined(query, filters, " AND ").unwrap_or_else(|| "TRUE".to_owned())
}

fn any(query: &mut Query<'_>, filters: &[UserFilter]) -> String {
    joined(query, filters, " OR ").unwrap_or_else(|| "FALSE".to_owned())
}

fn joined(query: &mut Query<'_>, filters: &[UserFilter], word: &str) -> Option<String> {
    let conditions: Vec<_> = filters.iter().map(|filter| condition(query, filter)).collect();
    (!conditions.is_empty()).then(|| format!("({})", conditions.join(word)))
}

fn one_of(column: &str, codes: impl Iterator<Item = i16>) -> String {
    let codes: Vec<_> = codes.map(|code| code.to_string()).collect();
    match codes.as_slice() {
        [] => "FALSE".to_owned(),
        [code] => format!("{column} = {code}"),
        _ => format!("{column} IN ({})", codes.join(", ")),
    }
}

/// The condition that a nullable column has one of some values.
fn known_one_of(column: &str, codes: impl Iterator<Item = i16>) -> String {
    format!("({column} IS NOT NULL AND {})", one_of(column, codes))
}

fn some_or_none<T: Coded>(column: &str, values: &[Option<T>]) -> String {
    let some = known_one_of(column, values.iter().flatten().map(|&value| value.code()));
    if values.iter().any(Option::is_none) { format!("({column} IS NULL OR {some})") } else { some }
}

fn phone(query: &mut Query<'_>, prefix: &str) -> String {
    let mut ranges = vec![begins_with(query, prefix)];
    if prefix.starts_with(|first: char| first.is_ascii_digit()) {
        ranges.push(begins_with(query, &format!("+{prefix}")));
    }
    format!(
        "EXISTS (SELECT 1 FROM contacts WHERE contacts.workspace_id = $1 AND contacts.id = users.contact_id AND ({}))",
        ranges.join(" OR ")
    )
}

/// The condition that a contact's phone begins with a text: a range in bytewise order, for which an index can be used.
fn begins_with(query: &mut Query<'_>, prefix: &str) -> String {
    let from = query.bind(prefix);
    match successor(prefix) {
        Some(end) => format!("contacts.phone >= {from} AND contacts.phone < {}", query.bind(end)),
        None => format!("contacts.phone >= {from}"),
    }
}

/// The least text that is greater than all texts with this prefix; `None` if there is none.
fn successor(prefix: &str) -> Option<String> {
    let mut kept = prefix.chars();
    while let Some(last) = kept.next_back() {
        // The next character, skipping the surrogates.
        if let Some(next) = (last..=char::MAX).nth(1) {
            return Some(format!("{}{next}", kept.as_str()));
        }
    }
    None
}

fn activity(query: &mut Query<'_>, range: &TimeRange) -> String {
    // 0 means no activity.
    match range {
        TimeRange { from: None, to: None } => "TRUE".to_owned(),
        _ => format!("(users.activity_at > 0 AND {})", in_range(query, "users.activity_at", range)),
    }
}

fn in_range(query: &mut Query<'_>, column: &str, range: &TimeRange) -> String {
    let from = range.from.map(|from| format!("{column} >= {}", query.bind(from.micros())));
    let to = range.to.map(|to| format!("{column} < {}", query.bind(to.micros())));
    match (from, to) {
        (Some(from), Some(to)) => format!("({from} AND {to})"),
        (Some(bound), None) | (None, Some(bound)) => bound,
        (None, None) => "TRUE".to_owned(),
    }
}

fn variable(query: &mut Query<'_>, name: &str, equals: Option<&str>) -> String {
    let name = query.bind(name);
    let value = equals.map(|value| format!(" AND variables.value = {}", query.bind(value))).unwrap_or_default();
    of_latest_deployment(&format!(
        "EXISTS (SELECT 1 FROM variables WHERE variables.deployment_id = deployments.id \
         AND variables.workspace_id = $1 AND variables.name = {name}{value})"
    ))
}

fn of_send(query: &mut Query<'_>, send: SendId) -> String {
    let send = query.bind(send.0);
    of_latest_deployment(&format!("deployments.send_id = {send}"))
}

fn of_latest_deployment(condition: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM deployments WHERE deployments.user_id = users.id \
         AND deployments.number = users.deployments AND deployments.workspace_id = $1 AND {condition})"
    )
}
