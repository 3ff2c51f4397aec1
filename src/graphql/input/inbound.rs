//! Rules that choose inbound conversations.

use async_graphql::{ID, InputObject};

use crate::domain::inbound::{MAX_KEYWORD_BYTES, MAX_REFERRAL_BYTES, Trigger};
use crate::domain::input::{Fault, check_name};
use crate::graphql::place::Place;
use crate::graphql::user_error::UserErrors;

/// A rule by which a user's message that belongs to no other conversation chooses the one that it begins. It has either
/// a `keyword` or a `referral`.
#[derive(Debug, InputObject)]
pub(crate) struct InboundRuleInput {
    /// Words that the message's text must contain: as whole words and in this order, in capitals or not; accents count.
    /// 1 to 100 bytes.
    keyword: Option<String>,
    /// What the user must have tapped to write the message, such as an advertisement: WhatsApp's `source_id` of it, or
    /// how its `source_url` begins. 1 to 2,048 bytes.
    referral: Option<String>,
    /// The INBOUND conversation of this line that such a message begins.
    pub(crate) conversation_id: ID,
}

impl InboundRuleInput {
    /// What makes a message begin the conversation; `None` where it was refused.
    pub(crate) fn read_trigger(self, place: &Place, errors: &mut UserErrors) -> Option<Trigger> {
        let (name, given, max_bytes, trigger): (_, _, _, fn(String) -> Trigger) = match (self.keyword, self.referral) {
            (Some(keyword), None) => ("keyword", keyword, MAX_KEYWORD_BYTES, Trigger::Keyword),
            (None, Some(referral)) => ("referral", referral, MAX_REFERRAL_BYTES, Trigger::Referral),
            _ => return errors.check(place.clone(), Err(Fault::new("requires either \"keyword\" or \"referral\""))),
        };
        errors.check(place.field(name), check_name(&given, max_bytes)).map(|()| trigger(given))
    }
}
