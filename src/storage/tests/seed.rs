//! Rows to read, inserted as entities: what the recorder would have written.

use std::collections::BTreeMap;

use entity::{
    changes, contacts, deployments, messages, send_tally, sends, tally, users, variable_names, variables, workspaces,
};
use sea_orm::prelude::Uuid;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, ModelTrait};

use crate::domain::clock::Timestamp;
use crate::domain::code::Coded;
use crate::domain::conversation::{Conversation, Direction, Version};
use crate::domain::failure::FailureReason;
use crate::domain::id::{ConversationId, DeploymentId, LineId, SendId, UserId, VersionId, new_key};
use crate::domain::inbound::InboundRules;
use crate::domain::line::Line;
use crate::domain::phone::Phone;
use crate::domain::standing::{Cell, SessionStatus, Stage};
use crate::storage::{Database, Tenant, conversations, lines};

/// What models have in common that inserting them needs.
pub(super) trait Insert: ModelTrait + IntoActiveModel<<Self::Entity as EntityTrait>::ActiveModel> {}

impl<M> Insert for M where M: ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel> {}

/// A workspace with a line, to which things are added.
pub(super) struct Seed {
    pub(super) tenant: Tenant,
    pub(super) line: LineId,
}

/// A user to add, with the rows that belong to one.
#[derive(Debug, Clone)]
pub(super) struct UserSeed {
    pub(super) phone: Option<String>,
    pub(super) deployed_at: i64,
    pub(super) cell: Cell,
    /// 0 for none.
    pub(super) activity_at: i64,
    /// The send of each deployment, oldest first.
    pub(super) sends: Vec<Option<SendId>>,
    /// The variables of each deployment, by their number counted from 0.
    pub(super) variables: Vec<BTreeMap<String, String>>,
}

impl Default for UserSeed {
    fn default() -> Self {
        Self {
            phone: None,
            deployed_at: 1,
            cell: Cell::QUEUED,
            activity_at: 0,
            sends: vec![None],
            variables: Vec::new(),
        }
    }
}

/// A time in microseconds.
pub(super) fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

pub(super) async fn insert<M: Insert>(db: &Database, rows: Vec<M>) {
    let rows = rows.into_iter().map(|row| row.into_active_model().reset_all());
    M::Entity::insert_many(rows).exec_without_returning(db.writer()).await.unwrap();
}

impl Seed {
    /// A workspace of its own, in a database that may have others.
    pub(super) async fn new(db: &Database) -> Self {
        let id = new_key();
        insert(db, vec![workspaces::Model { id, name: id.to_string(), created_at: 1 }]).await;
        let tenant = Tenant::new(db.clone(), id.into());
        let line = line(&id.to_string());
        assert!(lines::create(&tenant, &line, at(1)).await.unwrap());
        Self { tenant, line: line.id }
    }

    pub(super) fn workspace(&self) -> Uuid {
        self.tenant.workspace().0
    }

    pub(super) async fn insert<M: Insert>(&self, rows: Vec<M>) {
        insert(self.tenant.database(), rows).await;
    }

    /// A conversation with its first version.
    pub(super) async fn conversation(&self, name: &str, created_at: i64) -> (ConversationId, VersionId) {
        let (conversation, version) = (ConversationId(new_key()), VersionId(new_key()));
        let first =
            Version { id: version, conversation, number: 1, published_at: at(created_at), flow: "{}".to_owned() };
        let conversation = Conversation {
            id: conversation,
            line: self.line,
            name: name.to_owned(),
            direction: Direction::Outbound,
            created_at: at(created_at),
            archived_at: None,
            current_version: version,
        };
        conversations::create(&self.tenant, &conversation, &first).await.unwrap();
        (conversation.id, version)
    }

    pub(super) async fn version(&self) -> VersionId {
        self.conversation("A conversation", 1).await.1
    }

    pub(super) async fn user(&self, version: VersionId, user: UserSeed) -> UserId {
        self.users(version, vec![user]).await[0]
    }

    /// Users with their contacts, deployments, first messages and variables.
    pub(super) async fn users(&self, version: VersionId, seeds: Vec<UserSeed>) -> Vec<UserId> {
        let (mut contacts, mut users, mut attempts, mut values) = (vec![], vec![], vec![], vec![]);
        for seed in seeds {
            let contact = self.contact(seed.phone.clone());
            let user = self.user_row(version, contact.id, &seed);
            for (number, send) in (1..).zip(&seed.sends) {
                let attempt = self.deployment(&user, number, send.map(|send| send.0));
                let own = usize::try_from(number).ok().and_then(|number| seed.variables.get(number - 1));
                values.extend(own.into_iter().flatten().map(|(name, value)| self.variable(attempt.id, name, value)));
                attempts.push(attempt);
            }
            contacts.push(contact);
            users.push(user);
        }
        let ids = users.iter().map(|user| user.id.into()).collect();
        self.insert(contacts).await;
        self.insert(users).await;
        self.insert(attempts).await;
        self.insert(values).await;
        ids
    }

