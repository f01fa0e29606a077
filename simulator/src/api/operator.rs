//! Autopilot and the scheduler configuration.

use http::StatusCode;
use serde_json::{Value, json};

use crate::answer::{Answer, Refusal};
use crate::time::rfc3339_seconds;
use crate::version::since;

use super::{Call, Reply};

/// Raft index of the scheduler configuration, which is written once, when the first leader is elected.
const CONFIGURED_AT: u64 = 5;

impl Call<'_> {
    pub(super) fn autopilot_health(&self) -> Reply {
        let version = self.version();
        self.access.require(version, |policy| policy.operator)?;
        if version < since::RAFT_3 {
            let message = "all servers must have raft_protocol set to 3 or higher to use this endpoint";
            return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message));
        }
        let servers = &self.cluster.servers;
        // Autopilot runs on the leader, even if the request allows stale data.
        let Some(leader) = servers.leader() else {
            return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "No cluster leader"));
        };
        let healthy = servers.alive() == servers.all.len();
        let rows: Vec<Value> = servers
            .all
            .iter()
            .map(|server| {
                let leads = server.id == leader.id;
                let last_contact = match (leads, server.alive) {
                    (true, _) => "0s",
                    (false, true) => "27.3ms",
                    (false, false) => "1m4.2s",
                };
                json!({
                    "ID": server.id.to_string(),
                    "Name": format!("{}.{}", server.name, self.cluster.settings.region),
                    "Address": server.rpc_address(),
                    "SerfStatus": if server.alive { "alive" } else { "failed" },
                    "Version": version.to_string(),
                    "Leader": leads,
                    "LastContact": last_contact,
                    "LastTerm": servers.term,
                    "LastIndex": self.cluster.index,
                    "Healthy": server.alive,
                    "Voter": true,
                    "StableSince": rfc3339_seconds(server.stable_since),
                })
            })
            .collect();
        let mut health =
            json!({"Healthy": healthy, "FailureTolerance": servers.failure_tolerance(), "Servers": rows});
        if version >= since::AUTOPILOT_VOTERS {
            health["Leader"] = json!(leader.id.to_string());
            health["Voters"] = servers.all.iter().map(|server| server.id.to_string()).collect();
        }
        let status = if healthy { StatusCode::OK } else { StatusCode::TOO_MANY_REQUESTS };
        Ok(Answer { status, ..Answer::json(&health) })
    }

    pub(super) fn scheduler_configuration(&self) -> Reply {
        let version = self.version();
        self.access.require(version, |policy| policy.operator)?;
        self.check_leader()?;
        let preemption = self.cluster.settings.preemption;
        let mut config = json!({
            "SchedulerAlgorithm": "binpack",
            "MemoryOversubscriptionEnabled": self.cluster.settings.memory_oversubscription,
            "PreemptionConfig": {
                "SystemSchedulerEnabled": preemption.system,
                "BatchSchedulerEnabled": preemption.batch,
                "ServiceSchedulerEnabled": preemption.service,
            },
            "CreateIndex": CONFIGURED_AT,
            "ModifyIndex": CONFIGURED_AT,
        });
        if version >= since::SYSBATCH {
            config["PreemptionConfig"]["SysBatchSchedulerEnabled"] = json!(preemption.sysbatch);
        }
        if version >= since::PAUSE_EVAL_BROKER {
            config["PauseEvalBroker"] = json!(false);
            config["RejectJobRegistration"] = json!(false);
        }
        if version >= since::FEASIBILITY_LIMIT {
            config["NodeLimitForFeasibilityChecks"] = json!(0);
        }
        let mut answer = json!({
            "SchedulerConfig": config,
            "Index": CONFIGURED_AT,
            "KnownLeader": self.cluster.servers.leader.is_some(),
            "LastContact": 0,
        });
        if version >= since::V1_3 {
            answer["NextToken"] = json!("");
        }
        Ok(self.read(CONFIGURED_AT, &answer))
    }
}
