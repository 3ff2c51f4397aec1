//! Which changes of users.

use async_graphql::{ID, InputObject};

use super::id::read_user_id;
use super::user::standing;
use crate::domain::filter::UserFilter;
use crate::domain::id::UserId;
use crate::domain::standing::Cell;
use crate::domain::user::Change;
use crate::graphql::error::Result;
use crate::graphql::place::Place;
use crate::graphql::types::failure::FailureReason;
use crate::graphql::types::standing::{DeploymentStatus, SessionStatus, Stage};

/// Selects changes of users. A change is sent if the user matched before it or matches after it, so that users are seen
/// both entering and leaving the selection. All conditions given must hold; a field that is null or omitted is ignored;
/// an empty list matches nothing.
#[derive(Debug, Clone, Default, InputObject)]
pub(crate) struct UserChangeFilter {
    /// The deployment status is one of these.
    deployment_status: Option<Vec<DeploymentStatus>>,
    /// The stage is one of these; null in the list stands for users who do not have one yet.
    stage: Option<Vec<Option<Stage>>>,
    /// The session status is one of these; null in the list stands for users who do not have one yet.
    session_status: Option<Vec<Option<SessionStatus>>>,
    /// The deployment status is FAILED, for one of these reasons.
    failure_reason: Option<Vec<FailureReason>>,
    /// Only changes of this user. The id of any other kind of object matches nothing.
    user_id: Option<ID>,
}

/// Which changes, in the domain's terms.
#[derive(Debug, Clone)]
pub(crate) struct ChangeFilter {
    standing: UserFilter,
    user: Who,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Everybody,
    Nobody,
    Only(UserId),
}

impl UserChangeFilter {
    /// The filter in the domain's terms.
    pub(crate) fn read(self) -> Result<ChangeFilter> {
        let place = Place::of("filter").field("userId");
        let user = match self.user_id.map(|id| read_user_id(&id, &place)).transpose()? {
            None => Who::Everybody,
            Some(None) => Who::Nobody,
            Some(Some(user)) => Who::Only(user),
        };
        let parts = standing(
            self.deployment_status.as_deref(),
            self.stage.as_deref(),
            self.session_status.as_deref(),
            self.failure_reason.as_deref(),
        );
        Ok(ChangeFilter { standing: UserFilter::All(parts), user })
    }
}

impl ChangeFilter {
    /// Every change.
    pub(crate) const fn everything() -> Self {
        Self { standing: UserFilter::everybody(), user: Who::Everybody }
    }

    /// Whether a change is asked for.
    pub(crate) fn matches(&self, change: &Change) -> bool {
        let stands = |cell: Cell| self.standing.matches(cell) == Some(true);
        let concerned = match self.user {
            Who::Everybody => true,
            Who::Nobody => false,
            Who::Only(user) => user == change.user,
        };
        concerned && (stands(change.after) || change.before.is_some_and(stands))
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{InputType, Value};
    use serde_json::json;

    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::id::{SendId, new_key};
    use crate::domain::standing;
    use crate::domain::user::ChangeKinds;

    fn change(before: Option<standing::DeploymentStatus>, after: standing::DeploymentStatus) -> Change {
        let cell = |status| Cell { status, ..Cell::QUEUED };
        Change {
            revision: 1,
            user: new_key().into(),
            at: Timestamp::MIN,
            kinds: ChangeKinds::default(),
            before: before.map(cell),
            after: cell(after),
        }
    }

    fn read(filter: serde_json::Value) -> ChangeFilter {
        UserChangeFilter::parse(Some(Value::from_json(filter).unwrap())).unwrap().read().unwrap()
    }

    #[test]
    fn a_change_is_asked_for_where_the_user_enters_or_leaves() {
        let sent = read(json!({"deploymentStatus": ["SENT"]}));
        assert!(sent.matches(&change(None, standing::DeploymentStatus::Sent)));
        assert!(sent.matches(&change(Some(standing::DeploymentStatus::Sent), standing::DeploymentStatus::Read)));
        assert!(!sent.matches(&change(Some(standing::DeploymentStatus::Queued), standing::DeploymentStatus::Read)));
        assert!(!read(json!({"stage": []})).matches(&change(None, standing::DeploymentStatus::Sent)));
    }

    #[test]
    fn one_user_may_be_asked_for_and_an_id_of_something_else_is_nobodys() {
        let change = change(None, standing::DeploymentStatus::Sent);
        assert!(read(json!({})).matches(&change));
        assert!(read(json!({"userId": change.user.to_string()})).matches(&change));
        assert!(!read(json!({"userId": UserId(new_key()).to_string()})).matches(&change));
        assert!(!read(json!({"userId": SendId(new_key()).to_string()})).matches(&change));
    }
}
