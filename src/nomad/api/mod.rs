//! Response types of Nomad's API, one file per resource.
//!
//! All fields are optional, because any may be absent or `null` in some version. Unknown fields are skipped.
//! Units are Nomad's own: MB are MiB, and MHz are 1e6 hertz.

mod acl;
mod agent;
mod allocation;
mod allocation_summary;
mod deployment;
mod device;
mod evaluation;
mod history;
mod host;
mod job;
mod job_detail;
mod member;
mod namespace;
mod node;
mod node_detail;
mod operator;
mod packed;
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
pub use allocation_summary::{AllocationSummary, TaskState};
pub use deployment::Deployment;
pub use device::{AllocatedDevice, NodeDevice, RequestedDevice};
pub use evaluation::{Evaluation, PlacementFailure};
pub use history::{AllocationHistory, TaskEvent, TaskHistory};
pub use host::{HostDisk, HostMemory, HostStats};
pub use job::{Job, JobSummary, TaskGroupSummary, count};
pub use job_detail::{AllocationDetail, JobDetail};
pub use member::{Member, Members};
pub use namespace::Namespace;
pub use node::{DrainStrategy, Driver, Field, INSTANCE_ATTRIBUTES, LastDrain, Node, NodeResources};
pub use node_detail::NodeDetail;
pub use operator::{AutopilotHealth, AutopilotServer, SchedulerConfig, SchedulerConfiguration};
pub use packed::{Common, Pack};
pub use rows::{each_row, fold_rows};
pub use specification::{JobSpecification, TaskGroup};
pub use task_report::{AllocationReport, EventKind, ReportedEvent, TaskReport};
pub use tasks::{JobTasks, TaskName};
pub use time::Time;
pub use total::Total;
pub use usage::AllocationStats;

use litemap::LiteMap;

/// A map whose values may be `null`. Most have one entry, for which a B-tree would allocate room for eleven.
pub type Map<T> = LiteMap<String, Option<T>>;
