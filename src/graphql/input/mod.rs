//! What arguments may ask for: filters, orders and ids, read into the domain's own terms.
//!
//! Whatever is malformed or out of range is reported with its place in the arguments. Limits here bound what one filter can
//! cost; what a well-formed filter means is the domain's.

pub(crate) mod audit;
pub(crate) mod conversation;
pub(crate) mod fact;
pub(crate) mod id;
pub(crate) mod inbound;
pub(crate) mod media;
pub(crate) mod order;
pub(crate) mod phone;
pub(crate) mod session;
pub(crate) mod time;
pub(crate) mod user;
pub(crate) mod user_change;
