//! Which users, in which order.

use async_graphql::{Enum, ID, InputObject};

use super::id::read_send_id;
use super::order::OrderDirection;
use super::time::DateTimeRange;
use crate::domain::filter;
use crate::domain::input::{Fault, MAX_VARIABLE_NAME_BYTES, MAX_VARIABLE_VALUE_BYTES, check_name, check_text};
use crate::domain::user;
use crate::graphql::error::{ApiError, Result};
use crate::graphql::place::Place;
use crate::graphql::types::failure::FailureReason;
use crate::graphql::types::standing::{DeploymentStatus, SessionStatus, Stage};

/// Selects users. All conditions given must hold; a field that is null or omitted is ignored. The values of a list are
/// alternatives, so an empty list matches nobody. A filter may be nested at most 8 levels deep and contain at most 100
/// conditions in all.
#[derive(Debug, Clone, Default, InputObject)]
pub(crate) struct UserFilter {
    /// All of these must hold. An empty list matches everybody.
    and: Option<Vec<UserFilter>>,
    /// One of these must hold. An empty list matches nobody.
    or: Option<Vec<UserFilter>>,
    /// This must not hold: it matches exactly the users that the inner filter does not match.
    not: Option<Box<UserFilter>>,
    /// The deployment status is one of these.
    deployment_status: Option<Vec<DeploymentStatus>>,
    /// The stage is one of these; null in the list stands for users who do not have one yet.
    stage: Option<Vec<Option<Stage>>>,
    /// The session status is one of these; null in the list stands for users who do not have one yet.
    session_status: Option<Vec<Option<SessionStatus>>>,
    /// The deployment status is FAILED, for one of these reasons.
    failure_reason: Option<Vec<FailureReason>>,
    /// The phone number begins with this; the plus sign may be omitted. At most 64 bytes.
    phone: Option<String>,
    /// The latest deployment was due in this range.
    deployed_at: Option<DateTimeRange>,
    /// The user's last activity was in this range. Users without any activity match only a range that has neither end.
    last_activity_at: Option<DateTimeRange>,
    /// One of these holds for the variables of the latest deployment. To require several at once, use `and`.
    variables: Option<Vec<VariableFilter>>,
    /// The latest deployment belongs to this send. The id of any other kind of object matches nobody.
    send_id: Option<ID>,
}

/// A condition on one variable. It requires `equals`, `exists`, or both.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct VariableFilter {
    /// The variable's name, exactly as it was given; 1 to 100 bytes.
    name: String,
    /// The user has the variable, with exactly this value; at most 8,192 bytes.
    equals: Option<String>,
    /// True if the user must have the variable, false if the user must not. False cannot be combined with `equals`.
    exists: Option<bool>,
}

/// How to order users.
#[derive(Debug, Clone, Copy, InputObject)]
pub(crate) struct UserOrder {
    /// What to order by.
    field: UserOrderField,
    /// Ascending or descending.
    direction: OrderDirection,
}

/// What users can be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "user::UserOrder")]
pub(crate) enum UserOrderField {
    /// When the latest deployment was due.
    #[graphql(name = "DEPLOYED_AT")]
    Deployed,
    /// The user's last activity. Users without any come first in ascending order and last in descending order.
    #[graphql(name = "LAST_ACTIVITY_AT")]
    Activity,
}

/// How deep a filter may nest, the outermost included: deeper than people write, and shallow enough for any database.
const MAX_DEPTH: usize = 8;
/// How many conditions a filter may hold in all.
const MAX_CONDITIONS: usize = 100;
/// The longest prefix of a phone number, in bytes: as long as the longest text that is read as a number.
const MAX_PHONE_BYTES: usize = 64;

impl UserFilter {
    /// The filter in the domain's terms.
    pub(crate) fn read(self) -> Result<filter::UserFilter> {
        let place = Place::of("filter");
        if self.depth() > MAX_DEPTH {
            return Err(ApiError::Argument(place, Fault::new(format!("is nested more than {MAX_DEPTH} levels deep"))));
        }
        if self.conditions() > MAX_CONDITIONS {
            let fault = Fault::new(format!("contains more than {MAX_CONDITIONS} conditions"));
            return Err(ApiError::Argument(place, fault));
        }
        self.read_at(&place)
    }

