//! What Bluetick knows and how it reasons: facts and their merge, status and stage, tally and metrics, filters, flows.
//!
//! Pure: no input or output, no async, no wire format, no database. Time and randomness come in as arguments. Everything
//! else imports this module and it imports nothing of ours, so the law that the product stands on (the same facts in any
//! order give the same state) can be read and tested in one place.

#[cfg(test)]
mod arbitrary;
pub mod book;
pub mod clock;
pub mod code;
pub mod contact;
pub mod conversation;
pub mod deployment;
pub mod fact;
pub mod failure;
pub mod filter;
pub mod flow;
pub mod id;
pub mod input;
pub mod line;
pub mod merge;
pub mod message;
pub mod metrics;
pub mod page;
pub mod phone;
pub mod send;
pub mod standing;
pub mod tally;
pub mod user;
