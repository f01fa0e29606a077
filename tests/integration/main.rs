//! Integration tests: with recorded responses of real Nomad agents, with the simulated cluster, and with
//! other programs.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on panics, and one that is skipped says so"
)]

mod alerting;
mod arithmetic;
mod bad_input;
mod cardinality;
mod chosen;
mod cli;
mod commands;
mod demand;
mod deploy;
mod desired;
mod docs;
mod events;
mod every_family;
mod failures;
mod families;
mod faults;
mod formats;
mod goldens;
mod hands;
mod hanging;
mod ledger;
mod lifecycle;
mod load;
mod manuals;
mod mutation;
mod namespaces;
mod parts;
mod periodic;
mod placing;
mod prometheus;
mod properties;
mod release;
mod revision;
mod rooms;
mod rules_bench;
mod scheduling;
mod server_work;
mod serving;
mod soak;
mod status_page;
mod support;
mod task_api;
mod tls;
mod tokens;
mod web_config;
mod whole;
mod words;
