//! Drains: what they wait for, and when a node is safe to terminate.

use std::collections::HashMap;
use std::time::SystemTime;

use super::Sections;
use super::allocations::NodeLoad;
use super::nodes::Node;
use crate::terms::{DrainStatus, NodeState};

/// Drains that go on or are over, by node ID.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drains {
    /// The terms of each draining node.
    pub by_node: HashMap<String, Drain>,
    /// What still runs on each node that drains or is drained; a node of which it is not known is not in it.
    pub running: HashMap<String, NodeTasks>,
}

/// What still runs on a node, told by the states of tasks and not by the statuses of allocations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeTasks {
    /// Allocations that are over by their status while a task of them runs.
    pub lingering: u64,
    /// How many of those belong to system jobs.
    pub lingering_system: u64,
    /// Allocations that are not over, but for system allocations that the servers want to go on. 0 if the list of live
    /// allocations, which is older, tells of them.
    pub live: u64,
}

impl NodeTasks {
    /// Whether nothing runs.
    pub fn is_empty(&self) -> bool {
        self.lingering == 0 && self.live == 0
    }
}

/// The terms of one drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// When it began.
    pub started: Option<SystemTime>,
    /// When it stops whatever is left; absent where it waits without limit.
    pub deadline: Option<SystemTime>,
    /// Whether system jobs stay.
    pub ignore_system_jobs: bool,
    /// The node's ModifyIndex when these terms were read: while it stands, so do they.
    pub node_modify_index: u64,
}

impl Drain {
    /// How many allocations the drain still waits for. They are counted by what the client says: the servers call
    /// an allocation stopped before it has stopped, and failed before its last task has.
    fn remaining(&self, load: Option<&NodeLoad>, tasks: &NodeTasks) -> u64 {
        let (live, system) = load.map_or((0, 0), |load| (load.count(), load.system));
        match self.ignore_system_jobs {
            true => live - system + tasks.lingering - tasks.lingering_system,
            false => live + tasks.lingering,
        }
    }
}

impl Node {
    /// Whether a drain goes on or is behind it. Of a node that is down nothing can be asked.
    pub fn has_drain(&self) -> bool {
        self.draining || self.is_after_drain()
    }

    /// Whether its drain is complete and it takes no work.
    fn is_after_drain(&self) -> bool {
        let complete = self.last_drain.is_some_and(|drain| drain.status == DrainStatus::Complete);
        complete && !self.eligible && self.state != NodeState::Other
    }
}

/// How the drain of one node stands.
#[derive(Clone, Debug)]
pub struct DrainState {
    /// The node.
    pub node: Node,
    /// Whether it is safe to terminate: its drain is complete, it takes no work, and no task runs on it but those of
    /// system allocations that the drain was told to leave. `None` if it is not known what runs.
    ///
    /// At a forced deadline Nomad calls a drain complete while allocations still stop, and it calls an allocation failed
    /// while its poststop tasks run; such a node is not drained.
    pub drained: Option<bool>,
    /// When the drain began, where that is known.
    pub started: Option<SystemTime>,
    /// When it stops whatever is left; absent where it waits without limit or that is not known.
    pub deadline: Option<SystemTime>,
    /// How many allocations it waits for; absent if it is not known what runs.
    pub remaining: Option<u64>,
}

/// Drains that go on or are over. `None` while nodes, or what runs on them, are unknown.
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
            // Its machine is gone, and with it whatever its allocations last said.
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
