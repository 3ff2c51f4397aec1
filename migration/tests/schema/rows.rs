//! One row of every table. Every column that may be null is given a value wherever the rules permit, so that storing
//! and reading the row tries every column's type.

use std::fmt::Debug;

use entity::{
    changes, contacts, conversations, deployments, funnel, funnel_times, kept, leases, lines, messages, outbox, parked,
    reached, send_tally, sends, sessions, staged, tally, tokens, uploads, users, variable_names, variables, versions,
    workspaces,
};
use sea_orm::prelude::Uuid;
use sea_orm::{ActiveModelTrait, DatabaseConnection, DbErr, EntityTrait, IntoActiveModel, ModelTrait};

/// Some time in 2023, in microseconds; too large for 32 bits.
const AT: i64 = 1_700_000_000_123_456;

/// What all models have in common that storing them needs.
pub(crate) trait Row: ModelTrait + IntoActiveModel<<Self::Entity as EntityTrait>::ActiveModel> {}

impl<M> Row for M where M: ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel> {}

pub(crate) async fn store<R: Row>(db: &DatabaseConnection, row: R) -> Result<(), DbErr> {
    R::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(db).await?;
    Ok(())
}

/// Stores one row of every table, and makes sure of each that it can be read again.
pub(crate) async fn store_one_of_each(db: &DatabaseConnection) -> Result<(), DbErr> {
    store_and_read(db, workspace()).await?;
    store_and_read(db, token()).await?;
    store_and_read(db, line()).await?;
    store_and_read(db, lease()).await?;
    store_and_read(db, contact()).await?;
    store_and_read(db, conversation()).await?;
    store_and_read(db, version()).await?;
    store_and_read(db, variable_name()).await?;
    store_and_read(db, send()).await?;
    store_and_read(db, user()).await?;
    store_and_read(db, deployment()).await?;
    store_and_read(db, variable()).await?;
    store_and_read(db, message()).await?;
    store_and_read(db, tally()).await?;
    store_and_read(db, send_tally()).await?;
    store_and_read(db, change()).await?;
    store_and_read(db, outbox()).await?;
    store_and_read(db, session()).await?;
    store_and_read(db, funnel()).await?;
    store_and_read(db, funnel_time()).await?;
    store_and_read(db, upload()).await?;
    store_and_read(db, staged()).await?;
    store_and_read(db, reached()).await?;
    store_and_read(db, parked()).await?;
    store_and_read(db, kept()).await
}

async fn store_and_read<R>(db: &DatabaseConnection, row: R) -> Result<(), DbErr>
where
    R: Row + Clone + Debug + PartialEq,
    R::Entity: EntityTrait<Model = R>,
{
    store(db, row.clone()).await?;
    assert_eq!(R::Entity::find().all(db).await?, [row]);
    Ok(())
}

pub(crate) fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

pub(crate) fn workspace() -> workspaces::Model {
    workspaces::Model { id: id(1), name: "acme".to_owned(), created_at: AT }
}

pub(crate) fn token() -> tokens::Model {
    tokens::Model {
        id: id(2),
        workspace_id: id(1),
        hash: "2cf24dba5fb0a30e".to_owned(),
        scopes: 7,
        created_at: AT,
        revoked_at: Some(AT),
    }
}

pub(crate) fn line() -> lines::Model {
    lines::Model {
        id: id(3),
        workspace_id: id(1),
        phone: "+4930123456".to_owned(),
        phone_number_id: "106540352242922".to_owned(),
        name: "Service".to_owned(),
        messages_per_second: 80,
        external: true,
        created_at: AT,
        stopped_at: Some(AT),
        stop_code: Some(131_042),
        stop_text: Some("Payment issue".to_owned()),
        probe_at: Some(AT),
        probes: 3,
        resumed_at: Some(AT),
        default_conversation_id: None,
        inbound_rules: Some("[]".to_owned()),
    }
}

pub(crate) fn lease() -> leases::Model {
    leases::Model { line_id: id(3), owner: id(4), epoch: 1, expires_at: AT }
}

