//! Differences between the lists.

use serde_json::Value;

use crate::version::{Version, since};

use super::filter::Fields;

/// The lists that take parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    Jobs,
    Nodes,
    NodePools,
    Allocations,
    Evaluations,
    Deployments,
}

impl Table {
    pub(crate) const ALL: [Table; 6] = [
        Table::Jobs,
        Table::Nodes,
        Table::NodePools,
        Table::Allocations,
        Table::Evaluations,
        Table::Deployments,
    ];

    /// Returns the path of the list.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Table::Jobs => "/v1/jobs",
            Table::Nodes => "/v1/nodes",
            Table::NodePools => "/v1/node/pools",
            Table::Allocations => "/v1/allocations",
            Table::Evaluations => "/v1/evaluations",
            Table::Deployments => "/v1/deployments",
        }
    }

    pub(crate) fn is_namespaced(self) -> bool {
        !matches!(self, Table::Nodes | Table::NodePools)
    }

    /// Returns whether rows have page tokens of create index and ID, and are ordered oldest first.
    fn is_chronological(self) -> bool {
        matches!(self, Table::Allocations | Table::Evaluations | Table::Deployments)
    }

    pub(super) fn wildcard_since(self) -> Version {
        match self {
            Table::Evaluations | Table::Deployments => since::EVALUATION_PARAMETERS,
            Table::Jobs | Table::Nodes | Table::NodePools | Table::Allocations => Version::new(0, 12, 0),
        }
    }

    pub(super) fn pages_since(self) -> Version {
        match self {
            Table::Evaluations | Table::Deployments => since::EVALUATION_PARAMETERS,
            Table::Jobs | Table::Nodes | Table::NodePools | Table::Allocations => since::FILTER,
        }
    }

    pub(super) fn can_reverse(self, version: Version) -> bool {
        match self {
            Table::Jobs => version >= since::STRICT_PER_PAGE,
            Table::Nodes => false,
            Table::NodePools | Table::Allocations | Table::Evaluations | Table::Deployments => true,
        }
    }

    pub(super) fn id(self, row: &Value) -> &str {
        row[if self == Table::NodePools { "Name" } else { "ID" }].as_str().unwrap_or_default()
    }

    fn create_index(row: &Value) -> u64 {
        row["CreateIndex"].as_u64().unwrap_or_default()
    }

    pub(super) fn sort(self, version: Version, rows: &mut [Value]) {
        if self.is_chronological() && version >= since::ORDER_BY_CREATE_INDEX {
            rows.sort_by(|a, b| {
                (Self::create_index(a), self.id(a)).cmp(&(Self::create_index(b), self.id(b)))
            });
        } else if self == Table::Jobs {
            rows.sort_by(|a, b| {
                (a["Namespace"].as_str(), self.id(a)).cmp(&(b["Namespace"].as_str(), self.id(b)))
            });
        } else {
            rows.sort_by(|a, b| self.id(a).cmp(self.id(b)));
        }
    }

    /// Returns the token of a page that starts with this row.
    pub(super) fn token(self, version: Version, row: &Value) -> String {
        let id = self.id(row);
        if self.is_chronological() && version >= since::ORDER_BY_CREATE_INDEX {
            format!("{}.{id}", Self::create_index(row))
        } else if self == Table::Jobs {
            format!("{}.{id}", row["Namespace"].as_str().unwrap_or_default())
        } else {
            id.to_owned()
        }
    }

    /// Returns whether page tokens are compared by their leading number.
    pub(super) fn has_numeric_tokens(self, version: Version) -> bool {
        self.is_chronological() && version >= since::NUMERIC_PAGE_TOKENS
    }

    pub(super) fn fields(self) -> Fields {
        match self {
            Table::Jobs => Fields {
                hidden: &["Meta", "Region", "Version", "TaskGroups", "Constraints", "Stable", "Dispatched"],
                unreal: &["JobSummary"],
            },
            Table::Nodes => Fields {
                hidden: &["HTTPAddr", "Attributes", "Meta", "ComputedClass", "DrainStrategy", "Links"],
                unreal: &["Address", "Version", "Drain"],
            },
            Table::NodePools | Table::Deployments => Fields::default(),
            Table::Allocations => Fields {
                hidden: &["DeploymentID", "PreviousAllocation", "Job", "Metrics", "AllocatedResources"],
                unreal: &["JobType", "JobVersion"],
            },
            Table::Evaluations => Fields {
                hidden: &[
                    "NodeID",
                    "NodeModifyIndex",
                    "DeploymentID",
                    "StatusDescription",
                    "Wait",
                    "WaitUntil",
                    "NextEval",
                    "PreviousEval",
                    "BlockedEval",
                    "RelatedEvals",
                    "FailedTGAllocs",
                    "ClassEligibility",
                    "QuotaLimitReached",
                    "EscapedComputedClass",
                    "AnnotatePlan",
                    "QueuedAllocations",
                    "JobModifyIndex",
                    "PlanAnnotations",
                    "SnapshotIndex",
                ],
                unreal: &[],
            },
        }
    }
}
