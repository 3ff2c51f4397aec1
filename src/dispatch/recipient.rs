//! The users of a submission, as clients name them, and the rules for them. A list is held to the same.

use crate::domain::input::{Fault, MAX_VARIABLE_NAME_BYTES, MAX_VARIABLE_VALUE_BYTES, check_name, check_text};
use crate::domain::phone::Phone;

/// The most variables that one user may have in a submission.
pub const MAX_VARIABLES: usize = 100;

/// A user to send to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The phone number as given.
    pub phone: String,
    /// Names and values of variables. If a name occurs more than once, the last value counts.
    pub variables: Vec<(String, String)>,
}

/// What is wrong with a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RecipientFault {
    /// The phone number is not acceptable.
    Phone(Fault),
    /// There are more than [`MAX_VARIABLES`]: their number.
    VariableCount(usize),
    /// The variable at this index is not acceptable.
    Variable(usize, Fault),
}

/// Everything that is wrong with a user.
pub(super) fn check(user: &Recipient) -> Vec<RecipientFault> {
    let phone = Phone::check(&user.phone).err().map(RecipientFault::Phone);
    phone.into_iter().chain(check_variables(user)).collect()
}

fn check_variables(user: &Recipient) -> Vec<RecipientFault> {
    if user.variables.len() > MAX_VARIABLES {
        return vec![RecipientFault::VariableCount(user.variables.len())];
    }
    let check = |(at, (name, value)): (usize, &(String, String))| {
        let checked = check_variable_name(name).and_then(|()| check_text(value, MAX_VARIABLE_VALUE_BYTES));
        checked.err().map(|fault| RecipientFault::Variable(at, fault))
    };
    user.variables.iter().enumerate().filter_map(check).collect()
}

/// Checks the name of a variable.
pub fn check_variable_name(name: &str) -> Result<(), Fault> {
    check_name(name, MAX_VARIABLE_NAME_BYTES)
}

/// How much of a name a reason repeats, in characters.
const NAME_CHARACTERS: usize = 40;

impl RecipientFault {
    /// The fault as a sentence about a row.
    pub(super) fn reason(&self, user: &Recipient) -> String {
        match self {
            Self::Phone(fault) => format!("the phone {fault}"),
            Self::VariableCount(count) => format!("the row has {count} variables; the maximum is {MAX_VARIABLES}"),
            Self::Variable(at, fault) => {
                let name = user.variables.get(*at).map(|(name, _)| name.as_str()).unwrap_or_default();
                format!("the variable {:?} {fault}", name.chars().take(NAME_CHARACTERS).collect::<String>())
            }
        }
    }
}
