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
mod cores_and_devices;
mod events;
mod fan_out;
mod follower;
mod history;
mod kept;
mod list;
mod observers;
mod one_node;
mod outage;
mod report;
mod runner;
mod scheduler;
mod store;
mod table;
mod token_permissions;
mod units;
mod waiting;

pub use all::Collectors;
pub use chosen::LabelSettings;
pub use collectors::{COLLECTORS, block_reason, collector};
pub use context::{Context, Settings, UsageSettings};
pub use events::Events;
pub use one_node::one_node;
pub use report::FetchError;
pub use store::{Changes, Store};
pub use table::{Clock, Collector};
pub use token_permissions::{TokenPermissions, token_permissions};

/// Sets `known` to the earlier of two times, either of which may be unknown.
fn earliest<T: Ord + Copy>(known: &mut Option<T>, time: Option<T>) {
    *known = known.iter().copied().chain(time).min();
}
