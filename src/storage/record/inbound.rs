//! The versions that the users' messages of a batch begin where they belong to no deployment.

use std::collections::{BTreeSet, HashMap};

use super::Offered;
use crate::domain::book::Resolved;
use crate::domain::code::Coded;
use crate::domain::conversation::Direction;
use crate::domain::fact::{Fact, MessageFact};
use crate::domain::id::{ConversationId, LineId, VersionId};
use crate::domain::inbound::InboundRules;
use crate::domain::message::Sender;
use crate::storage::lines::read_rules;
use crate::storage::query::Query;
use crate::storage::{StorageError, Tenant};

/// What the lines of users' messages begin. A line without an inbound conversation that is not archived is absent.
#[derive(Default)]
pub(super) struct Inbound {
    lines: HashMap<LineId, LineInbound>,
    /// The current versions of the conversations to which flows lead.
    jumps: HashMap<ConversationId, VersionId>,
}

/// The inbound conversations of a line that are not archived.
struct LineInbound {
    rules: InboundRules,
    /// The current version of the line's default conversation, or else of the newest.
    fallback: VersionId,
    /// The current versions of all.
    current: HashMap<ConversationId, VersionId>,
}

/// A conversation with its line and its current version. The line's first one has the rules.
type Found = (LineId, ConversationId, VersionId, InboundRules);

impl Inbound {
    /// Reads what the users' messages of a batch may begin, in one statement; none if there are no such messages.
    pub(super) async fn of(tenant: &Tenant, offered: &[Offered]) -> Result<Self, StorageError> {
        let lines: BTreeSet<LineId> = offered.iter().filter_map(|one| of_user(&one.fact)).map(|one| one.line).collect();
        let mut inbound = Self { jumps: current(tenant, offered).await?, ..Self::default() };
        if lines.is_empty() {
            return Ok(inbound);
        }
        for (line, conversation, version, rules) in find(tenant, lines).await? {
            let first = || LineInbound { rules, fallback: version, current: HashMap::new() };
            inbound.lines.entry(line).or_insert_with(first).current.insert(conversation, version);
        }
        Ok(inbound)
    }

    /// The version that a user's message begins if it belongs to no deployment, or to which a flow leads; `None` for other
    /// facts.
    pub(super) fn begun_by(&self, fact: &Fact) -> Option<VersionId> {
        if let Fact::Jumped(jump) = fact {
            return self.jumps.get(&jump.to).copied();
        }
        let message = of_user(fact)?;
        self.lines.get(&message.line).map(|line| line.begun_by(message))
    }

    /// The versions to lock: those that messages may begin, and those that the lines begin without their rules. All who
    /// record a message of the same line lock the latter, so no contact begins two conversations of a line at once.
    pub(super) fn versions(&self, resolved: &[Resolved]) -> BTreeSet<VersionId> {
        let begun = resolved.iter().filter_map(|one| one.begins);
        self.lines.values().map(|line| line.fallback).chain(begun).collect()
    }
}

impl LineInbound {
    fn begun_by(&self, message: &MessageFact) -> VersionId {
        let chosen = self.rules.choose(message.content.text.as_deref(), message.referral.as_ref());
        let chosen = chosen.and_then(|conversation| self.current.get(&conversation));
        chosen.copied().unwrap_or(self.fallback)
    }
}

/// The inbound conversations of lines that are not archived: of each line the default one first, then the newest.
async fn find(tenant: &Tenant, lines: BTreeSet<LineId>) -> Result<Vec<Found>, StorageError> {
    let mut query = Query::on(tenant.database().reader());
    let workspace = query.bind(tenant.workspace().0);
    let lines = query.among("c.line_id", &lines.into_iter().collect::<Vec<_>>());
    let direction = query.bind(Direction::Inbound.code());
    let order = "coalesce(c.id = l.default_conversation_id, FALSE) DESC, c.created_at DESC, c.id DESC";
    let sql = format!(
        "SELECT c.line_id, c.id, v.id, \
         CASE WHEN row_number() OVER (PARTITION BY c.line_id ORDER BY {order}) = 1 THEN l.inbound_rules END \
         FROM conversations c \
         JOIN versions v ON v.conversation_id = c.id AND v.number = c.versions JOIN lines l ON l.id = c.line_id \
         WHERE c.workspace_id = {workspace} AND {lines} AND c.direction = {direction} AND c.archived_at IS NULL \
         ORDER BY {order}"
    );
    let read_text = |rules: Option<String>| read_rules(rules.as_deref());
    query.all(sql, |row| Ok((row.id()?, row.id()?, row.id()?, read_text(row.value()?)?))).await
}

/// The current versions of the conversations to which flows lead; none of those that were archived meanwhile.
async fn current(tenant: &Tenant, offered: &[Offered]) -> Result<HashMap<ConversationId, VersionId>, StorageError> {
    let led = |one: &Offered| match &one.fact {
        Fact::Jumped(jump) => Some(jump.to),
        _ => None,
    };
    let led: BTreeSet<ConversationId> = offered.iter().filter_map(led).collect();
    let mut query = Query::on(tenant.database().reader());
    let (workspace, led) =
        (query.bind(tenant.workspace().0), query.among("c.id", &led.into_iter().collect::<Vec<_>>()));
    let sql = format!(
        "SELECT c.id, v.id FROM conversations c JOIN versions v ON v.conversation_id = c.id AND v.number = c.versions \
         WHERE c.workspace_id = {workspace} AND {led} AND c.archived_at IS NULL"
    );
    Ok(query.all(sql, |row| Ok((row.id()?, row.id()?))).await?.into_iter().collect())
}

fn of_user(fact: &Fact) -> Option<&MessageFact> {
    match fact {
        Fact::Message(message) => Some(message).filter(|message| message.sender == Sender::User),
        _ => None,
    }
}
