//! Drains: what they wait for, and when a node is safe to terminate.

use std::collections::HashMap;
use std::time::SystemTime;

use super::Sections;
use super::allocations::{LiveAllocations, NodeLoad};
use super::nodes::Node;
use crate::terms::{DrainStatus, NodeState};

/// The terms of the drains that go on, by node ID.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drains {
    /// One for each draining node.
    pub by_node: HashMap<String, Drain>,
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
    /// an allocation stopped before it has stopped.
    pub fn remaining(&self, load: Option<&NodeLoad>) -> u64 {
        let Some(load) = load else { return 0 };
        if self.ignore_system_jobs { load.count() - load.system } else { load.count() }
    }
}

impl Node {
    /// Whether the node may be terminated: its drain is complete, it takes no work, and nothing lives on it but
    /// system allocations that the drain was told to leave. `None` where no drain is on or behind it.
    ///
    /// At a forced deadline Nomad calls a drain complete while allocations still stop; such a node is not drained.
    pub fn is_drained(&self, allocations: &LiveAllocations) -> Option<bool> {
        if self.draining {
            return Some(false);
        }
        let complete = self.last_drain.is_some_and(|drain| drain.status == DrainStatus::Complete);
        if !complete || self.eligible || self.state == NodeState::Other {
            return None;
        }
        let load = allocations.by_node.get(&self.id);
        Some(load.is_none_or(|load| load.count() == load.system_kept))
    }
}

/// How the drain of one node stands.
#[derive(Clone, Debug)]
pub struct DrainState {
    /// The node.
    pub node: Node,
    /// Whether it may be terminated.
    pub drained: bool,
    /// When the drain began, where that is known.
    pub started: Option<SystemTime>,
    /// When it stops whatever is left; absent where it waits without limit or that is not known.
    pub deadline: Option<SystemTime>,
    /// How many allocations it waits for.
    pub remaining: u64,
}

/// Drains that go on or are over. `None` while nodes or allocations are not known.
pub(super) fn drain_states(sections: &Sections) -> Option<Vec<DrainState>> {
    let (nodes, allocations) = (sections.nodes.as_ref()?, sections.allocations.as_ref()?);
    let terms = |node: &Node| sections.drains.as_ref()?.by_node.get(&node.id).copied();
    let state = |node: &Node| {
        let drained = node.is_drained(allocations)?;
        Some(DrainState::new(node, terms(node), drained, allocations.by_node.get(&node.id)))
    };
    Some(nodes.iter().filter_map(state).collect())
}

impl DrainState {
    fn new(node: &Node, terms: Option<Drain>, drained: bool, load: Option<&NodeLoad>) -> Self {
        let terms = terms.filter(|_| node.draining);
        let last = node.last_drain.and_then(|drain| drain.started);
        let remaining = match terms {
            Some(terms) => terms.remaining(load),
            None => load.map_or(0, NodeLoad::count),
        };
        Self {
            node: node.clone(),
            drained,
            started: terms.and_then(|terms| terms.started).or(last),
            deadline: terms.and_then(|terms| terms.deadline),
            remaining,
        }
    }
}
