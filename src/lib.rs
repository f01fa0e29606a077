//! Prometheus exporter for the state of a HashiCorp Nomad cluster.
//!
//! The modules, in the direction of the data:
//!
//! ```text
//! config    command line → settings
//!              │
//! nomad ──► collect ──► snapshot ──► metrics ──► exposition ──► publish ──► web
//! API       collectors, sections     samples     encoding       renders     serves
//! client    scheduling  and joins                              each refresh
//! ```
//!
//! [`terms`] has Nomad's enumerations, which all modules use; [`labels`] derives label names from keys and
//! limits label values; [`human`] formats values for people; [`files`] reloads files that change on disk;
//! [`commands`] combine the modules.
//! Dependencies point in one direction, which a test checks.

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
