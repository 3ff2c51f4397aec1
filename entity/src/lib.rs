//! Bluetick's tables as SeaORM knows them: one file per table, named like it. The tables themselves, with their keys
//! and checks, are made by the crate `migration`.
//!
//! Nothing here knows the domain: codes are integers to which `domain` gives the meaning, JSON is text, and only
//! `storage` may import this crate. What holds for every table is said here once:
//!
//! * ids are UUIDs, version 7 where nothing else is said, so the order of ids is the order of creation;
//! * a column named `…_at` or `at` is a time, in microseconds since 1970 in UTC. An integer is the same on both
//!   databases and compares exactly, which merging facts and paging by key depend on;
//! * times are those at which things happened, as they were reported, except where a column says otherwise;
//! * `workspace_id` stands on every row of a workspace, also where a join could tell it, so that no statement reads a
//!   tenant's data without it. Leases have none: they belong to the nodes.

pub mod audit;
pub mod changes;
pub mod contacts;
pub mod conversations;
pub mod deployments;
pub mod funnel;
pub mod funnel_times;
pub mod kept;
pub mod leases;
pub mod lines;
pub mod messages;
pub mod outbox;
pub mod parked;
pub mod reached;
pub mod send_tally;
pub mod sends;
pub mod sessions;
pub mod staged;
pub mod stream_tokens;
pub mod tally;
pub mod tokens;
pub mod uploads;
pub mod users;
pub mod variable_names;
pub mod variables;
pub mod versions;
pub mod workspaces;