    fn read_at(&self, place: &Place) -> Result<filter::UserFilter> {
        let mut parts = self.combinations(place)?;
        parts.extend(self.standing());
        parts.extend(self.conditions_at(place)?);
        Ok(if parts.len() == 1 { parts.remove(0) } else { filter::UserFilter::All(parts) })
    }

    fn combinations(&self, place: &Place) -> Result<Vec<filter::UserFilter>> {
        let list = |filters: &Vec<Self>, name| {
            let place = place.field(name);
            filters.iter().enumerate().map(|(index, filter)| filter.read_at(&place.item(index))).collect::<Result<_>>()
        };
        let and = self.and.as_ref().map(|filters| list(filters, "and").map(filter::UserFilter::All));
        let or = self.or.as_ref().map(|filters| list(filters, "or").map(filter::UserFilter::Any));
        let not = self.not.as_ref().map(|inner| {
            let inner = inner.read_at(&place.field("not"))?;
            Ok(filter::UserFilter::Not(Box::new(inner)))
        });
        [and, or, not].into_iter().flatten().collect()
    }

    /// What a tally's cell decides.
    fn standing(&self) -> Vec<filter::UserFilter> {
        standing(
            self.deployment_status.as_deref(),
            self.stage.as_deref(),
            self.session_status.as_deref(),
            self.failure_reason.as_deref(),
        )
    }

    /// What only the database decides.
    fn conditions_at(&self, place: &Place) -> Result<Vec<filter::UserFilter>> {
        let phone = self.phone.as_ref().map(|prefix| read_phone(prefix, &place.field("phone")));
        let deployed = self.deployed_at.as_ref().map(|range| range.read(&place.field("deployedAt")));
        let activity = self.last_activity_at.as_ref().map(|range| range.read(&place.field("lastActivityAt")));
        let variables = self.variables.as_ref().map(|list| read_variables(list, &place.field("variables")));
        let send = self.send_id.as_ref().map(|id| read_send_id(id, &place.field("sendId")));
        let parts = [
            phone,
            deployed.map(|range| range.map(filter::UserFilter::Deployed)),
            activity.map(|range| range.map(filter::UserFilter::Activity)),
            variables,
            send.map(|id| id.map(|id| id.map_or(NOBODY, filter::UserFilter::Send))),
        ];
        parts.into_iter().flatten().collect()
    }

    fn inner(&self) -> impl Iterator<Item = &Self> {
        let lists = self.and.iter().chain(&self.or).flatten();
        lists.chain(self.not.as_deref())
    }

    fn depth(&self) -> usize {
        1 + self.inner().map(Self::depth).max().unwrap_or(0)
    }

    fn conditions(&self) -> usize {
        1 + self.variables.as_ref().map_or(0, Vec::len) + self.inner().map(Self::conditions).sum::<usize>()
    }
}

impl VariableFilter {
    fn read_at(&self, place: &Place) -> Result<filter::UserFilter> {
        let refuse = |place: Place, fault| Err(ApiError::Argument(place, fault));
        if let Err(fault) = check_name(&self.name, MAX_VARIABLE_NAME_BYTES) {
            return refuse(place.field("name"), fault);
        }
        if let Some(Err(fault)) = self.equals.as_ref().map(|value| check_text(value, MAX_VARIABLE_VALUE_BYTES)) {
            return refuse(place.field("equals"), fault);
        }
        let has = |equals| filter::UserFilter::Variable { name: self.name.clone(), equals };
        match (&self.equals, self.exists) {
            (Some(value), None | Some(true)) => Ok(has(Some(value.clone()))),
            (None, Some(true)) => Ok(has(None)),
            (None, Some(false)) => Ok(filter::UserFilter::Not(Box::new(has(None)))),
            (Some(_), Some(false)) => {
                refuse(place.clone(), Fault::new("has \"equals\", so \"exists\" cannot be false"))
            }
            (None, None) => refuse(place.clone(), Fault::new("requires \"equals\" or \"exists\"")),
        }
    }
}

