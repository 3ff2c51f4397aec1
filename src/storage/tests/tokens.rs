//! Tokens and workspaces.

use futures_util::future::join_all;

use super::on_both_databases;
use super::seed::at;
use crate::domain::id::{TokenId, new_key};
use crate::storage::{Database, Tenant, tokens};

on_both_databases!(
    a_workspace_is_made_once_however_many_ask_at_once,
    a_token_opens_its_workspace_until_it_is_revoked,
    an_earlier_revocation_keeps_its_time,
);

async fn a_workspace_is_made_once_however_many_ask_at_once(db: Database) {
    let made = join_all((0..8).map(|_| tokens::get_workspace(&db, "acme", at(1)))).await;
    let made: Vec<_> = made.into_iter().map(Result::unwrap).collect();
    assert!(made.iter().all(|workspace| *workspace == made[0]));
    assert_ne!(tokens::get_workspace(&db, "Acme", at(1)).await.unwrap(), made[0]);

    let name = tokens::workspace_name(&Tenant::new(db.clone(), made[0])).await.unwrap();
    assert_eq!(name.as_deref(), Some("acme"));
    assert_eq!(tokens::workspace_name(&Tenant::new(db, new_key().into())).await.unwrap(), None);
}

async fn a_token_opens_its_workspace_until_it_is_revoked(db: Database) {
    let workspace = tokens::get_workspace(&db, "acme", at(1)).await.unwrap();
    let tenant = Tenant::new(db.clone(), workspace);
    let id = tokens::create(&tenant, "hash", 3, at(2)).await.unwrap();

    let token = tokens::find_by_hash(&db, "hash").await.unwrap().unwrap();
    assert_eq!((token.id, token.workspace, token.workspace_name.as_str(), token.scopes), (id, workspace, "acme", 3));
    assert_eq!(tokens::find_by_hash(&db, "other").await.unwrap(), None);
    tokens::revoke(&tenant, id, at(5)).await.unwrap();
    assert_eq!(tokens::find_by_hash(&db, "hash").await.unwrap(), None);
}

async fn an_earlier_revocation_keeps_its_time(db: Database) {
    let tenant = Tenant::new(db.clone(), tokens::get_workspace(&db, "acme", at(1)).await.unwrap());
    let id = tokens::create(&tenant, "hash", 1, at(2)).await.unwrap();
    let other = tokens::create(&tenant, "other", 1, at(3)).await.unwrap();
    tokens::revoke(&tenant, id, at(5)).await.unwrap();
    tokens::revoke(&tenant, id, at(6)).await.unwrap();
    // Nobody revokes the tokens of another workspace.
    let stranger = Tenant::new(db.clone(), tokens::get_workspace(&db, "other", at(1)).await.unwrap());
    tokens::revoke(&stranger, other, at(6)).await.unwrap();
    assert_eq!(tokens::workspace_of(&db, other).await.unwrap(), Some(tenant.workspace()));
    assert_eq!(tokens::workspace_of(&db, TokenId(new_key())).await.unwrap(), None);

    let listed = tokens::list(&db).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|token| (token.id, token.revoked_at)).collect();
    assert_eq!(listed, [(id, Some(at(5))), (other, None)]);
}
