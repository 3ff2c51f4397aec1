//! What Bluetick knows and how it reasons: facts and their merge, status and stage, tally and metrics, filters, flows.
//!
//! It is pure: no I/O, no async, no wire format, no database. Time and randomness are arguments. Everything else imports this
//! module and it imports no other, so the law on which the product rests (the same facts in any order lead to the same
//! state) can be read and tested in one place.

#[cfg(test)]
mod arbitrary;
pub mod audit;
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
pub mod funnel;
pub mod id;
pub mod inbound;
pub mod input;
pub mod line;
pub mod merge;
pub mod message;
pub mod metrics;
pub mod opening;
pub mod outgoing;
pub mod page;
pub mod phone;
pub mod position;
pub mod preference;
pub mod send;
pub mod session;
pub mod standing;
pub mod tally;
pub mod user;
