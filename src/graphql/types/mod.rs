//! What the API shows: one file per noun.
//!
//! An object holds its row, or only its id where a query may need no more (see `lazy`), and turns into GraphQL what the
//! domain already knows. It computes nothing itself. The documentation comments here are the schema's descriptions, so
//! their reader is an API user.

pub(crate) mod audit;
pub(crate) mod conversation;
pub(crate) mod deployment;
pub(crate) mod failure;
pub(crate) mod funnel;
pub(crate) mod inbound;
pub(crate) mod line;
pub(crate) mod message;
pub(crate) mod metrics;
pub(crate) mod node;
pub(crate) mod send;
pub(crate) mod session;
pub(crate) mod standing;
pub(crate) mod user;
pub(crate) mod variable;
pub(crate) mod version;
pub(crate) mod viewer;

use std::sync::Arc;

use super::lazy::Lazy;
use crate::domain;

/// Makes objects of rows that are there already.
macro_rules! objects {
    ($($object:ty: $row:ty;)+) => {
        $(impl From<Arc<$row>> for $object {
            fn from(row: Arc<$row>) -> Self {
                Self(Lazy::Loaded(row))
            }
        })+
    };
}

objects! {
    line::Line: domain::line::Line;
    conversation::Conversation: domain::conversation::Conversation;
    version::Version: domain::conversation::Version;
    send::Send: domain::send::Send;
    user::User: domain::user::User;
    deployment::Deployment: domain::deployment::Deployment;
    session::Session: domain::session::Session;
    message::Message: domain::message::Message;
}
