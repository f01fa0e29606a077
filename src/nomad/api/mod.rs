//! The fields that we read of Nomad's answers, one file a resource.
//!
//! Any field may be absent or `null` in some version: all are optional, and what is unknown is skipped. Numbers
//! that Nomad calls MB are MiB, its MHz are 1e6 hertz; these rows keep Nomad's own units.

mod acl;
mod agent;
mod allocation;
mod deployment;
mod device;
mod evaluation;
mod history;
mod host;
mod instance;
mod job;
mod job_detail;
mod member;
mod namespace;
mod node;
mod node_detail;
mod operator;
mod rows;
mod specification;
mod statuses;
mod task_report;
mod tasks;
mod time;
mod total;
mod usage;

pub use acl::{AclPolicy, AclPolicyName, AclToken, NamespaceRule};
pub use agent::Agent;
pub use allocation::{AllocatedResources, Allocation, NameHash};
pub use deployment::Deployment;
pub use device::{AllocatedDevice, NodeDevice, RequestedDevice};
pub use evaluation::{Evaluation, PlacementFailure};
pub use history::{AllocationHistory, TaskEvent, TaskHistory};
pub use host::{HostDisk, HostMemory, HostStats};
pub use instance::{Instance, TaskState};
pub use job::{Job, JobSummary, TaskGroupSummary, count};
pub use job_detail::{AllocationDetail, JobDetail};
pub use member::{Member, Members};
pub use namespace::Namespace;
pub use node::{DrainStrategy, Driver, INSTANCE_ATTRIBUTES, LastDrain, Node, NodeResources, Told};
pub use node_detail::NodeDetail;
pub use operator::{AutopilotHealth, AutopilotServer, SchedulerConfig, SchedulerConfiguration};
pub use rows::{each_row, fold_rows};
pub use specification::{JobSpecification, TaskGroup};
pub use task_report::{AllocationReport, EventKind, ReportedEvent, TaskReport};
pub use tasks::{JobTasks, TaskName};
pub use time::Time;
pub use total::Total;
pub use usage::AllocationStats;

use std::collections::BTreeMap;

/// A map of Nomad's, whose values may be `null`.
pub type Map<T> = BTreeMap<String, Option<T>>;
