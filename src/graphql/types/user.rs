//! Users, and the log of their changes.

use std::sync::Arc;

use async_graphql::{Context, Description, Enum, ID, Object};

use super::deployment::Deployments;
use super::failure::Failure;
use super::message::Messages;
use super::standing::{DeploymentStatus, SessionStatus, Stage};
use super::variable::Variable;
use super::version::Version;
use crate::auth::Scope;
use crate::domain;
use crate::domain::filter;
use crate::domain::id::VersionId;
use crate::domain::merge::{VariableValue, Variables};
use crate::domain::metrics::Metrics;
use crate::domain::page::Cursors;
use crate::graphql::connection::{Connection, Cursor, List, PageInput, Size, int};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{ApiError, Result};
use crate::graphql::input::user::{UserFilter, UserOrder};
use crate::graphql::lazy::Lazy;
use crate::graphql::scalars::{DateTime, PhoneNumber};
use crate::storage::users::UserQuery;

/// One person to whom one version of a conversation was sent, or who started it: a row of the users table. It shows the
/// person's latest deployment of that version. The same person is a different user in another version.
#[derive(Description)]
pub(crate) struct User(pub(crate) Lazy<domain::user::User>);

/// The users of a version who match a filter, in an order.
#[derive(Debug, Clone)]
pub(crate) struct Users {
    version: VersionId,
    filter: filter::UserFilter,
    order: domain::user::UserOrder,
}

/// What happened to one user in one step of recording: several reports recorded together make one change.
#[derive(Description)]
pub(crate) struct UserChange(pub(crate) domain::user::Change);

/// What a change affected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::user::ChangeKind")]
pub(crate) enum UserChangeKind {
    /// A deployment was created: the user is new, or was sent to again.
    Deployed,
    /// The deployment status changed.
    Status,
    /// The stage changed.
    Stage,
    /// The session status changed.
    Session,
    /// The failure changed.
    Failure,
    /// A variable was given a value.
    Variable,
    /// The user did something.
    Activity,
    /// A message was added to the history.
    Message,
}

#[Object(use_type_description)]
impl User {
    /// The user's globally unique id.
    pub(crate) async fn id(&self) -> ID {
        self.0.id()
    }

    /// The phone number, masked without the scope PERSONAL. Null only if WhatsApp hides it, and `whatsappId` then
    /// identifies the user, or if the person's data was erased.
    async fn phone(&self, ctx: &Context<'_>) -> Option<Result<PhoneNumber>> {
        self.find_phone(ctx).await.transpose()
    }

    /// WhatsApp's id of the account, which need not match the digits of the phone number. Null until WhatsApp has
    /// reported it, and without the scope PERSONAL.
    async fn whatsapp_id(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        self.0.row(ctx).await.and_then(|row| ctx.personal(row.whatsapp_id.clone())).transpose()
    }

    /// The name on the WhatsApp profile. Null until WhatsApp has reported it, and without the scope PERSONAL.
    async fn name(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        self.0.row(ctx).await.and_then(|row| ctx.personal(row.name.clone())).transpose()
    }

