//! Rules that choose inbound conversations.

use async_graphql::SimpleObject;

use super::conversation::Conversation;
use crate::domain::inbound::{self, Trigger};
use crate::graphql::lazy::Lazy;

/// A rule by which a user's message that belongs to no other conversation chooses the one that it begins. It has either
/// a `keyword` or a `referral`.
#[derive(SimpleObject)]
pub(crate) struct InboundRule {
    /// Words that the message's text must contain: as whole words and in this order, in capitals or not; accents count.
    keyword: Option<String>,
    /// What the user must have tapped to write the message, such as an advertisement: WhatsApp's `source_id` of it, or
    /// how its `source_url` begins.
    referral: Option<String>,
    /// The conversation that such a message begins. While it is archived, the line's default is begun instead.
    conversation: Conversation,
}

impl From<&inbound::InboundRule> for InboundRule {
    fn from(rule: &inbound::InboundRule) -> Self {
        let (keyword, referral) = match rule.trigger.clone() {
            Trigger::Keyword(keyword) => (Some(keyword), None),
            Trigger::Referral(referral) => (None, Some(referral)),
        };
        Self { keyword, referral, conversation: Conversation(Lazy::Id(rule.conversation)) }
    }
}
