//! Servers, their leader, and deployments.

use serde_json::Value;

use super::count;
use crate::answers::{text, texts};
use crate::comparison::{Metric, Numbers, View, metric};

const SERVER: &[&str] = &["server"];

pub(super) const METRICS: &[Metric] = &[
    metric("nomad_deployments", &["namespace", "status"], |view| {
        count(&view.answers.deployments, |row| texts(row, &["Namespace", "Status"]))
    })
    .filled(),
    metric("nomad_servers", &["state"], |view| count(&view.answers.members, |row| texts(row, &["Status"])))
        .filled(),
    metric("nomad_server_info", &["server", "address", "version", "datacenter"], |view| {
        count(&view.answers.members, |row| {
            let tags = &row["Tags"];
            [text(row, "Name"), text(row, "Addr"), text(tags, "build"), text(tags, "dc")]
                .map(str::to_owned)
                .into()
        })
    }),
    metric("nomad_server_leader", SERVER, |view| {
        // The only server is the leader.
        count(&view.answers.members, |row| texts(row, &["Name"]))
    }),
    metric("nomad_server_healthy", SERVER, |view| autopilot(view, "Healthy")),
    metric("nomad_server_voter", SERVER, |view| autopilot(view, "Voter")),
    metric("nomad_server_last_contact_seconds", SERVER, |view| {
        // The leader always has contact with itself.
        count(&view.answers.members, |row| texts(row, &["Name"])).into_keys().map(|key| (key, 0.0)).collect()
    }),
    metric("nomad_has_leader", &[], |view| one(view.answers.leader != "")),
    metric("nomad_autopilot_healthy", &[], |view| one(view.answers.autopilot["Healthy"] == true)),
    metric("nomad_autopilot_failure_tolerance", &[], |view| {
        Numbers::from([(vec![], crate::answers::number(&view.answers.autopilot["FailureTolerance"]))])
    }),
    metric("nomad_scheduler_eval_broker_paused", &[], |view| {
        one(view.answers.scheduler["PauseEvalBroker"] == true)
    }),
    metric("nomad_scheduler_job_registration_rejected", &[], |view| {
        one(view.answers.scheduler["RejectJobRegistration"] == true)
    }),
];

fn one(is_so: bool) -> Numbers {
    Numbers::from([(vec![], f64::from(is_so))])
}

fn autopilot(view: &View<'_>, key: &str) -> Numbers {
    let servers = view.answers.autopilot["Servers"].as_array().into_iter().flatten();
    servers.map(|row: &Value| (texts(row, &["Name"]), f64::from(row[key] == true))).collect()
}
