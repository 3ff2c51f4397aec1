//! Creating tokens, and parsing their ids.

use uuid::Uuid;

use super::{Audited, Scopes, secret};
use crate::config::Secret;
use crate::domain::audit::AuditOutcome;
use crate::domain::clock::Clock;
use crate::domain::id::TokenId;
use crate::storage::{Database, StorageError, Tenant, tokens};

/// A new token. Its secret cannot be shown again later.
#[derive(Debug)]
pub struct NewToken {
    /// The id by which it can be revoked.
    pub id: TokenId,
    /// The token itself.
    pub token: Secret,
}

/// Creates a token for the workspace with this name, and the workspace if it does not exist yet.
pub async fn create_token(
    db: &Database,
    clock: &impl Clock,
    name: &str,
    scopes: Scopes,
) -> Result<NewToken, StorageError> {
    let now = clock.now();
    let workspace = tokens::get_workspace(db, name, now).await?;
    let token = secret::generate(secret::TOKEN, &mut rand::rng());
    let tenant = Tenant::new(db.clone(), workspace);
    let audited = Audited::begin_command(&tenant, "token create", now).await?;
    let id = tokens::create(&tenant, &secret::hash(token.expose()), scopes.bits(), now).await?;
    audited.finish(AuditOutcome::Done, Some(id.to_string())).await;
    Ok(NewToken { id, token })
}

/// Revokes a token; `false` if there is none with this id.
pub async fn revoke_token(db: &Database, clock: &impl Clock, id: TokenId) -> Result<bool, StorageError> {
    let Some(workspace) = tokens::workspace_of(db, id).await? else { return Ok(false) };
    let tenant = Tenant::new(db.clone(), workspace);
    let audited = Audited::begin_command(&tenant, "token revoke", clock.now()).await?;
    tokens::revoke(&tenant, id, clock.now()).await?;
    audited.finish(AuditOutcome::Done, Some(id.to_string())).await;
    Ok(true)
}

/// Parses a token id, `tok_…`; `None` if it is malformed.
pub fn parse_token_id(text: &str) -> Option<TokenId> {
    let id = text.strip_prefix(TokenId::PREFIX)?.strip_prefix('_').and_then(|digits| Uuid::try_parse(digits).ok())?;
    Some(TokenId(id)).filter(|id| id.to_string() == text)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::auth::{Tokens, Viewer};
    use crate::domain::clock::SystemClock;
    use crate::domain::id::new_key;

    #[tokio::test]
    async fn a_token_opens_its_workspace_until_it_is_revoked() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", directory.path().join("bluetick.db").display());
        let db = Database::connect(&url, 2).await.unwrap();
        db.migrate().await.unwrap();
        let scopes = "write".parse().unwrap();
        let new = create_token(&db, &SystemClock, "acme", scopes).await.unwrap();
        let other = create_token(&db, &SystemClock, "acme", scopes).await.unwrap();

        let listed = tokens::list(&db).await.unwrap();
        assert_eq!(listed.iter().map(|token| token.id).collect::<Vec<_>>(), [new.id, other.id]);
        let viewer = |token| Viewer { token, person: None, workspace: listed[0].workspace, scopes, expires: None };
        assert_eq!(
            Tokens::new(db.clone(), Arc::new(SystemClock)).viewer(new.token.expose()).await.unwrap(),
            Some(viewer(new.id))
        );

        assert!(revoke_token(&db, &SystemClock, new.id).await.unwrap());
        assert!(!revoke_token(&db, &SystemClock, TokenId(new_key())).await.unwrap());
        // Like another node, or this one a moment later: without anything in the cache.
        let later = Tokens::new(db, Arc::new(SystemClock));
        assert_eq!(later.viewer(new.token.expose()).await.unwrap(), None);
        assert_eq!(later.viewer(other.token.expose()).await.unwrap(), Some(viewer(other.id)));
    }

    #[test]
    fn a_token_id_is_accepted_only_as_it_is_written() {
        let id = TokenId(new_key());
        assert_eq!(parse_token_id(&id.to_string()), Some(id));
        for text in ["", "tok_", "tok_1", &id.to_string().to_uppercase(), &id.to_string().replace("tok", "conv")] {
            assert_eq!(parse_token_id(text), None, "{text}");
        }
    }
}
