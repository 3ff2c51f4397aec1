//! The facts of how far a message or a deployment got: twelve columns that both tables have.
//!
//! They are listed once, in [`fact_list`]. The macros that take the list make of it the columns to select, the columns to
//! write, and [`FactColumns`], which converts to the domain's facts and back.

use super::StorageError;
use super::bulk::Datum;
use super::row::{self, Row};
use crate::domain::clock::Timestamp;
use crate::domain::code::Coded;
use crate::domain::failure::{OwnFailure, ProviderFailure};
use crate::domain::merge::MessageFacts;

/// Calls a macro with its arguments and the list: name, kind and type of each column.
macro_rules! fact_list {
    ($then:ident => $($arguments:tt)*) => {
        $then! {
            ($($arguments)*)
            accepted_at BigInt i64,
            held_at BigInt i64,
            sent_at BigInt i64,
            delivered_at BigInt i64,
            read_at BigInt i64,
            failed_at BigInt i64,
            failed_code Int i32,
            failed_reason SmallInt i16,
            failed_text Text String,
            refused_at BigInt i64,
            refused_reason SmallInt i16,
            unknown_at BigInt i64
        }
    };
}

/// The columns of a table as a `SELECT` lists them, in the order in which [`FactColumns::read`] reads them.
macro_rules! select_facts {
    (($table:literal) $first:ident $first_kind:ident $first_type:ty $(, $name:ident $kind:ident $type:ty)*) => {
        concat!($table, ".", stringify!($first) $(, ", ", $table, ".", stringify!($name))*)
    };
}

/// The columns of a bulk write: the given ones, followed by the facts in the order of [`FactColumns::data`].
macro_rules! write_facts {
    (($($own:expr),* $(,)?) $($name:ident $kind:ident $type:ty),*) => {
        &[$($own,)* $((stringify!($name), Kind::$kind)),*]
    };
}

/// The facts of an entity's row.
macro_rules! facts_of_model {
    (($row:expr) $($name:ident $kind:ident $type:ty),*) => {
        $crate::storage::facts::FactColumns { $($name: Clone::clone(&$row.$name)),* }.facts()
    };
}

macro_rules! declare {
    (() $($name:ident $kind:ident $type:ty),*) => {
        /// The facts as they are stored.
        pub(super) struct FactColumns {
            $(pub(super) $name: Option<$type>,)*
        }

        impl FactColumns {
            fn read(row: &mut Row<'_>) -> Result<Self, StorageError> {
                Ok(Self { $($name: row.value()?),* })
            }

            fn data(self) -> Vec<Datum> {
                vec![$(self.$name.into()),*]
            }
        }
    };
}

pub(super) use {fact_list, facts_of_model, select_facts, write_facts};

fact_list!(declare => );

/// Reads the facts from the columns that [`select_facts`] lists.
pub(super) fn read(row: &mut Row<'_>) -> Result<MessageFacts, StorageError> {
    FactColumns::read(row)?.facts()
}

/// The facts as they are written to the columns that [`write_facts`] lists.
pub(super) fn data(facts: &MessageFacts) -> Vec<Datum> {
    FactColumns::from(facts).data()
}

impl FactColumns {
    /// The facts in the domain's terms.
    pub(super) fn facts(self) -> Result<MessageFacts, StorageError> {
        let time = |micros: Option<i64>| micros.map(row::time).transpose();
        let failed = match (self.failed_at, self.failed_reason, self.failed_text) {
            (None, None, None) => None,
            (Some(at), Some(reason), Some(text)) => {
                let (at, reason) = (row::time(at)?, row::code(reason)?);
                Some(ProviderFailure { at, code: self.failed_code, reason, text })
            }
            _ => return Err(StorageError::Corrupt("failure of the provider")),
        };
        let own_failure = match (self.refused_at, self.refused_reason) {
            (None, None) => None,
            (Some(at), Some(reason)) => Some(OwnFailure { at: row::time(at)?, reason: row::code(reason)? }),
            _ => return Err(StorageError::Corrupt("failure of our own")),
        };
        Ok(MessageFacts {
            accepted: time(self.accepted_at)?,
            held: time(self.held_at)?,
            sent: time(self.sent_at)?,
            delivered: time(self.delivered_at)?,
            read: time(self.read_at)?,
            failed,
            own_failure,
            unknown: time(self.unknown_at)?,
        })
    }
}

impl From<&MessageFacts> for FactColumns {
    fn from(facts: &MessageFacts) -> Self {
        let failed = facts.failed.as_ref();
        Self {
            accepted_at: facts.accepted.map(Timestamp::micros),
            held_at: facts.held.map(Timestamp::micros),
            sent_at: facts.sent.map(Timestamp::micros),
            delivered_at: facts.delivered.map(Timestamp::micros),
            read_at: facts.read.map(Timestamp::micros),
            failed_at: failed.map(|failure| failure.at.micros()),
            failed_code: failed.and_then(|failure| failure.code),
            failed_reason: failed.map(|failure| failure.reason.code()),
            failed_text: failed.map(|failure| failure.text.clone()),
            refused_at: facts.own_failure.map(|failure| failure.at.micros()),
            refused_reason: facts.own_failure.map(|failure| failure.reason.code()),
            unknown_at: facts.unknown.map(Timestamp::micros),
        }
    }
}