impl UserOrder {
    /// What to compare and whether the greatest comes first; the latest deployed first where nothing is asked.
    pub(crate) fn read(order: Option<Self>) -> (user::UserOrder, bool) {
        order.map_or((user::UserOrder::Deployed, true), |order| (order.field.into(), order.direction.descending()))
    }
}

/// The filter that matches nobody.
pub(crate) const NOBODY: filter::UserFilter = filter::UserFilter::Any(Vec::new());

/// What a tally's cell decides, of a filter's lists of values.
pub(crate) fn standing(
    status: Option<&[DeploymentStatus]>,
    stage: Option<&[Option<Stage>]>,
    session: Option<&[Option<SessionStatus>]>,
    failure: Option<&[FailureReason]>,
) -> Vec<filter::UserFilter> {
    let parts = [
        status.map(|values| filter::UserFilter::Status(distinct(values, Into::into))),
        stage.map(|values| filter::UserFilter::Stage(distinct(values, |value| value.map(Into::into)))),
        session.map(|values| filter::UserFilter::Session(distinct(values, |value| value.map(Into::into)))),
        failure.map(|values| filter::UserFilter::Failure(distinct(values, Into::into))),
    ];
    parts.into_iter().flatten().collect()
}

/// Each value once: a list may be long, the words in it are few.
fn distinct<T: Copy, D: Ord>(values: &[T], read: impl Fn(T) -> D) -> Vec<D> {
    let distinct: std::collections::BTreeSet<_> = values.iter().copied().map(read).collect();
    distinct.into_iter().collect()
}

fn read_phone(prefix: &str, place: &Place) -> Result<filter::UserFilter> {
    check_text(prefix, MAX_PHONE_BYTES).map_err(|fault| ApiError::Argument(place.clone(), fault))?;
    Ok(filter::UserFilter::Phone(prefix.to_owned()))
}

fn read_variables(list: &[VariableFilter], place: &Place) -> Result<filter::UserFilter> {
    let read = |(index, variable): (usize, &VariableFilter)| variable.read_at(&place.item(index));
    list.iter().enumerate().map(read).collect::<Result<_>>().map(filter::UserFilter::Any)
}

#[cfg(test)]
mod tests {
    use async_graphql::{InputType, Value};
    use serde_json::json;

    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::filter::UserFilter::{
        Activity, All, Any, Deployed, Failure, Not, Phone, Send, Session, Variable,
    };
    use crate::domain::id::{SendId, UserId, new_key};
    use crate::domain::{failure, standing};

    fn parse(filter: serde_json::Value) -> UserFilter {
        UserFilter::parse(Some(Value::from_json(filter).unwrap())).unwrap()
    }

    fn read(filter: serde_json::Value) -> filter::UserFilter {
        parse(filter).read().unwrap()
    }

    fn refused(filter: serde_json::Value) -> String {
        parse(filter).read().unwrap_err().to_string()
    }

    #[test]
    fn an_empty_filter_and_an_empty_and_match_everybody_and_an_empty_or_or_list_nobody() {
        assert_eq!(read(json!({})), filter::UserFilter::everybody());
        assert_eq!(read(json!({"and": []})), All(vec![]));
        assert_eq!(read(json!({"or": []})), NOBODY);
        assert_eq!(read(json!({"variables": []})), NOBODY);
        assert_eq!(read(json!({"stage": []})), filter::UserFilter::Stage(vec![]));
        assert_eq!(read(json!({"phone": null, "stage": null, "or": null})), filter::UserFilter::everybody());
    }

    #[test]
    fn fields_all_hold_and_values_are_alternatives() {
        let filter = read(json!({"deploymentStatus": ["READ", "FAILED", "READ"], "stage": [null, "FINISHED"]}));
        let status =
            filter::UserFilter::Status(vec![standing::DeploymentStatus::Read, standing::DeploymentStatus::Failed]);
        let stage = filter::UserFilter::Stage(vec![None, Some(standing::Stage::Finished)]);
        assert_eq!(filter, All(vec![status, stage]));
        let session = vec![Some(standing::SessionStatus::Agent)];
        let failure = vec![failure::FailureReason::OptedOut];
        assert_eq!(
            read(json!({"not": {"or": [{"sessionStatus": ["AGENT"]}, {"failureReason": "OPTED_OUT"}]}})),
            Not(Box::new(Any(vec![Session(session), Failure(failure)])))
        );
    }

