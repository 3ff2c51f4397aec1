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

/// What is sent or answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// The line that it runs on.
    pub line: LineId,
    /// Its name.
    pub name: String,
    /// Who starts it.
    pub direction: Direction,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was archived, if it was.
    pub archived_at: Option<Timestamp>,
    /// The version that is sent now.
    pub current_version: VersionId,
}

/// A published edit of a conversation; its flow never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its id.
    pub id: VersionId,
    /// The conversation it is a version of.
    pub conversation: ConversationId,
    /// 1, 2, 3 … within the conversation.
    pub number: i32,
    /// When it was published.
    pub published_at: Timestamp,
    /// The flow, as written JSON.
    pub flow: String,
}

/// Which conversations are asked for; an absent field asks nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ConversationFilter {
    /// A part of the name, in any case.
    pub name: Option<String>,
    /// Who starts them.
    pub direction: Option<Direction>,
    /// Whether they are archived.
    pub archived: Option<bool>,
}

/// A name without regard to case, so that a part of it is found in any case: `STRASSE` in `Straße`, `ñandú` in `ÑANDÚ`.
///
/// Character by character, so that a part of a name folds to a part of the folded name. Upwards first, because letters
/// that differ in lower case only (`ς`, `σ`) are one in upper case.
pub fn fold_name(name: &str) -> String {
    name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_name_is_found_in_any_case() {
        for (part, name) in [("ÑANDÚ", "El ñandú"), ("strasse", "Hauptstraße"), ("ΑΣ", "ασα"), ("ας", "ΚΑΣ"), ("", "a")]
        {
            assert!(fold_name(name).contains(&fold_name(part)), "{part} in {name}");
        }
        assert!(!fold_name("nandu").contains(&fold_name("ñandú")));
    }
}