    fn contact(&self, phone: Option<String>) -> contacts::Model {
        let id = new_key();
        contacts::Model {
            id,
            workspace_id: self.workspace(),
            phone,
            wa_id: Some(id.to_string()),
            provider_user_id: None,
            name: None,
            name_at: None,
            opted_out_at: None,
            erased_at: None,
            preference_at: None,
            blocked_at: None,
            created_at: 1,
        }
    }

    fn user_row(&self, version: VersionId, contact_id: Uuid, seed: &UserSeed) -> users::Model {
        users::Model {
            id: new_key(),
            workspace_id: self.workspace(),
            version_id: version.0,
            contact_id,
            deployments: i32::try_from(seed.sends.len()).unwrap(),
            deployed_at: seed.deployed_at,
            status: seed.cell.status.code(),
            stage: seed.cell.stage.map(Stage::code),
            session_status: seed.cell.session_status.map(SessionStatus::code),
            failure_reason: seed.cell.failure_reason.map(FailureReason::code),
            activity_at: seed.activity_at,
        }
    }

    pub(super) fn deployment(&self, user: &users::Model, number: i32, send_id: Option<Uuid>) -> deployments::Model {
        deployments::Model {
            id: new_key(),
            workspace_id: self.workspace(),
            user_id: user.id,
            version_id: user.version_id,
            contact_id: user.contact_id,
            line_id: self.line.0,
            send_id,
            number,
            retries: false,
            queued_at: user.deployed_at,
            dispatched_at: None,
            began_at: None,
            accepted_at: None,
            held_at: None,
            sent_at: None,
            delivered_at: None,
            read_at: None,
            failed_at: None,
            failed_code: None,
            failed_reason: None,
            failed_text: None,
            refused_at: None,
            refused_reason: None,
            unknown_at: None,
            answered_at: None,
            finished_at: None,
            session_status: None,
            session_at: None,
        }
    }

    pub(super) fn variable(&self, deployment: Uuid, name: &str, value: &str) -> variables::Model {
        variables::Model {
            deployment_id: deployment,
            name: name.to_owned(),
            workspace_id: self.workspace(),
            value: value.to_owned(),
            at: 1,
        }
    }

    /// A message of the company's of which nothing is known yet.
    pub(super) fn message(&self, user: UserId, deployment: DeploymentId, at: i64) -> messages::Model {
        messages::Model {
            id: new_key(),
            workspace_id: self.workspace(),
            user_id: user.0,
            deployment_id: deployment.0,
            line_id: self.line.0,
            sender: 3,
            kind: 0,
            text: None,
            payload: None,
            provider_message_id: None,
            at,
            first: false,
            revision: 1,
            accepted_at: None,
            held_at: None,
            sent_at: None,
            delivered_at: None,
            read_at: None,
            failed_at: None,
            failed_code: None,
            failed_reason: None,
            failed_text: None,
            refused_at: None,
            refused_reason: None,
            unknown_at: None,
            time_to_live: None,
            expires_at: None,
        }
    }

    pub(super) fn send_row(&self, conversation: ConversationId, version: VersionId, created_at: i64) -> sends::Model {
        sends::Model {
            id: new_key(),
            workspace_id: self.workspace(),
            conversation_id: conversation.0,
            version_id: version.0,
            total_users: 1,
            created_at,
            scheduled_at: None,
            completed_at: None,
            canceled_at: None,
            paused_at: None,
            time_to_live: None,
            prepared: None,
            retry_of: None,
            idempotency_key: None,
            input_digest: None,
        }
    }

    pub(super) fn tally(&self, version: VersionId, cell: Cell, users: i64) -> tally::Model {
        tally::Model { version_id: version.0, cell: cell.code(), workspace_id: self.workspace(), users }
    }

    pub(super) fn send_tally(&self, send: SendId, cell: Cell, deployments: i64) -> send_tally::Model {
        send_tally::Model { send_id: send.0, cell: cell.code(), workspace_id: self.workspace(), deployments }
    }

    pub(super) fn variable_name(&self, version: VersionId, name: &str) -> variable_names::Model {
        variable_names::Model { version_id: version.0, name: name.to_owned(), workspace_id: self.workspace() }
    }

    pub(super) fn change(&self, version: VersionId, user: UserId, revision: i64) -> changes::Model {
        changes::Model {
            version_id: version.0,
            revision,
            workspace_id: self.workspace(),
            user_id: user.0,
            at: revision,
            kinds: 1,
            cell_before: None,
            cell: 0,
        }
    }
}

/// A line of its own.
pub(super) fn line(phone_number_id: &str) -> Line {
    Line {
        id: LineId(new_key()),
        phone: Phone::stored("+573001234567".to_owned()),
        phone_number_id: phone_number_id.to_owned(),
        name: "Service".to_owned(),
        messages_per_second: 80,
        external: false,
        stop: None,
        state_since: Timestamp::MIN,
        inbound_rules: InboundRules::default(),
        default_conversation: None,
    }
}
