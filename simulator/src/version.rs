//! Nomad versions, and their API changes.

use std::fmt;
use std::str::FromStr;

/// A released Nomad version, such as `2.0.5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u16,
    minor: u16,
    patch: u16,
}

impl Version {
    /// The newest supported version, and the default.
    pub const LATEST: Version = Version::new(2, 0, 5);

    /// Creates a version from three numbers.
    pub const fn new(major: u16, minor: u16, patch: u16) -> Version {
        Version { major, minor, patch }
    }

    /// Returns whether a feature is present. `fixes` has one version for each minor series to which it was
    /// backported, oldest first. All later series have the feature.
    pub(crate) fn has(self, fixes: &[Version]) -> bool {
        let newest = fixes.last().is_some_and(|last| self >= *last);
        newest
            || fixes
                .iter()
                .any(|fix| (self.major, self.minor) == (fix.major, fix.minor) && self.patch >= fix.patch)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Error: the text is not a Nomad version of three numbers.
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidVersion(String);

impl fmt::Display for InvalidVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?} is not a Nomad version such as 2.0.5", self.0)
    }
}

impl std::error::Error for InvalidVersion {}

impl FromStr for Version {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Version, InvalidVersion> {
        let invalid = || InvalidVersion(text.to_owned());
        // A suffix such as `+ent` or `-beta.1` does not affect the API.
        let release = text.split(['+', '-']).next().unwrap_or(text);
        let numbers: Vec<u16> =
            release.split('.').map(str::parse).collect::<Result<_, _>>().map_err(|_| invalid())?;
        match numbers[..] {
            [major, minor, patch] => Ok(Version { major, minor, patch }),
            _ => Err(invalid()),
        }
    }
}

/// First versions with an API change.
pub(crate) mod since {
    use super::Version;

    const fn version(major: u16, minor: u16, patch: u16) -> Version {
        Version::new(major, minor, patch)
    }

