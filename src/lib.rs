//! Bluetick: a GraphQL API server that sends WhatsApp conversations and tells, live and exactly, how they do.

pub mod domain;
