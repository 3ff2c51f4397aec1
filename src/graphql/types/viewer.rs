//! Who asks, and the workspace that the token opens.

use async_graphql::{Context, Description, Enum, ID, Object};

use crate::auth;
use crate::domain::id::WorkspaceId;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{ApiError, Result};
use crate::storage::tokens;

/// What a token allows. WRITE includes READ, and ADMIN includes both; PERSONAL includes READ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "auth::Scope")]
pub(crate) enum Scope {
    /// Queries and subscriptions.
    Read,
    /// Also mutations, except those that administer lines.
    Write,
    /// All mutations, including those that create lines.
    Admin,
    /// Personal data: phones, WhatsApp ids, names, variables, message texts and payloads, and filters by them. Without it
    /// phones are masked, and the rest is null or empty.
    Personal,
}

/// Who sent the request, as identified by its token.
#[derive(Description)]
pub(crate) struct Viewer(pub(crate) auth::Viewer);

/// A tenant. A token gives access to one workspace, and nothing in any other can be seen or reached with it.
#[derive(Description)]
pub(crate) struct Workspace(pub(crate) WorkspaceId);

#[Object(use_type_description)]
impl Viewer {
    /// The workspace that the token gives access to.
    async fn workspace(&self) -> Workspace {
        Workspace(self.0.workspace)
    }

    /// What the token allows there.
    async fn scopes(&self) -> Vec<Scope> {
        auth::Scope::ALL.into_iter().filter(|&scope| self.0.scopes.allow(scope)).map(Scope::from).collect()
    }
}

#[Object(use_type_description)]
impl Workspace {
    /// The workspace's globally unique id.
    pub(crate) async fn id(&self) -> ID {
        ID(self.0.to_string())
    }

    /// The display name.
    async fn name(&self, ctx: &Context<'_>) -> Result<String> {
        let name = tokens::workspace_name(&ctx.request()?.tenant).await?;
        name.ok_or_else(|| ApiError::broken("a token belongs to a workspace that does not exist"))
    }
}
