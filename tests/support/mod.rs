//! What the tests share: databases, servers and the clients that talk to them.

pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod cluster;
pub(crate) mod database;
pub(crate) mod events;
pub(crate) mod lag;
pub(crate) mod login;
pub(crate) mod model;
pub(crate) mod mortal;
pub(crate) mod pages;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod server;
pub(crate) mod socket;
pub(crate) mod survey;
pub(crate) mod trial;
pub(crate) mod wait;
pub(crate) mod watcher;
pub(crate) mod webhook;
pub(crate) mod workspace;
