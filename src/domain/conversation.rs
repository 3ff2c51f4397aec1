//! Conversations and their versions.

use super::clock::Timestamp;
use super::code::coded;
use super::id::{ConversationId, LineId, VersionId};

coded! {
    /// Who starts a conversation.
    Direction {
        /// The user, with a message.
        Inbound = 0 / "INBOUND",
        /// The company, with an approved template.
        Outbound = 1 / "OUTBOUND",
    }
}

/// A conversation that users are sent or begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// The conversation's id.
    pub id: ConversationId,
    /// The line it runs on.
    pub line: LineId,
    /// The name that the workspace gave it; not necessarily unique.
    pub name: String,
    /// Who starts it.
    pub direction: Direction,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was archived; `None` while it is in use.
    pub archived_at: Option<Timestamp>,
    /// The version that was published last, which is the one that sends deploy.
    pub current_version: VersionId,
}

/// A published version of a conversation; its flow never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The version's id.
    pub id: VersionId,
    /// The conversation that it is a version of.
    pub conversation: ConversationId,
    /// 1, 2, 3 … within the conversation.
    pub number: i32,
    /// When it was published.
    pub published_at: Timestamp,
    /// The flow as JSON text, exactly as it was published.
    pub flow: String,
}

/// Conditions on conversations; an absent field imposes none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ConversationFilter {
    /// Part of the name, ignoring case.
    pub name: Option<String>,
    /// Who starts the conversation.
    pub direction: Option<Direction>,
    /// Whether the conversation is archived.
    pub archived: Option<bool>,
}

/// Folds the case of a name, so that searches ignore it: `STRASSE` is found in `Straße`, and `ñandú` in `ÑANDÚ`.
///
/// It folds character by character, so that part of a name folds to part of the folded name; to upper case first, because
/// letters that differ in lower case only (`ς`, `σ`) are the same in upper case.
pub fn fold_name(name: &str) -> String {
    name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_of_a_name_is_found_in_any_case() {
        for (part, name) in [("ÑANDÚ", "El ñandú"), ("strasse", "Hauptstraße"), ("ΑΣ", "ασα"), ("ας", "ΚΑΣ"), ("", "a")]
        {
            assert!(fold_name(name).contains(&fold_name(part)), "{part} in {name}");
        }
        assert!(!fold_name("nandu").contains(&fold_name("ñandú")));
    }
}