    /// When this person asked not to be written to, in whatever conversation of the workspace. Null while they may be:
    /// they never asked, or have since asked to be written to again. A send to somebody who has opted out fails with
    /// `OPTED_OUT`.
    async fn opted_out_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        self.0.row(ctx).await.map(|row| row.opted_out_at.map(DateTime)).transpose()
    }

    /// When this person's data was erased, by `eraseContact` or for want of any contact. What is left are the times and
    /// states that the figures count: no phone, no name, no variables, no words. Null while the person is known.
    async fn erased_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        self.0.row(ctx).await.map(|row| row.erased_at.map(DateTime)).transpose()
    }

    /// The version this is a user of.
    async fn version(&self, ctx: &Context<'_>) -> Result<Version> {
        Ok(Version(Lazy::Id(self.0.row(ctx).await?.version)))
    }

    /// When the latest deployment was due.
    async fn deployed_at(&self, ctx: &Context<'_>) -> Result<DateTime> {
        Ok(self.0.row(ctx).await?.deployed_at.into())
    }

    /// How far the latest deployment has got.
    async fn deployment_status(&self, ctx: &Context<'_>) -> Result<DeploymentStatus> {
        Ok(self.0.row(ctx).await?.cell.status.into())
    }

    /// Why the latest deployment failed. Null unless `deploymentStatus` is FAILED.
    async fn failure(&self, ctx: &Context<'_>) -> Option<Result<Failure>> {
        self.find_failure(ctx).await.transpose()
    }

    /// How far the user has got in the conversation. Null until the user has answered.
    async fn stage(&self, ctx: &Context<'_>) -> Option<Result<Stage>> {
        self.0.row(ctx).await.map(|row| row.cell.stage.map(Stage::from)).transpose()
    }

    /// Who handles the conversation. Null until a session has begun.
    async fn session_status(&self, ctx: &Context<'_>) -> Option<Result<SessionStatus>> {
        self.0.row(ctx).await.map(|row| row.cell.session_status.map(SessionStatus::from)).transpose()
    }

    /// When the user last did something in the conversation: wrote, pressed a button or reacted. Receiving and reading
    /// do not count. Null if the user has not done anything yet.
    async fn last_activity_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        self.0.row(ctx).await.map(|row| row.last_activity_at.map(DateTime)).transpose()
    }

    /// The variables of the latest deployment, ordered by name; none without the scope PERSONAL.
    async fn variables(&self, ctx: &Context<'_>) -> Result<Vec<Variable>> {
        let known = self.load_variables(ctx).await?;
        Ok(known.iter().map(Variable::from).collect())
    }

    /// The value of one variable of the latest deployment. Null if it has no variable of this name, and without the scope
    /// PERSONAL.
    async fn variable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The variable's name, exactly as it was given.")] name: String,
    ) -> Option<Result<String>> {
        let known = self.load_variables(ctx).await;
        known.map(|known| known.get(&name).map(|variable| variable.value.clone())).transpose()
    }

    /// Every attempt to deliver the version to this user, newest first.
    async fn deployments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first N nodes: 0 to 200; 50 if neither `first` nor `last` is given.")] first: Size,
        #[graphql(desc = "Only nodes after this cursor.")] after: Cursor,
        #[graphql(desc = "The last N nodes: 0 to 200. It cannot be combined with `first`.")] last: Size,
        #[graphql(desc = "Only nodes before this cursor.")] before: Cursor,
    ) -> Result<Connection<Deployments>> {
        let deployments = Deployments(self.0.key());
        let page = PageInput { first, after, last, before }.read(&deployments)?;
        let rows = ctx.loaders()?.deployment_pages().load((self.0.key(), page)).await?;
        Ok(Connection::new(deployments, rows))
    }

    /// Every message between this user and the company, across all deployments, oldest first.
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first N nodes: 0 to 200; 50 if neither `first` nor `last` is given.")] first: Size,
        #[graphql(desc = "Only nodes after this cursor.")] after: Cursor,
        #[graphql(desc = "The last N nodes: 0 to 200. It cannot be combined with `first`.")] last: Size,
        #[graphql(desc = "Only nodes before this cursor.")] before: Cursor,
    ) -> Result<Connection<Messages>> {
        let messages = Messages::OfUser(self.0.key());
        let page = PageInput { first, after, last, before }.read(&messages)?;
        let rows = ctx.loaders()?.history_pages().load((self.0.key(), page)).await?;
        Ok(Connection::new(messages, rows))
    }
}

#[Object(use_type_description)]
impl UserChange {
    /// The number of this change in the version's log. The log has no gaps: consecutive changes have consecutive numbers.
    async fn revision(&self) -> i32 {
        int(self.0.revision)
    }

    /// When it was recorded.
    async fn at(&self) -> DateTime {
        self.0.at.into()
    }

    /// What it affected.
    async fn kinds(&self) -> Vec<UserChangeKind> {
        self.0.kinds.iter().map(UserChangeKind::from).collect()
    }

    /// The user as of the moment this change is delivered: further changes may already be included.
    async fn user(&self) -> User {
        User(Lazy::Id(self.0.user))
    }

    /// The deployment status after this change.
    async fn deployment_status(&self) -> DeploymentStatus {
        self.0.after.status.into()
    }

    /// The stage after this change. Null until the user has answered.
    async fn stage(&self) -> Option<Stage> {
        self.0.after.stage.map(Stage::from)
    }

    /// The session status after this change. Null until a session has begun.
    async fn session_status(&self) -> Option<SessionStatus> {
        self.0.after.session_status.map(SessionStatus::from)
    }
}

impl User {
    /// The failure's details are in the deployment; whether there is one shows in the user's own row.
    async fn find_failure(&self, ctx: &Context<'_>) -> Result<Option<Failure>> {
        let row = self.0.row(ctx).await?;
        if row.cell.status != domain::standing::DeploymentStatus::Failed {
            return Ok(None);
        }
        let latest = ctx.loaders()?.latest_deployments().load(row.id).await?;
        Ok(latest.and_then(|latest| latest.failure()).map(Failure))
    }

