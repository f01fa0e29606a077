//! The servers and their leader.

use std::time::{Duration, SystemTime};

use super::id::{Id, Rng};
use super::{Acl, Cluster};

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) host: String,
    pub(crate) alive: bool,
    pub(crate) stable_since: SystemTime,
}

impl Server {
    /// Returns the address for Raft and RPC.
    pub(crate) fn rpc_address(&self) -> String {
        format!("{}:4647", self.host)
    }
}

#[derive(Debug)]
pub(crate) struct Servers {
    pub(crate) all: Vec<Server>,
    pub(crate) leader: Option<usize>,
    pub(crate) term: u64,
    /// Time of the last contact with a leader.
    pub(crate) last_contact: SystemTime,
}

impl Servers {
    pub(super) fn new(count: usize, now: SystemTime, rng: &mut Rng) -> Servers {
        let server = |number: usize| Server {
            id: rng.id(),
            name: format!("server-{number}"),
            host: format!("10.0.0.{number}"),
            alive: true,
            stable_since: now,
        };
        let all: Vec<_> = (1..=count.max(1)).map(server).collect();
        Servers { all, leader: Some(0), term: 2, last_contact: now }
    }

    pub(crate) fn leader(&self) -> Option<&Server> {
        self.leader.and_then(|leader| self.all.get(leader))
    }

    pub(crate) fn alive(&self) -> usize {
        self.all.iter().filter(|server| server.alive).count()
    }

    /// Returns how many more servers may fail before quorum is lost.
    pub(crate) fn failure_tolerance(&self) -> usize {
        let majority = self.all.len() / 2 + 1;
        self.alive().saturating_sub(majority)
    }

    /// Elects the next alive server, if a majority is alive.
    fn elect(&mut self) {
        let majority = self.alive() > self.all.len() / 2;
        let after = self.leader.map_or(0, |leader| leader + 1);
        let mut candidates = (0..self.all.len()).map(|step| (after + step) % self.all.len());
        self.leader = candidates.find(|candidate| majority && self.all[*candidate].alive);
        self.term += 1;
    }
}

impl Cluster {
    /// Makes another server the leader.
    pub fn change_leader(&mut self) {
        self.servers.elect();
    }

    /// Removes the leader. Until [`Cluster::elect_leader`] is called, nothing is scheduled or written.
    pub fn lose_leader(&mut self) {
        self.servers.last_contact = self.now;
        self.servers.leader = None;
    }

    /// Elects a leader.
    pub fn elect_leader(&mut self) {
        if self.servers.leader.is_none() {
            self.servers.elect();
        }
    }

    /// Makes the server with this index fail. If it was the leader, another one is elected, provided that a
    /// majority is alive.
    pub fn fail_server(&mut self, number: usize) {
        let now = self.now;
        let Some(server) = self.servers.all.get_mut(number) else { return };
        server.alive = false;
        server.stable_since = now;
        let majority = self.servers.alive() > self.servers.all.len() / 2;
        if self.servers.leader == Some(number) || !majority {
            self.servers.last_contact = now;
            self.servers.elect();
        }
    }

    /// Brings the server with this index back.
    pub fn recover_server(&mut self, number: usize) {
        let now = self.now;
        let Some(server) = self.servers.all.get_mut(number) else { return };
        server.alive = true;
        server.stable_since = now;
        self.elect_leader();
    }

    /// Replaces the tokens and policies.
    pub fn change_acl(&mut self, acl: Acl) {
        self.settings.acl = acl;
    }

    /// Returns the time since the last contact with a leader.
    pub(crate) fn last_contact(&self) -> Duration {
        if self.servers.leader.is_some() {
            return Duration::ZERO;
        }
        self.now.duration_since(self.servers.last_contact).unwrap_or_default()
    }
}
