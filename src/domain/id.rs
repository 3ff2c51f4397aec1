//! Opaque, typed, globally unique ids: a prefix for the type and a UUID in hexadecimal, `conv_0193…`.
//!
//! Keys are UUIDs of version 7, so they sort by creation. Rows that two nodes must be able to create independently with the
//! same key (an inbound user, an incoming message) have a key derived from what identifies them.

use std::fmt;

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// An id of any type, as an API client may send one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AnyId {
    /// The id of a workspace.
    Workspace(WorkspaceId),
    /// The id of a line.
    Line(LineId),
    /// The id of a conversation.
    Conversation(ConversationId),
    /// The id of a version.
    Version(VersionId),
    /// The id of a send.
    Send(SendId),
    /// The id of a user.
    User(UserId),
    /// The id of a deployment.
    Deployment(DeploymentId),
    /// The id of a session.
    Session(SessionId),
    /// The id of a message.
    Message(MessageId),
}

/// A text that is not an id of this API at all. (An id of another type is well-formed; it is just not found.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an id of this API: ids look like \"conv_\" followed by 32 hexadecimal digits")]
pub struct MalformedId;

macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident $prefix:literal),+ $(,)?) => {
        $(
            $(#[$meta])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
            pub struct $name(pub Uuid);

            impl $name {
                /// The prefix of ids of this type, without the underscore.
                pub const PREFIX: &'static str = $prefix;
            }

            impl fmt::Display for $name {
                fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(formatter, concat!($prefix, "_{}"), self.0.simple())
                }
            }

            impl From<Uuid> for $name {
                fn from(uuid: Uuid) -> Self {
                    Self(uuid)
                }
            }

            impl From<$name> for Uuid {
                fn from(id: $name) -> Self {
                    id.0
                }
            }
        )+
    };
}

ids! {
    /// Identifies a workspace.
    WorkspaceId "ws",
    /// Identifies an API token; it is not the secret.
    TokenId "tok",
    /// Identifies a line.
    LineId "line",
    /// Identifies a contact; contacts are not part of the API.
    ContactId "cont",
    /// Identifies a conversation.
    ConversationId "conv",
    /// Identifies a version.
    VersionId "ver",
    /// Identifies a send.
    SendId "send",
    /// Identifies a user.
    UserId "user",
    /// Identifies a deployment.
    DeploymentId "dep",
    /// Identifies a session, which is part of the deployment of the same key.
    SessionId "sess",
    /// Identifies a message.
    MessageId "msg",
    /// Identifies an entry of the audit log.
    AuditEntryId "audit",
}

impl AnyId {
    /// Parses an id in exactly the form in which the API writes it, so that every object has a single id.
    pub fn parse(text: &str) -> Result<Self, MalformedId> {
        let (prefix, digits) = text.split_once('_').ok_or(MalformedId)?;
        let canonical = digits.len() == 32 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let uuid = Uuid::try_parse(digits).ok().filter(|_| canonical).ok_or(MalformedId)?;
        Ok(match prefix {
            WorkspaceId::PREFIX => Self::Workspace(uuid.into()),
            LineId::PREFIX => Self::Line(uuid.into()),
            ConversationId::PREFIX => Self::Conversation(uuid.into()),
            VersionId::PREFIX => Self::Version(uuid.into()),
            SendId::PREFIX => Self::Send(uuid.into()),
            UserId::PREFIX => Self::User(uuid.into()),
            DeploymentId::PREFIX => Self::Deployment(uuid.into()),
            SessionId::PREFIX => Self::Session(uuid.into()),
            MessageId::PREFIX => Self::Message(uuid.into()),
            _ => return Err(MalformedId),
        })
    }
}

/// A new key, greater than all keys made before it on this machine.
#[expect(clippy::disallowed_methods, reason = "the one place that makes keys from the clock and random numbers")]
pub fn new_key() -> Uuid {
    Uuid::now_v7()
}

/// The key of whatever `parts` identify within `domain`: the same on every node, every time.
pub fn derived_key(domain: &str, parts: &[&[u8]]) -> Uuid {
    let mut digest = Sha256::new();
    for part in std::iter::once(domain.as_bytes()).chain(parts.iter().copied()) {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let mut bytes = [0; 16];
    for (byte, hashed) in bytes.iter_mut().zip(digest.finalize()) {
        *byte = hashed;
    }
    Uuid::new_v8(bytes)
}

/// The key of the user for a contact of a version.
pub fn user_key(version: VersionId, contact: ContactId) -> UserId {
    UserId(derived_key("user", &[version.0.as_bytes(), contact.0.as_bytes()]))
}

/// The key under which a payload is kept for a reason, in a workspace or, if that is unknown, in none.
pub fn kept_key(workspace: Option<WorkspaceId>, reason: &str, payload: &str) -> Uuid {
    let workspace = workspace.map_or(Uuid::nil(), Uuid::from);
    derived_key("kept", &[workspace.as_bytes(), reason.as_bytes(), payload.as_bytes()])
}

/// The key of the single deployment of a version that a contact's own messages begin.
pub fn inbound_deployment_key(version: VersionId, contact: ContactId) -> DeploymentId {
    DeploymentId(derived_key("inbound deployment", &[version.0.as_bytes(), contact.0.as_bytes()]))
}

/// The key of a deployment that a contact begins who was a user of the version before: the `number`th of that user.
pub fn returning_deployment_key(version: VersionId, contact: ContactId, number: i32) -> DeploymentId {
    let parts = [version.0.as_bytes(), contact.0.as_bytes(), &number.to_be_bytes()[..]];
    DeploymentId(derived_key("returning deployment", &parts.map(|part| part as &[u8])))
}

/// The key of the deployment to which the flow of another one led.
pub fn jump_deployment_key(from: DeploymentId) -> DeploymentId {
    DeploymentId(derived_key("jump", &[from.0.as_bytes()]))
}

/// The key of a message that an agent writes in a session, from the key under which the same may be asked for again.
pub fn agent_message_key(session: SessionId, idempotency_key: &str) -> MessageId {
    MessageId(derived_key("agent message", &[session.0.as_bytes(), idempotency_key.as_bytes()]))
}

/// The key of a message that was reported to us rather than sent by us, from the provider's id.
pub fn reported_message_key(workspace: WorkspaceId, provider_message_id: &str) -> MessageId {
    MessageId(derived_key("message", &[workspace.0.as_bytes(), provider_message_id.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_a_round_trip() {
        let id = ConversationId(new_key());
        assert_eq!(AnyId::parse(&id.to_string()), Ok(AnyId::Conversation(id)));
    }

    #[test]
    fn what_is_not_an_id_is_malformed() {
        let id = ConversationId(new_key()).to_string();
        for text in [
            "",
            "conv",
            "conv_",
            "conv_12",
            "other_0193aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            &id.to_uppercase(),
            &format!("{id} "),
        ] {
            assert_eq!(AnyId::parse(text), Err(MalformedId), "{text}");
        }
    }

    #[test]
    fn derived_keys_depend_on_every_part_and_on_nothing_else() {
        let key = derived_key("user", &[b"ab", b"c"]);
        assert_eq!(key, derived_key("user", &[b"ab", b"c"]));
        assert_ne!(key, derived_key("user", &[b"a", b"bc"]));
        assert_ne!(key, derived_key("message", &[b"ab", b"c"]));
    }
}
