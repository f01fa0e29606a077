//! Drains, their remaining allocations, and whether nodes are safe to terminate.

use std::collections::HashMap;
use std::time::SystemTime;

use super::Sections;
use super::allocations::NodeLoad;
use super::nodes::Node;
use crate::terms::{DrainStatus, NodeState};

/// Active and completed drains, by node ID.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drains {
    /// Settings of each active drain.
    pub by_node: HashMap<String, Drain>,
    /// Running tasks on each draining or drained node; nodes without an entry are unknown.
    pub running: HashMap<String, NodeTasks>,
}

/// Running tasks on a node, by task states instead of allocation statuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeTasks {
    /// Terminal allocations with a running task.
    pub lingering: u64,
    /// Number of those that belong to system jobs.
    pub lingering_system: u64,
    /// Non-terminal allocations, except system allocations that are to keep running. 0 if the older list of
    /// non-terminal allocations contains them.
    pub live: u64,
}

impl NodeTasks {
    /// Returns whether nothing runs.
    pub fn is_empty(&self) -> bool {
        self.lingering == 0 && self.live == 0
    }
}

/// Settings of an active drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// When it started.
    pub started: Option<SystemTime>,
    /// When it stops the remaining allocations; absent without a deadline.
    pub deadline: Option<SystemTime>,
    /// Whether it ignores system jobs.
    pub ignore_system_jobs: bool,
    /// The node's ModifyIndex when these settings were read. They are valid as long as it stays the same.
    pub node_modify_index: u64,
}

impl Drain {
    /// Returns the number of remaining allocations, according to the client: the servers report an allocation
    /// as stopped before it has stopped, and as failed before its last task has ended.
    fn remaining(&self, load: Option<&NodeLoad>, tasks: &NodeTasks) -> u64 {
        let (live, system) = load.map_or((0, 0), |load| (load.count(), load.system));
        match self.ignore_system_jobs {
            true => live - system + tasks.lingering - tasks.lingering_system,
            false => live + tasks.lingering,
        }
    }
}

impl Node {
    /// Returns whether there is an active or completed drain. A down node cannot be asked.
    pub fn has_drain(&self) -> bool {
        self.draining || self.is_after_drain()
    }

    /// Returns whether its drain is complete and it is still ineligible.
    fn is_after_drain(&self) -> bool {
        let complete = self.last_drain.is_some_and(|drain| drain.status == DrainStatus::Complete);
        complete && !self.eligible && self.state != NodeState::Other
    }
}

/// State of a node's drain.
#[derive(Clone, Debug)]
pub struct DrainState {
    /// The node.
    pub node: Node,
    /// Whether the node is safe to terminate: its drain is complete, it is ineligible, and no task runs on
    /// it, except those of system allocations that the drain ignores. `None` if unknown.
    ///
    /// At a forced deadline, Nomad reports a drain as complete while allocations are still stopping, and an
    /// allocation as failed while its poststop tasks run. Such a node is not drained.
    pub drained: Option<bool>,
    /// When the drain started, if known.
    pub started: Option<SystemTime>,
    /// When it stops the remaining allocations; absent without a deadline, or if unknown.
    pub deadline: Option<SystemTime>,
    /// Number of remaining allocations, if known.
    pub remaining: Option<u64>,
}

/// Returns the active and completed drains. `None` if nodes or their allocations are unknown.
pub(super) fn drain_states(sections: &Sections) -> Option<Vec<DrainState>> {
    let (nodes, loads) = (sections.nodes.as_ref()?, sections.node_loads.as_ref()?);
    let drains = sections.drains.as_deref();
    let with_drains = nodes.iter().filter(|node| node.has_drain());
    Some(with_drains.map(|node| DrainState::new(node, loads.by_node.get(&node.id), drains)).collect())
}

impl DrainState {
    fn new(node: &Node, load: Option<&NodeLoad>, drains: Option<&Drains>) -> Self {
        let terms = drains.and_then(|drains| drains.by_node.get(&node.id)).filter(|_| node.draining);
        let tasks = match node.state {
            // The machine is gone, whatever its allocations last reported.
            NodeState::Down => Some(NodeTasks::default()),
            _ => drains.and_then(|drains| drains.running.get(&node.id).copied()),
        };
        let last = node.last_drain.and_then(|drain| drain.started);
        Self {
            node: node.clone(),
            drained: match (node.draining, load.is_none_or(NodeLoad::is_all_kept)) {
                (true, _) | (false, false) => Some(false),
                (false, true) => tasks.map(|tasks| tasks.is_empty()),
            },
            started: terms.and_then(|terms| terms.started).or(last),
            deadline: terms.and_then(|terms| terms.deadline),
            remaining: tasks.map(|tasks| match terms {
                Some(terms) => terms.remaining(load, &tasks),
                None => load.map_or(0, NodeLoad::count) + tasks.lingering,
            }),
        }
    }
}
