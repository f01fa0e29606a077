//! Asking Nomad again and again: one table of collectors, each on its own clock.
//!
//! What changes fast is small, what is large changes slowly. *Live* collectors read what is not finished, every
//! interval; *history* collectors read dead jobs and terminal allocations, less often. Answers are folded into
//! sections while they are decoded: memory grows with nodes and namespaces, not with jobs and allocations.

mod all;
mod chosen;
mod collector;
mod collectors;
mod context;
mod events;
mod fan_out;
mod kept;
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
pub use events::Events;
pub use one_node::one_node;
pub use reach::{TokenReach, token_reach};
pub use report::FetchError;
pub use store::{Changes, Store};
pub use table::{Clock, Collector};

/// The earlier of a known time and one that may be known.
fn earliest<T: Ord + Copy>(known: &mut Option<T>, time: Option<T>) {
    *known = known.iter().copied().chain(time).min();
}
