//! Operations on nodes.

use std::collections::BTreeSet;

use crate::version::since;

use super::allocation::ClientStatus;
use super::events::{Message, Object, Payload};
use super::id::NodeId;
use super::job::JobKey;
use super::node::{Node, NodeEvent, NodeSpec, NodeStatus};
use super::resources::Resources;
use super::spec::JobType;
use super::{Allocation, Cluster};

/// HTTP port of the first client. The other clients use the ports that follow.
const FIRST_HTTP_PORT: u16 = 5646;

impl Cluster {
    /// Registers a node. Creates its pool.
    pub fn register_node(&mut self, spec: NodeSpec) -> NodeId {
        self.commit();
        self.create_node_pool(&spec.node_pool);
        let id = self.rng.id();
        let index = self.write(Message::NodeRegistration, Object::Node(id));
        let mut node = Node {
            id,
            class: spec.computed_class(),
            http_port: FIRST_HTTP_PORT.saturating_add(u16::try_from(self.nodes.len()).unwrap_or_default()),
            spec,
            status: NodeStatus::Ready,
            eligible: true,
            drain: None,
            last_drain: None,
            events: Vec::new(),
            live: BTreeSet::new(),
            allocated: Resources::default(),
            registered: self.now,
            status_updated: self.now,
            create_index: index,
            modify_index: index,
            last_allocation_index: 0,
            last_missed_heartbeat_index: 0,
        };
        node.push_event(NodeEvent {
            message: "Node registered",
            subsystem: "Cluster",
            time: self.now,
            create_index: 0,
            deadline_reached: false,
        });
        self.nodes.insert(id, node);
        self.node_changed(id);
        id
    }

    /// Takes a node down. Its allocations are lost.
    pub fn node_down(&mut self, id: NodeId) {
        self.commit();
        self.lose_sight(id, NodeStatus::Down);
    }

    /// Disconnects a node. Allocations become unknown if their group tolerates that; the others are lost. If
    /// no allocation tolerates it, or if this version has no disconnected state, the node is down.
    pub fn disconnect(&mut self, id: NodeId) {
        self.commit();
        let live = self
            .nodes
            .get(&id)
            .into_iter()
            .flat_map(|node| &node.live)
            .filter_map(|id| self.allocations.get(id));
        let tolerant =
            |it: &Allocation| it.task_group().is_some_and(|group| group.max_client_disconnect.is_some());
        let waits = self.version() >= since::DISCONNECTED && live.filter(|it| !it.stop).any(tolerant);
        self.lose_sight(id, if waits { NodeStatus::Disconnected } else { NodeStatus::Down });
    }

    /// Takes a disconnected node down if no allocation waits for it any more.
    pub(super) fn give_up(&mut self, id: NodeId) {
        let Some(node) = self.nodes.get(&id).filter(|node| node.status == NodeStatus::Disconnected) else {
            return;
        };
        let mut live = node.live.iter().filter_map(|id| self.allocations.get(id));
        if !live.any(|allocation| !allocation.stop) {
            self.lose_sight(id, NodeStatus::Down);
        }
    }

    fn lose_sight(&mut self, id: NodeId, status: NodeStatus) {
        let index = self.write(Message::NodeEvent, Object::Node(id));
        let now = self.now;
        let Some(node) = self.nodes.get_mut(&id) else { return };
        node.last_missed_heartbeat_index = index;
        node.status = status;
        node.status_updated = now;
        let live: Vec<_> = node.live.iter().copied().collect();
        self.node_event(id, index, "Node heartbeat missed", "Cluster");
        // Stopping allocations are lost with it; the scheduler decides about the others.
        for allocation in live {
            if self.allocations.get(&allocation).is_some_and(|allocation| allocation.stop) {
                self.lose_allocation(allocation);
            }
        }
        self.node_changed(id);
    }

