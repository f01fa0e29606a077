//! Tests of the simulator over its HTTP interface and its model.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a failed step fails its test")]

mod acl;
mod api;
mod client;
mod contract;
mod drains;
mod endings;
mod events;
mod histories;
mod jobs;
mod load;
mod logs;
mod nodes;
mod outcomes;
mod placement;
mod replay;
mod scenario;
mod server;
mod shape;
mod work;
mod world;
mod writes;
