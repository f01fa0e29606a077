//! The fields that we read of Nomad's answers, one file a resource.
//!
//! Any field may be absent or `null` in some version: all are optional, and what is unknown is skipped. Numbers
//! that Nomad calls MB are MiB, its MHz are 1e6 hertz; these rows keep Nomad's own units.

mod allocation;
mod evaluation;
mod host;
mod job;
mod member;
mod namespace;
mod node;
mod rows;
mod time;

pub use allocation::{AllocatedResources, Allocation, Total};
pub use evaluation::{Evaluation, PlacementFailure};
pub use host::{HostDisk, HostMemory, HostStats};
pub use job::{Job, JobSummary, TaskGroupSummary};
pub use member::{Member, Members};
pub use namespace::Namespace;
pub use node::{DrainStrategy, Driver, LastDrain, Node, NodeDetail, NodeResources};
pub use rows::each_row;
pub use time::Time;

use std::collections::BTreeMap;

/// A map of Nomad's, whose values may be `null`.
pub type Map<T> = BTreeMap<String, Option<T>>;
