//! Lists whose changes events name.

use crate::snapshot::CollectorId;
use crate::terms::Term;

/// A list that is requested less often, because events name its changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::collect) enum Table {
    Jobs,
    Allocations,
    FinishedJobs,
    FinishedAllocations,
    /// Allocations that failed or have restarted tasks.
    TaskStates,
    /// Blocked and pending evaluations. Their lists are requested again if one of them changes.
    Evaluations,
}

impl Term for Table {
    const ALL: &'static [Self] = &[
        Self::Jobs,
        Self::Allocations,
        Self::FinishedJobs,
        Self::FinishedAllocations,
        Self::TaskStates,
        Self::Evaluations,
    ];

    fn as_str(self) -> &'static str {
        self.collector().as_str()
    }

    fn index(self) -> usize {
        self as usize
    }
}

impl Table {
    /// Returns the collector that reads the list.
    pub(super) fn collector(self) -> CollectorId {
        match self {
            Self::Jobs => CollectorId::Jobs,
            Self::Allocations => CollectorId::Allocations,
            Self::FinishedJobs => CollectorId::FinishedJobs,
            Self::FinishedAllocations => CollectorId::FinishedAllocations,
            Self::TaskStates => CollectorId::TaskStates,
            Self::Evaluations => CollectorId::Evaluations,
        }
    }

    /// Returns whether a change should be shown without waiting for the next interval.
    pub(super) fn is_urgent(self) -> bool {
        matches!(self, Self::Jobs | Self::Allocations)
    }

    /// Returns whether its lists cost the servers more than the events do. Those of evaluations are selected by an index.
    pub(super) fn is_expensive(self) -> bool {
        self != Self::Evaluations
    }

    /// Returns whether the list contains objects that Nomad retains until garbage collection, which has no events.
    pub(in crate::collect) fn is_history(self) -> bool {
        matches!(self, Self::FinishedJobs | Self::FinishedAllocations | Self::TaskStates)
    }
}
