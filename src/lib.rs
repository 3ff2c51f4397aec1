//! Bluetick: a GraphQL API server that sends WhatsApp conversations and reports their metrics, live and exact.

pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod dispatch;
pub mod domain;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod graphql;
pub mod http;
pub mod live;
pub mod recorder;
pub mod rounds;
pub mod storage;
pub mod telemetry;
pub mod whatsapp;
