//! What the tests share: databases, servers and the clients that talk to them.

pub(crate) mod database;
pub(crate) mod trial;
