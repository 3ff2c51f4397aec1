//! Users by id. Their pages and filters are tested in `filters` and `pages`.

use entity::contacts;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};

use super::on_both_databases;
use super::seed::{Seed, UserSeed, at};
use crate::domain::failure::FailureReason;
use crate::domain::id::{UserId, new_key};
use crate::domain::standing::{Cell, DeploymentStatus, SessionStatus, Stage};
use crate::domain::user::User;
use crate::storage::{Database, users};

on_both_databases!(a_user_comes_back_with_its_contact, a_user_may_have_nothing_but_a_key);

const CELL: Cell = Cell {
    status: DeploymentStatus::Failed,
    stage: Some(Stage::Finished),
    session_status: Some(SessionStatus::Expired),
    failure_reason: Some(FailureReason::Other),
};

async fn a_user_comes_back_with_its_contact(db: Database) {
    let seed = Seed::new(&db).await;
    let version = seed.version().await;
    let phone = Some("+573001234567".to_owned());
    let user = UserSeed { phone: phone.clone(), cell: CELL, deployed_at: 7, activity_at: 8, ..UserSeed::default() };
    let id = seed.user(version, user).await;
    let named = contacts::ActiveModel {
        wa_id: Set(Some("573001234567".to_owned())),
        name: Set(Some("Zoë 👋".to_owned())),
        name_at: Set(Some(1)),
        opted_out_at: Set(Some(2)),
        erased_at: Set(Some(3)),
        preference_at: Set(Some(2)),
        ..Default::default()
    };
    let update = contacts::Entity::update_many().set(named).filter(contacts::Column::Phone.eq(phone.clone()));
    update.exec(db.writer()).await.unwrap();

    let found = users::find_many(&seed.tenant, &[id, UserId(new_key())]).await.unwrap();
    let expected = User {
        id,
        version,
        phone,
        whatsapp_id: Some("573001234567".to_owned()),
        name: Some("Zoë 👋".to_owned()),
        opted_out_at: Some(at(2)),
        erased_at: Some(at(3)),
        deployments: 1,
        deployed_at: at(7),
        cell: CELL,
        last_activity_at: Some(at(8)),
    };
    assert_eq!(found, [(id, expected)].into());
}

async fn a_user_may_have_nothing_but_a_key(db: Database) {
    let seed = Seed::new(&db).await;
    let id = seed.user(seed.version().await, UserSeed::default()).await;
    let user = &users::find_many(&seed.tenant, &[id]).await.unwrap()[&id];
    assert_eq!((&user.phone, &user.name, user.cell, user.last_activity_at), (&None, &None, Cell::QUEUED, None));
}
