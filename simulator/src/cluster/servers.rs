//! The servers and who leads them.

use std::time::{Duration, SystemTime};

use super::Cluster;
use super::id::{Id, Rng};

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) host: String,
    pub(crate) alive: bool,
    pub(crate) stable_since: SystemTime,
}

impl Server {
    /// Where it speaks Raft and RPC.
    pub(crate) fn rpc_address(&self) -> String {
        format!("{}:4647", self.host)
    }
}

#[derive(Debug)]
pub(crate) struct Servers {
    pub(crate) all: Vec<Server>,
    pub(crate) leader: Option<usize>,
    pub(crate) term: u64,
    /// When the last leader was heard.
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

    /// How many more servers may fail before there is no majority.
    pub(crate) fn failure_tolerance(&self) -> usize {
        let majority = self.all.len() / 2 + 1;
        self.alive().saturating_sub(majority)
    }

    /// The next server that is alive leads, if they are a majority.
    fn elect(&mut self) {
        let majority = self.alive() > self.all.len() / 2;
        let after = self.leader.map_or(0, |leader| leader + 1);
        let mut candidates = (0..self.all.len()).map(|step| (after + step) % self.all.len());
        self.leader = candidates.find(|candidate| majority && self.all[*candidate].alive);
        self.term += 1;
    }
}

impl Cluster {
    /// Another server takes the lead.
    pub fn change_leader(&mut self) {
        self.servers.elect();
    }

    /// Nobody leads until [`Cluster::elect_leader`]: nothing is scheduled and nothing is written meanwhile.
    pub fn lose_leader(&mut self) {
        self.servers.last_contact = self.now;
        self.servers.leader = None;
    }

    /// Ends a time without a leader.
    pub fn elect_leader(&mut self) {
        if self.servers.leader.is_none() {
            self.servers.elect();
        }
    }

    /// The server of this number, from 0, fails. If it led, another one does, if a majority is left.
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

    /// The server of this number, from 0, is back.
    pub fn recover_server(&mut self, number: usize) {
        let now = self.now;
        let Some(server) = self.servers.all.get_mut(number) else { return };
        server.alive = true;
        server.stable_since = now;
        self.elect_leader();
    }

    /// How long ago the servers last heard from a leader.
    pub(crate) fn last_contact(&self) -> Duration {
        if self.servers.leader.is_some() {
            return Duration::ZERO;
        }
        self.now.duration_since(self.servers.last_contact).unwrap_or_default()
    }
}