/// A contact of whom everything is known.
pub(crate) fn contact() -> contacts::Model {
    contacts::Model {
        wa_id: Some("5511912345678".to_owned()),
        provider_user_id: Some("BR.13491208655302741918".to_owned()),
        name: Some("Zoë 👋".to_owned()),
        name_at: Some(AT),
        opted_out_at: Some(AT),
        preference_at: Some(AT),
        blocked_at: Some(AT),
        erased_at: Some(AT),
        ..contact_by_phone()
    }
}

/// A contact of whom only the number is known.
pub(crate) fn contact_by_phone() -> contacts::Model {
    contacts::Model {
        id: id(5),
        workspace_id: id(1),
        phone: Some("+5511912345678".to_owned()),
        wa_id: None,
        provider_user_id: None,
        name: None,
        name_at: None,
        opted_out_at: None,
        preference_at: None,
        blocked_at: None,
        erased_at: None,
        created_at: AT,
    }
}

pub(crate) fn conversation() -> conversations::Model {
    conversations::Model {
        id: id(6),
        workspace_id: id(1),
        line_id: id(3),
        name: "Spring sale".to_owned(),
        name_folded: "spring sale".to_owned(),
        direction: 1,
        versions: 1,
        created_at: AT,
        archived_at: Some(AT),
    }
}

pub(crate) fn version() -> versions::Model {
    versions::Model {
        id: id(7),
        workspace_id: id(1),
        conversation_id: id(6),
        number: 1,
        published_at: AT,
        flow: r#"{"steps":[]}"#.to_owned(),
        revision: 1,
        changed_at: Some(AT),
        total_deployments: 1,
        trimmed: 0,
    }
}

pub(crate) fn variable_name() -> variable_names::Model {
    variable_names::Model { version_id: id(7), name: "first_name".to_owned(), workspace_id: id(1) }
}

pub(crate) fn send() -> sends::Model {
    sends::Model {
        id: id(8),
        workspace_id: id(1),
        conversation_id: id(6),
        version_id: id(7),
        total_users: 1,
        created_at: AT,
        scheduled_at: Some(AT),
        completed_at: Some(AT),
        canceled_at: Some(AT),
        paused_at: Some(AT),
        time_to_live: Some(600),
        prepared: Some(1),
        retry_of: Some(id(8)),
        idempotency_key: Some("spring-1".to_owned()),
        input_digest: Some("9b74c9897bac770f".to_owned()),
    }
}

pub(crate) fn user() -> users::Model {
    users::Model {
        id: id(9),
        workspace_id: id(1),
        version_id: id(7),
        contact_id: id(5),
        deployments: 1,
        deployed_at: AT,
        status: 6,
        stage: Some(1),
        session_status: Some(4),
        failure_reason: Some(18),
        activity_at: AT,
    }
}

pub(crate) fn deployment() -> deployments::Model {
    deployments::Model {
        id: id(10),
        workspace_id: id(1),
        user_id: id(9),
        version_id: id(7),
        contact_id: id(5),
        line_id: id(3),
        send_id: Some(id(8)),
        number: 1,
        retries: true,
        queued_at: AT,
        dispatched_at: Some(AT),
        began_at: Some(AT),
        accepted_at: Some(AT),
        held_at: Some(AT),
        sent_at: Some(AT),
        delivered_at: Some(AT),
        read_at: Some(AT),
        failed_at: Some(AT),
        failed_code: Some(131_026),
        failed_reason: Some(1),
        failed_text: Some("Message undeliverable".to_owned()),
        refused_at: Some(AT),
        refused_reason: Some(17),
        unknown_at: Some(AT),
        answered_at: Some(AT),
        finished_at: Some(AT),
        session_status: Some(3),
        session_at: Some(AT),
    }
}

pub(crate) fn variable() -> variables::Model {
    variables::Model {
        deployment_id: id(10),
        name: "first_name".to_owned(),
        workspace_id: id(1),
        value: "Zoë".to_owned(),
        at: AT,
    }
}

