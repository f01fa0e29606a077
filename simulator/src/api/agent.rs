//! The agent that responds; always the first server.

use http::StatusCode;
use serde_json::{Value, json};

use crate::answer::{Answer, Refusal};
use crate::cluster::{Acl, Server};
use crate::version::{Version, since};

use super::{Call, Reply};

/// Configurations that agents of these versions and later report. They contain only defaults.
const CONFIGURATIONS: &[(Version, &str)] = &[
    (Version::new(1, 7, 0), include_str!("agent_config/2.0.json")),
    (Version::new(1, 3, 0), include_str!("agent_config/1.4.json")),
    (Version::new(0, 0, 0), include_str!("agent_config/1.1.json")),
];

impl Call<'_> {
    pub(super) fn leader(&self) -> Reply {
        self.check_leader()?;
        let address = self.cluster.servers.leader().map(Server::rpc_address);
        Ok(Answer::json(&json!(address.unwrap_or_default())))
    }

    pub(super) fn peers(&self) -> Reply {
        self.check_leader()?;
        let addresses: Vec<_> = self.cluster.servers.all.iter().map(Server::rpc_address).collect();
        Ok(Answer::json(&json!(addresses)))
    }

    pub(super) fn agent_members(&self) -> Reply {
        self.access.require(self.version(), |policy| policy.node)?;
        let members: Vec<_> = self.cluster.servers.all.iter().map(|server| self.member(server)).collect();
        let name = self.cluster.servers.all.first().map(|server| server.name.as_str());
        Ok(Answer::json(&json!({
            "Members": members,
            "ServerDC": "dc1",
            "ServerName": name,
            "ServerRegion": self.cluster.settings.region,
        })))
    }

    pub(super) fn agent_self(&self) -> Reply {
        let version = self.version();
        self.access.require(version, |policy| policy.agent)?;
        let Some(server) = self.cluster.servers.all.first() else { return Ok(Answer::no_such_path()) };
        Ok(Answer::json(&json!({
            "config": self.configuration(server),
            "member": self.member(server),
            "stats": self.statistics(server),
        })))
    }

    pub(super) fn agent_health(&self) -> Reply {
        let known = self.cluster.servers.leader.is_some() || self.is_stale();
        let message = if known { "ok" } else { "No cluster leader" };
        let health = json!({"server": {"ok": known, "message": message}});
        if known {
            return Ok(Answer::json(&health));
        }
        Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, health.to_string()))
    }

    fn member(&self, server: &Server) -> Value {
        let version = self.version();
        let mut tags = json!({
            "role": "nomad",
            "region": self.cluster.settings.region,
            "dc": "dc1",
            "build": version.to_string(),
            "raft_vsn": self.raft_protocol(),
            "id": server.id.to_string(),
            "rpc_addr": server.host,
            "port": "4647",
            "expect": self.cluster.servers.all.len().to_string(),
            "vsn": "1",
        });
        if self.cluster.servers.all.len() == 1 {
            tags["bootstrap"] = json!("1");
        }
        if version >= since::V1_3 {
            tags["revision"] = json!("");
        } else {
            tags["mvn"] = json!("1");
        }
        json!({
            "Name": format!("{}.{}", server.name, self.cluster.settings.region),
            "Addr": server.host,
            "Port": 4648,
            "Tags": tags,
            "Status": if server.alive { "alive" } else { "failed" },
            "ProtocolMin": 1, "ProtocolMax": 5, "ProtocolCur": 2,
            "DelegateMin": 2, "DelegateMax": 5, "DelegateCur": 4,
        })
    }

    fn configuration(&self, server: &Server) -> Value {
        let version = self.version();
        let text = CONFIGURATIONS.iter().find(|(since, _)| version >= *since).map(|(_, text)| *text);
        let mut config: Value = serde_json::from_str(text.unwrap_or("{}")).expect("checked in as valid JSON");
        config["Region"] = json!(self.cluster.settings.region);
        config["NodeName"] = json!(server.name);
        config["ACL"]["Enabled"] = json!(matches!(self.cluster.settings.acl, Acl::On(_)));
        config["Version"]["Version"] = json!(version.to_string());
        config
    }

    /// All values are strings, as in Nomad.
    fn statistics(&self, server: &Server) -> Value {
        let version = self.version();
        let servers = &self.cluster.servers;
        let leads = servers.leader().is_some_and(|leader| leader.id == server.id);
        let index = self.cluster.index.to_string();
        let count = servers.all.len();
        let mut stats = json!({
            "nomad": {
                "server": "true",
                "leader": leads.to_string(),
                "leader_addr": servers.leader().map(Server::rpc_address).unwrap_or_default(),
                "bootstrap": (count == 1).to_string(),
                "known_regions": "1",
            },
            "raft": {
                "state": if leads { "Leader" } else { "Follower" },
                "term": servers.term.to_string(),
                "last_log_term": servers.term.to_string(),
                "last_log_index": index, "commit_index": index, "applied_index": index,
                "num_peers": (count - 1).to_string(),
                "last_contact": "0",
                "latest_configuration": "[]",
                "fsm_pending": "0",
                "last_snapshot_index": "0", "last_snapshot_term": "0", "latest_configuration_index": "0",
                "protocol_version": self.raft_protocol(),
                "protocol_version_min": "0", "protocol_version_max": "3",
                "snapshot_version_min": "0", "snapshot_version_max": "1",
            },
            "serf": {
                "members": count.to_string(),
                "failed": (count - servers.alive()).to_string(),
                "left": "0", "health_score": "0", "encrypted": "false", "coordinate_resets": "0",
                "event_queue": "0", "event_time": "1", "intent_queue": "0", "member_time": "1",
                "query_queue": "0", "query_time": "1",
            },
            "runtime": {
                "arch": "amd64", "kernel.name": "linux", "cpu_count": "2", "max_procs": "2", "goroutines": "100",
                "version": "go1.26.8",
            },
        });
        if version >= since::V1_11 {
            stats["raft"]["logstore_backend"] = json!("boltdb");
        } else {
            stats["vault"] = json!({"token_ttl": "0s", "token_expire_time": "", "tracked_for_revoked": "0"});
            if version >= since::V1_3 {
                stats["vault"]["token_last_renewal_time"] = json!("");
                stats["vault"]["token_next_renewal_time"] = json!("");
            }
        }
        stats
    }

    pub(super) fn raft_protocol(&self) -> &'static str {
        if self.version() >= since::RAFT_3 { "3" } else { "2" }
    }
}
