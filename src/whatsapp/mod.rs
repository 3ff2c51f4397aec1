//! WhatsApp's Cloud API: the client that calls it, the webhooks that it posts, and a simulator that stands in for it.
//!
//! The provider's names, codes and shapes end here: what leaves this module is facts and answers in the domain's words.
//! It imports the domain and nothing else of ours; who a line or a message is, its callers find out.

pub mod answer;
pub mod client;
mod error;
mod ids;
pub mod signature;
pub mod simulator;
pub mod template;
pub(crate) mod transport;
pub mod webhook;