    /// `/v1/event/stream`.
    pub(crate) const EVENT_STREAM: Version = version(1, 0, 0);
    /// An event stream starts with a heartbeat.
    pub(crate) const FIRST_HEARTBEAT: &[Version] = &[version(1, 0, 7), version(1, 1, 1)];
    /// A stream of all namespaces requires permission in each of them, and covers only the namespaces that
    /// exist when it starts.
    pub(crate) const STREAM_OF_ALL_NAMESPACES: Version = version(1, 9, 6);
    /// The status of an event stream is always 200, even if the subscription is refused.
    pub(crate) const HIJACKED_STREAM: Version = version(1, 11, 2);
    /// `Deleted` on events of deleted jobs.
    pub(crate) const DELETED_JOBS: Version = version(1, 11, 3);
    /// Changes of a node's eligibility have their own event type.
    pub(crate) const NODE_ELIGIBILITY_EVENTS: Version = version(2, 0, 1);
    /// Failure reasons of blocked evaluations, and the last drain of nodes.
    pub(crate) const DRAIN_HISTORY: Version = version(1, 1, 0);
    /// `namespace=*`, `status`, `job` and paging on evaluations and deployments.
    pub(crate) const EVALUATION_PARAMETERS: Version = version(1, 2, 4);
    /// Small changes in many objects, such as empty maps instead of null.
    pub(crate) const V1_3: Version = version(1, 3, 0);
    /// `filter` everywhere, `reverse`, and paging of jobs, nodes and allocations.
    pub(crate) const FILTER: Version = version(1, 3, 0);
    /// Lists of allocations, evaluations and deployments are ordered oldest first, no longer by ID.
    pub(crate) const ORDER_BY_CREATE_INDEX: Version = version(1, 3, 0);
    /// Page tokens with a create index are compared as numbers, no longer as text.
    pub(crate) const NUMERIC_PAGE_TOKENS: Version = version(1, 10, 2);
    /// A `per_page` that is not a number is rejected.
    pub(crate) const STRICT_PER_PAGE: Version = version(1, 8, 0);
    /// Node status `disconnected`, allocation status `unknown`, `Unknown` in job summaries.
    pub(crate) const DISCONNECTED: Version = version(1, 3, 0);
    /// Every response has `Vary: Accept-Encoding`, and only the exact token `gzip` requests gzip.
    pub(crate) const EXACT_GZIP: Version = version(1, 3, 0);
    /// All token errors are `Permission denied`.
    pub(crate) const UNIFORM_DENIAL: Version = version(1, 5, 0);
    /// `namespace=*` is denied if the token has no namespace. Before, the list was empty.
    pub(crate) const WILDCARD_DENIAL: Version = version(1, 3, 0);
    /// Node pools, and `NodePool` on jobs, nodes and allocation metrics.
    pub(crate) const NODE_POOLS: Version = version(1, 6, 0);
    /// `NextAllocation` on allocations.
    pub(crate) const NEXT_ALLOCATION: Version = version(1, 6, 0);
    /// `TotalPercent` and `TotalTicks` instead of `Total` in the CPU statistics of a client.
    pub(crate) const CPU_TICKS: Version = version(1, 6, 0);
    /// `Processors` in the resources of a node.
    pub(crate) const PROCESSORS: Version = version(1, 7, 0);
    /// `Voters` and `Leader` in the health of autopilot.
    pub(crate) const AUTOPILOT_VOTERS: Version = version(1, 7, 7);
    /// `Paused` on task states, for tasks with a schedule. `TaskHandle` is removed.
    pub(crate) const TASK_SCHEDULES: Version = version(1, 8, 0);
    /// Empty fields of networks are omitted.
    pub(crate) const COMPACT_NETWORKS: Version = version(1, 9, 0);
    /// Host volumes are an empty map, no longer null.
    pub(crate) const HOST_VOLUMES: Version = version(1, 10, 0);
    /// Create and modify time of deployments.
    pub(crate) const DEPLOYMENT_TIMES: Version = version(1, 10, 0);
    /// `NodeMaxAllocs` on nodes.
    pub(crate) const NODE_MAX_ALLOCS: Version = version(1, 10, 2);
    /// Many changes: the legacy `Resources` and `Reserved` of a node are removed, evaluations have
    /// `PlanAnnotations`, system jobs have deployments, allocations have `MigrateDisablePlacement`, pools
    /// have `NodeIdentityTTL`.
    pub(crate) const V1_11: Version = version(1, 11, 0);
    /// An active deployment keeps its job `running`.
    pub(crate) const DEPLOYMENT_KEEPS_RUNNING: Version = version(2, 0, 1);
    /// `AddressIPv6` in the network status of allocations.
    pub(crate) const ALLOCATION_IPV6: Version = version(1, 9, 0);
    /// Allocations have the key that signed their identities.
    pub(crate) const SIGNED_IDENTITIES: Version = version(1, 4, 0);
    /// ACL roles, and tokens that expire.
    pub(crate) const ACL_ROLES: Version = version(1, 4, 0);
    /// `max_run_duration` of groups.
    pub(crate) const MAX_RUN_DURATION: Version = version(2, 0, 3);
    /// `meta=true` on the list of jobs.
    pub(crate) const META_IN_LISTS: &[Version] = &[version(1, 4, 3)];
    /// `/v1/evaluations/count`.
    pub(crate) const EVALUATIONS_COUNT: Version = version(1, 4, 3);
    /// `PauseEvalBroker` and `RejectJobRegistration` in the scheduler's configuration.
    pub(crate) const PAUSE_EVAL_BROKER: Version = version(1, 3, 2);
    /// `NodeLimitForFeasibilityChecks` in the scheduler's configuration.
    pub(crate) const FEASIBILITY_LIMIT: Version = version(2, 0, 1);
    /// Servers use Raft protocol 3 by default, which autopilot needs.
    pub(crate) const RAFT_3: Version = version(1, 3, 0);
    /// Changes in Nomad 1.2: `sysbatch` among the preemption settings.
    pub(crate) const SYSBATCH: Version = version(1, 2, 0);
    /// Fields of task and job specifications for workload identities.
    pub(crate) const WORKLOAD_IDENTITY: Version = version(1, 7, 0);
    /// Follow-up evaluations have the trigger `alloc-reschedule`, no longer `alloc-failure`.
    pub(crate) const ALLOC_RESCHEDULE: Version = version(1, 11, 0);

    /// Filters support `any` and `all`.
    pub(crate) const COLLECTION_FILTERS: &[Version] =
        &[version(1, 4, 14), version(1, 5, 10), version(1, 6, 3), version(1, 7, 0)];
    /// `/v1/acl/token/self` supports anonymous requests and clusters without ACLs.
    pub(crate) const WHO_AM_I: Version = version(1, 10, 1);
    /// Evaluations of batch jobs are retained for a day instead of an hour; nodes have their last missed
    /// heartbeat.
    pub(crate) const BATCH_EVAL_GC: &[Version] = &[version(1, 3, 10), version(1, 4, 5), version(1, 5, 0)];
    /// `stale=false` has an effect.
    pub(crate) const STALE_IS_BOOL: &[Version] = &[version(1, 3, 10), version(1, 4, 5), version(1, 5, 0)];
    /// A drain waits until its allocations have ended. Before, it waited only until they were told to stop.
    pub(crate) const DRAIN_WAITS_FOR_CLIENT: &[Version] =
        &[version(1, 3, 14), version(1, 4, 9), version(1, 5, 4)];
}
