//! Periodic collection from Nomad: one table of collectors, each with its own schedule.
//!
//! Fast-changing data is small, and large data changes slowly. *Live* collectors read jobs that are not dead
//! and non-terminal allocations, every interval. *History* collectors read dead jobs and terminal
//! allocations, less often. Responses are folded into sections while they are decoded, so memory grows with
//! nodes and namespaces, not with jobs and allocations.

mod all;
mod chosen;
mod collector;
mod collectors;
mod context;
mod fan_out;
mod list;
mod observers;
mod one_node;
mod outage;
mod reach;
mod report;
mod runner;
mod scheduler;
mod store;
mod table;
mod units;
mod whole;

pub use all::Collectors;
pub use chosen::LabelSettings;
pub use collectors::{COLLECTORS, block_reason, collector};
pub use context::{Context, Settings, UsageSettings};
pub use one_node::one_node;
pub use reach::{TokenReach, token_reach};
pub use report::FetchError;
pub use store::{Changes, Store};
pub use table::{Clock, Collector};

/// Sets `known` to the earlier of two times, either of which may be unknown.
fn earliest<T: Ord + Copy>(known: &mut Option<T>, time: Option<T>) {
    *known = known.iter().copied().chain(time).min();
}