    #[test]
    fn other_columns_are_read_into_the_domains_terms() {
        let at = |text| Timestamp::parse(text).unwrap();
        let send = SendId(new_key());
        let range = filter::TimeRange { from: Some(at("2026-01-01T00:00:00Z")), to: Some(at("2026-01-02T00:00:00Z")) };
        assert_eq!(read(json!({"phone": "57300"})), Phone("57300".into()));
        assert_eq!(
            read(json!({"deployedAt": {"from": "2026-01-01T01:00:00+01:00", "to": "2026-01-02T00:00:00Z"}})),
            Deployed(range)
        );
        assert_eq!(read(json!({"lastActivityAt": {}})), Activity(filter::TimeRange::default()));
        assert_eq!(read(json!({"sendId": send.to_string()})), Send(send));
        assert_eq!(read(json!({"sendId": UserId(new_key()).to_string()})), NOBODY);
    }

    #[test]
    fn variables_are_asked_for_by_value_or_existence() {
        let has = |equals: Option<&str>| Variable { name: "city".into(), equals: equals.map(str::to_owned) };
        let one = |variable| Any(vec![variable]);
        assert_eq!(read(json!({"variables": [{"name": "city", "equals": "Cali"}]})), one(has(Some("Cali"))));
        let both = json!({"variables": [{"name": "city", "equals": "Cali", "exists": true}]});
        assert_eq!(read(both), one(has(Some("Cali"))));
        assert_eq!(read(json!({"variables": [{"name": "city", "exists": true}]})), one(has(None)));
        let absent = json!({"variables": [{"name": "city", "exists": false}]});
        assert_eq!(read(absent), one(Not(Box::new(has(None)))));
    }

    #[test]
    fn faults_name_their_place() {
        let cases = [
            (json!({"variables": [{"name": "a"}]}), "filter.variables.0"),
            (json!({"variables": [{"name": "a", "equals": "b", "exists": false}]}), "filter.variables.0"),
            (json!({"variables": [{"name": " ", "exists": true}]}), "filter.variables.0.name"),
            (json!({"variables": [{"name": "a", "equals": "b\u{0}"}]}), "filter.variables.0.equals"),
            (json!({"and": [{}, {"sendId": "nonsense"}]}), "filter.and.1.sendId"),
            (json!({"not": {"phone": "\u{0}"}}), "filter.not.phone"),
            (json!({"or": [{"deployedAt": {"from": "9999-01-01T00:00:00Z"}}]}), "filter.or.0.deployedAt.from"),
            (json!({"lastActivityAt": {"to": "soon"}}), "filter.lastActivityAt.to"),
            (
                json!({"deployedAt": {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}}),
                "filter.deployedAt",
            ),
        ];
        for (filter, place) in cases {
            let told = refused(filter);
            assert!(told.starts_with(&format!("Argument \"{place}\" ")), "{told}");
        }
        let told = refused(json!({"deployedAt": {"from": "9999-01-01T00:00:00Z"}}));
        assert!(told.ends_with("is not a valid DateTime: it is outside the years 1970 to 2099"), "{told}");
    }

    #[test]
    fn depth_and_number_of_conditions_are_bounded() {
        let nested = |depth| (1..depth).fold(json!({"phone": "1"}), |inner, _| json!({"not": inner}));
        assert!(parse(nested(8)).read().is_ok());
        assert_eq!(refused(nested(9)), "Argument \"filter\" is nested more than 8 levels deep");
        let wide = |count| json!({"or": vec![json!({"phone": "1"}); count]});
        assert!(parse(wide(99)).read().is_ok());
        assert_eq!(refused(wide(101)), "Argument \"filter\" contains more than 100 conditions");
    }
}
