//! Asking Nomad again and again: one table of collectors, each on its own clock.
//!
//! What changes fast is small, what is large changes slowly. *Live* collectors read what is not finished, every
//! interval; *history* collectors read dead jobs and terminal allocations, less often. Answers are folded into
//! sections while they are decoded: memory grows with nodes and namespaces, not with jobs and allocations.

mod allocations;
mod collectors;
mod context;
mod deployments;
mod drains;
mod evaluations;
mod fan_out;
mod host_stats;
mod job_fold;
mod jobs;
mod list;
mod namespaces;
mod nodes;
mod observers;
mod one_node;
mod reasons;
mod report;
mod scheduler;
mod servers;
mod specifications;
mod store;
mod units;
mod usage;

pub use collectors::{COLLECTORS, Clock, Collector, collector};
pub use context::{Context, Settings, UsageSettings};
pub use observers::{Completions, Placements};
pub use one_node::one_node;
pub use reasons::block_reason;
pub use report::FetchError;
pub use scheduler::{refresh, refresh_all, run};
pub use store::{Changes, Store};

use std::collections::BTreeMap;

/// The value of a key, made if it is not there; the key is only copied when it is new.
fn at<'m, V: Default>(map: &'m mut BTreeMap<String, V>, key: &str) -> &'m mut V {
    if !map.contains_key(key) {
        map.insert(key.to_owned(), V::default());
    }
    map.get_mut(key).expect("it was just put there")
}

/// The earlier of a known time and one that may be known.
fn earliest<T: Ord + Copy>(known: &mut Option<T>, time: Option<T>) {
    *known = known.iter().copied().chain(time).min();
}
