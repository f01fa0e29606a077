//! Prometheus exporter for the state of a HashiCorp Nomad cluster.
//!
//! The way of the data, and the rooms it passes through:
//!
//! ```text
//! config    what the user typed → what the program runs on
//!              │
//! nomad ──► collect ──► snapshot ──► metrics ──► exposition ──► publish ──► web
//! asks      collectors, sections     families:   bytes          once a      hands
//! Nomad     clocks      and joins    samples                    refresh     them out
//! ```
//!
//! [`terms`] holds Nomad's closed vocabularies, which every room speaks; [`labels`] names labels after keys and keeps their
//! values within their limit; [`human`] says numbers and words to people;
//! [`files`] reads again what changes on disk; [`commands`] put the rooms together.
//! Dependencies point one way, and a test keeps it so.

pub mod collect;
pub mod commands;
pub mod config;
pub mod exposition;
pub mod files;
pub mod human;
pub mod labels;
pub mod metrics;
pub mod nomad;
pub mod publish;
pub mod snapshot;
pub mod terms;
pub mod web;
