//! Which entries of the audit log.

use async_graphql::{ID, InputObject};

use crate::auth::parse_token_id;
use crate::domain::audit;
use crate::domain::input::{Fault, MAX_NAME_BYTES, check_text};
use crate::graphql::error::{ApiError, Result};
use crate::graphql::place::Place;

/// Selects entries of the audit log. All conditions given must hold; a field that is null or omitted is ignored.
#[derive(Debug, Clone, Default, InputObject)]
pub(crate) struct AuditFilter {
    /// What was asked for, such as `sendConversation`.
    action: Option<String>,
    /// The id of the token that asked for it, as `bluetick token list` shows it.
    token_id: Option<ID>,
    /// The id of what was written.
    subject_id: Option<ID>,
}

impl AuditFilter {
    /// The filter in the domain's terms.
    pub(crate) fn read(self) -> Result<audit::AuditFilter> {
        let at_fault = |field: &'static str, fault| ApiError::Argument(Place::of("filter").field(field), fault);
        let subject = self.subject_id.map(|id| id.0);
        for (field, text) in [("action", &self.action), ("subjectId", &subject)] {
            let checked = text.as_ref().map_or(Ok(()), |text| check_text(text, MAX_NAME_BYTES));
            checked.map_err(|fault| at_fault(field, fault))?;
        }
        let token = self.token_id.map(|id| {
            parse_token_id(&id).ok_or_else(|| at_fault("tokenId", Fault::new("is not the id of a token: \"tok_…\"")))
        });
        Ok(audit::AuditFilter { action: self.action, token: token.transpose()?, subject })
    }
}
