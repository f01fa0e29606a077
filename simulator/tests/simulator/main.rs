//! Tests of the simulator over its HTTP interface and its model.

mod client;
mod replay;
mod server;