    async fn find_phone(&self, ctx: &Context<'_>) -> Result<Option<PhoneNumber>> {
        let row = self.0.row(ctx).await?;
        let shown = ctx.shows_personal_data()?;
        let phone = |phone: &String| if shown { phone.clone().into() } else { PhoneNumber::masked(phone) };
        Ok(row.phone.as_ref().map(phone))
    }

    async fn load_variables(&self, ctx: &Context<'_>) -> Result<Arc<Variables>> {
        if !ctx.shows_personal_data()? {
            return Ok(Arc::default());
        }
        Ok(ctx.loaders()?.variables().load(self.0.key()).await?.unwrap_or_default())
    }
}

impl From<(&String, &VariableValue)> for Variable {
    fn from((name, variable): (&String, &VariableValue)) -> Self {
        Self { name: name.clone(), value: variable.value.clone(), updated_at: variable.at.into() }
    }
}

impl List for Users {
    const CONNECTION: &'static str = "UserConnection";
    const ABOUT_CONNECTION: &'static str = "A page of a version's users, filtered and ordered as requested.";
    const EDGE: &'static str = "UserEdge";
    const ABOUT_EDGE: &'static str = "A user and its cursor.";
    type Row = domain::user::User;
    type Node = User;

    fn cursors(&self) -> Cursors {
        match self.order {
            domain::user::UserOrder::Deployed => Cursors::of_numbers("users by deployment"),
            domain::user::UserOrder::Activity => Cursors::of_numbers("users by activity"),
        }
    }

    /// What the tally's cells decide is summed from the tally, whatever the number of users; the database counts the rest.
    async fn total(&self, ctx: &Context<'_>) -> Result<i64> {
        let loaders = ctx.loaders()?;
        let metrics = loaders.metrics().load(self.version).await?;
        if let Some(total) = metrics.and_then(|metrics| total_by_tally(&metrics, &self.filter)) {
            return Ok(total);
        }
        let count = loaders.user_counts().load((self.version, self.filter.clone())).await;
        count.map(Option::unwrap_or_default)
    }
}

/// A page of the users of a version.
pub(crate) async fn page_of_users(
    ctx: &Context<'_>,
    version: VersionId,
    page: PageInput,
    filter: Option<UserFilter>,
    order: Option<UserOrder>,
) -> Result<Connection<Users>> {
    let filter = filter.map_or_else(|| Ok(filter::UserFilter::everybody()), UserFilter::read)?;
    if filter.is_personal() && !ctx.shows_personal_data()? {
        return Err(ApiError::Forbidden(Scope::Personal));
    }
    let (order, descending) = UserOrder::read(order);
    let query = UserQuery { filter: filter.clone(), order, descending };
    let list = Users { version, filter, order };
    let page = page.read(&list)?;
    let rows = ctx.loaders()?.user_pages().load((version, (query, page))).await?;
    Ok(Connection::new(list, rows))
}

/// How many match, where every cell in which somebody stands decides.
fn total_by_tally(metrics: &Metrics, filter: &filter::UserFilter) -> Option<i64> {
    let decided = metrics.tally().cells().map(|(cell, count)| Some(if filter.matches(cell)? { count } else { 0 }));
    decided.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::id::new_key;
    use crate::domain::metrics::VersionHead;
    use crate::domain::standing::Cell;

    fn metrics(cells: &[(domain::standing::DeploymentStatus, i64)]) -> Metrics {
        let head =
            VersionHead { id: new_key().into(), number: 1, revision: 1, as_of: Timestamp::MIN, total_deployments: 0 };
        Metrics::new(head, cells.iter().map(|&(status, count)| (Cell { status, ..Cell::QUEUED }, count)).collect())
    }

    #[test]
    fn a_count_comes_from_the_tally_where_every_cell_decides() {
        use domain::standing::DeploymentStatus::{Read, Sent};

        let metrics = metrics(&[(Read, 5), (Sent, 7)]);
        let read = filter::UserFilter::Status(vec![Read]);
        let phone = filter::UserFilter::Phone("57".into());
        let both = filter::UserFilter::All(vec![read.clone(), phone.clone()]);
        let either = filter::UserFilter::Any(vec![filter::UserFilter::everybody(), phone.clone()]);
        assert_eq!(total_by_tally(&metrics, &filter::UserFilter::everybody()), Some(12));
        assert_eq!(total_by_tally(&metrics, &filter::UserFilter::Not(Box::new(read))), Some(7));
        assert_eq!(total_by_tally(&metrics, &either), Some(12));
        assert_eq!((total_by_tally(&metrics, &phone), total_by_tally(&metrics, &both)), (None, None));
    }
}