    /// Brings a node back. Unknown allocations continue, and lost ones are stopped.
    pub fn node_up(&mut self, id: NodeId) {
        self.commit();
        let index = self.write(Message::NodeEvent, Object::Node(id));
        let now = self.now;
        let Some(node) = self.nodes.get_mut(&id) else { return };
        node.status = NodeStatus::Ready;
        node.status_updated = now;
        self.node_event(id, index, "Node reregistered by heartbeat", "Cluster");
        self.reconnect(id);
        self.node_changed(id);
    }

    /// Sets the eligibility of a node. A draining node stays ineligible.
    pub fn set_eligibility(&mut self, id: NodeId, eligible: bool) {
        self.commit();
        let index = self.write(Message::NodeEligibility, Object::Node(id));
        let Some(node) = self.nodes.get_mut(&id) else { return };
        node.eligible = eligible && node.drain.is_none();
        let message = if eligible {
            "Node marked as eligible for scheduling"
        } else {
            "Node marked as ineligible for scheduling"
        };
        self.node_event(id, index, message, "Cluster");
        self.node_changed(id);
    }

    /// Purges a node. It disappears from the lists, and its allocations are lost.
    pub fn remove_node(&mut self, id: NodeId) {
        self.commit();
        let object = Object::Node(id);
        self.write(Message::NodeDeregistration, object.clone());
        if let Some(node) = self.nodes.get(&id) {
            self.journal.remove(&object, Payload::Node(Box::new(node.alone())));
        }
        self.forget_node(id);
    }

    pub(super) fn forget_node(&mut self, id: NodeId) {
        self.draining.remove(&id);
        let Some(node) = self.nodes.remove(&id) else { return };
        let allocations = node.live.iter().filter_map(|allocation| self.allocations.get(allocation));
        let affected: BTreeSet<_> = allocations.map(|allocation| allocation.job.clone()).collect();
        for allocation in node.live {
            self.lose_allocation(allocation);
        }
        for job in affected {
            self.create_evaluation(&job, "node-update", |evaluation| evaluation.node = Some((id, 0)));
        }
    }

    /// Returns the node with this name.
    pub fn node_named(&self, name: &str) -> Option<NodeId> {
        self.nodes.values().find(|node| node.spec.name == name).map(|node| node.id)
    }

    /// Evaluates all jobs that a change of this node may affect.
    pub(super) fn node_changed(&mut self, id: NodeId) {
        let Some(node) = self.nodes.get(&id) else { return };
        let modify_index = node.modify_index;
        let on_node = node.live.iter().filter_map(|allocation| self.allocations.get(allocation));
        let mut affected: BTreeSet<JobKey> = on_node.map(|allocation| allocation.job.clone()).collect();
        if node.is_schedulable() {
            let per_node = self.jobs.values().filter(|job| job.spec.job_type == JobType::System && !job.stop);
            affected.extend(per_node.map(|job| job.key.clone()));
            self.capacity_freed();
        }
        for job in affected {
            self.create_evaluation(&job, "node-update", |evaluation| {
                evaluation.node = Some((id, modify_index))
            });
        }
    }

    pub(super) fn node_event(
        &mut self,
        id: NodeId,
        index: u64,
        message: &'static str,
        subsystem: &'static str,
    ) {
        let time = self.now;
        if let Some(node) = self.nodes.get_mut(&id) {
            node.modify_index = index;
            node.push_event(NodeEvent {
                message,
                subsystem,
                time,
                create_index: index,
                deadline_reached: false,
            });
        }
    }

    /// Returns whether a node responds.
    pub(super) fn is_reachable(&self, id: NodeId) -> bool {
        self.nodes.get(&id).is_some_and(Node::is_ready)
    }

    /// Continues the unknown allocations of a node that responds again, and stops its lost ones.
    fn reconnect(&mut self, id: NodeId) {
        let there = self.allocations.values().filter(|it| it.node == id);
        let unfinished = there.filter(|it| it.tasks.iter().any(|task| !task.is_dead()));
        for (allocation, client) in unfinished.map(|it| (it.id, it.client)).collect::<Vec<_>>() {
            if client == ClientStatus::Lost {
                self.kill(allocation);
            } else {
                self.resume(allocation);
            }
        }
    }
}
