//! WhatsApp's Cloud API: the client that calls it, the webhooks that it posts, and a simulator of it.
//!
//! The provider's names, codes and formats are confined to this module, which returns facts and answers in the domain's terms.
//! It does not use storage; callers resolve the ids of lines and messages.

pub mod answer;
pub mod client;
mod error;
mod ids;
pub mod outgoing;
pub mod signature;
pub mod simulator;
pub(crate) mod transport;
pub mod webhook;
