//! Tests of the transports: a real server on port 0, a small API behind it, and no database.

mod graphql;
mod health;
mod server;
mod shutdown;
mod socket;
mod sse;
mod toy;
mod webhooks;
mod ws;