pub(crate) fn message() -> messages::Model {
    messages::Model {
        id: id(11),
        workspace_id: id(1),
        user_id: id(9),
        deployment_id: id(10),
        line_id: id(3),
        sender: 3,
        kind: 12,
        text: Some("Hello 👋".to_owned()),
        payload: Some(r#"{"name":"spring"}"#.to_owned()),
        provider_message_id: Some("wamid.HBgL".to_owned()),
        at: AT,
        first: true,
        revision: 1,
        accepted_at: Some(AT),
        held_at: Some(AT),
        sent_at: Some(AT),
        delivered_at: Some(AT),
        read_at: Some(AT),
        failed_at: Some(AT),
        failed_code: Some(131_026),
        failed_reason: Some(1),
        failed_text: Some("Message undeliverable".to_owned()),
        refused_at: Some(AT),
        refused_reason: Some(17),
        unknown_at: Some(AT),
        time_to_live: Some(600),
        expires_at: Some(AT),
    }
}

pub(crate) fn tally() -> tally::Model {
    tally::Model { version_id: id(7), cell: 0, workspace_id: id(1), users: 10_000_000_000 }
}

pub(crate) fn send_tally() -> send_tally::Model {
    send_tally::Model { send_id: id(8), cell: 0, workspace_id: id(1), deployments: 10_000_000_000 }
}

pub(crate) fn change() -> changes::Model {
    changes::Model {
        version_id: id(7),
        revision: 1,
        workspace_id: id(1),
        user_id: id(9),
        at: AT,
        kinds: 1,
        cell_before: Some(0),
        cell: 1,
    }
}

pub(crate) fn outbox() -> outbox::Model {
    outbox::Model {
        message_id: id(11),
        workspace_id: id(1),
        line_id: id(3),
        send_id: Some(id(8)),
        due_at: AT,
        attempt: 1,
        claimed_at: Some(AT),
        epoch: Some(1),
        announced_at: Some(AT),
        contact_id: Some(id(5)),
        said_at: Some(AT),
    }
}

pub(crate) fn session() -> sessions::Model {
    sessions::Model {
        deployment_id: id(10),
        workspace_id: id(1),
        step: Some("ask".to_owned()),
        step_at: Some(AT),
        invalid: 1,
        ended: false,
        entered: "3".to_owned(),
        answered: "1".to_owned(),
        agent: Some("Ana".to_owned()),
        agent_at: Some(AT),
        expires_at: Some(AT),
        said_at: Some(AT),
        jumping: true,
    }
}

pub(crate) fn funnel() -> funnel::Model {
    let (version_id, workspace_id) = (id(7), id(1));
    funnel::Model { version_id, step: "ask".to_owned(), workspace_id, entered: 3, answered: 2, left_here: 1 }
}

pub(crate) fn funnel_time() -> funnel_times::Model {
    let (version_id, workspace_id) = (id(7), id(1));
    funnel_times::Model { version_id, step: "ask".to_owned(), seconds: 7, workspace_id, answers: 2 }
}

pub(crate) fn upload() -> uploads::Model {
    uploads::Model { id: id(14), workspace_id: id(1), touched_at: AT }
}

pub(crate) fn staged() -> staged::Model {
    staged::Model {
        send_id: id(14),
        number: 1,
        workspace_id: id(1),
        phone: None,
        variables: Some("{}".to_owned()),
        retry_of: Some(id(10)),
        due_at: Some(AT),
    }
}

pub(crate) fn reached() -> reached::Model {
    reached::Model { workspace_id: id(1), contact_id: id(5), at: AT }
}

pub(crate) fn parked() -> parked::Model {
    parked::Model {
        id: id(12),
        workspace_id: id(1),
        key: "wamid.HBgL".to_owned(),
        digest: "5d41402abc4b2a76".to_owned(),
        fact: r#"{"read":{}}"#.to_owned(),
        parked_at: AT,
        expires_at: AT,
    }
}

pub(crate) fn kept() -> kept::Model {
    kept::Model {
        id: id(13),
        workspace_id: Some(id(1)),
        reason: "unknown field".to_owned(),
        payload: "{}".to_owned(),
        kept_at: AT,
    }
}
