//! Load of nodes, counted from allocations.

use std::collections::BTreeMap;

use crate::cluster::allocation::{Allocation, ClientStatus};
use crate::cluster::node::{DrainStrategy, Node, NodeStatus};
use crate::cluster::resources::Resources;
use crate::cluster::spec::JobType;

/// State of a node: the first match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeState {
    /// It does not respond.
    Down,
    /// It does not respond, but may reconnect.
    Disconnected,
    /// It is ready and draining.
    Draining,
    /// It is ready but ineligible.
    Ineligible,
    /// It is ready and eligible.
    Active,
}

/// Load of a node.
#[derive(Clone, Debug)]
pub struct NodeLoad {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: NodeState,
    /// Allocatable resources.
    pub allocatable: Resources,
    /// Sum over its non-terminal allocations: pending, running and unknown ones.
    pub allocated: Resources,
    /// Number of these by status.
    pub live: BTreeMap<ClientStatus, usize>,
    /// Number of these that an active drain waits for.
    pub drain_remaining: Option<usize>,
    /// Number of its allocations with a running task, whatever their status. If there is one, the machine
    /// must not be terminated.
    pub running_allocations: usize,
}

impl NodeLoad {
    pub(super) fn empty(node: &Node) -> NodeLoad {
        NodeLoad {
            name: node.spec.name.clone(),
            state: state(node),
            allocatable: node.spec.allocatable(),
            allocated: Resources::default(),
            live: BTreeMap::new(),
            drain_remaining: node.drain.map(|_| 0),
            running_allocations: 0,
        }
    }

    pub(super) fn add(&mut self, allocation: &Allocation, drain: Option<DrainStrategy>) {
        self.running_allocations += usize::from(allocation.has_running_tasks());
        if allocation.client.is_terminal() {
            return;
        }
        self.allocated = self.allocated + allocation.total;
        *self.live.entry(allocation.client).or_default() += 1;
        let ignored =
            |drain: DrainStrategy| drain.ignore_system_jobs && allocation.spec.job_type == JobType::System;
        if let (Some(remaining), Some(drain)) = (&mut self.drain_remaining, drain) {
            *remaining += usize::from(!ignored(drain));
        }
    }
}

pub(super) fn state(node: &Node) -> NodeState {
    match node.status {
        NodeStatus::Down => NodeState::Down,
        NodeStatus::Disconnected => NodeState::Disconnected,
        NodeStatus::Ready if node.drain.is_some() => NodeState::Draining,
        NodeStatus::Ready if !node.eligible => NodeState::Ineligible,
        NodeStatus::Ready => NodeState::Active,
    }
}
