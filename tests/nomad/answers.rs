//! What Nomad answers at one moment, as it is: without filters, and for each node and job what it alone says.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::api::Api;

/// Everything that the comparisons need.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    pub(crate) taken: SystemTime,
    pub(crate) jobs: Vec<Value>,
    pub(crate) nodes: Vec<Value>,
    pub(crate) allocations: Vec<Value>,
    pub(crate) evaluations: Vec<Value>,
    pub(crate) deployments: Vec<Value>,
    pub(crate) members: Vec<Value>,
    /// Each node's own answer, by node ID.
    pub(crate) node: BTreeMap<String, Value>,
    /// Host statistics, by node ID; none of clients that do not answer.
    pub(crate) hosts: BTreeMap<String, Value>,
    /// Specifications of the jobs that are not dead, and of dead services and templates, by namespace and ID.
    pub(crate) specifications: BTreeMap<(String, String), Value>,
    pub(crate) autopilot: Value,
    pub(crate) scheduler: Value,
    pub(crate) leader: Value,
}

impl Answers {
    /// Reads all of them.
    pub(crate) fn read(api: &Api) -> Self {
        let jobs = api.list("/v1/jobs?namespace=*");
        let nodes = api.list("/v1/nodes?resources=true");
        let of_nodes = |path: &dyn Fn(&str) -> String, nodes: &mut dyn Iterator<Item = &Value>| {
            let ids = nodes.map(|node| text(node, "ID"));
            ids.filter_map(|id| Some((id.to_owned(), api.try_get(&path(id)).ok()?))).collect()
        };
        let is_long_lived =
            |job: &Value| matches!(text(job, "Type"), "service" | "system") || is_template(job);
        let live = jobs.iter().filter(|job| text(job, "Status") != "dead" || is_long_lived(job));
        let specification = |job: &Value| {
            let (namespace, id) = (text(job, "Namespace"), text(job, "ID"));
            let path = format!("/v1/job/{}?namespace={namespace}", id.replace('/', "%2F"));
            Some(((namespace.to_owned(), id.to_owned()), api.try_get(&path).ok()?))
        };
        Self {
            taken: SystemTime::now(),
            specifications: live.filter_map(specification).collect(),
            node: of_nodes(&|id| format!("/v1/node/{id}"), &mut nodes.iter()),
            hosts: of_nodes(
                &|id| format!("/v1/client/stats?node_id={id}"),
                &mut nodes.iter().filter(|node| text(node, "Status") == "ready"),
            ),
            allocations: api.list("/v1/allocations?namespace=*&resources=true"),
            evaluations: api.list("/v1/evaluations?namespace=*"),
            deployments: api.list("/v1/deployments?namespace=*"),
            members: api.get("/v1/agent/members")["Members"].as_array().cloned().unwrap_or_default(),
            autopilot: api.get("/v1/operator/autopilot/health"),
            scheduler: api.get("/v1/operator/scheduler/configuration")["SchedulerConfig"].clone(),
            leader: api.get("/v1/status/leader"),
            jobs,
            nodes,
        }
    }

    /// Jobs that are work: periodic and parameterized parents are not.
    pub(crate) fn work(&self) -> impl Iterator<Item = &Value> {
        self.jobs.iter().filter(|job| !is_template(job))
    }

    /// Allocations that occupy a node.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Value> {
        self.allocations.iter().filter(|allocation| !is_terminal(allocation))
    }

    /// Those on one node.
    pub(crate) fn live_on<'a>(&'a self, node: &'a Value) -> impl Iterator<Item = &'a Value> {
        self.live().filter(move |allocation| allocation["NodeID"] == node["ID"])
    }

    /// Keeps them in a folder, for whoever looks into a difference.
    pub(crate) fn save(&self, folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        let by_name: BTreeMap<String, &Value> = self
            .specifications
            .iter()
            .map(|((namespace, id), job)| (format!("{namespace}/{id}"), job))
            .collect();
        for (name, value) in [
            ("jobs", json!(self.jobs)),
            ("nodes", json!(self.nodes)),
            ("allocations", json!(self.allocations)),
            ("evaluations", json!(self.evaluations)),
            ("deployments", json!(self.deployments)),
            ("node", json!(self.node)),
            ("client-stats", json!(self.hosts)),
            ("job", json!(by_name)),
            ("members", json!(self.members)),
            ("autopilot-health", self.autopilot.clone()),
            ("scheduler-configuration", self.scheduler.clone()),
        ] {
            let text = serde_json::to_string_pretty(&value).unwrap();
            std::fs::write(folder.join(format!("{name}.json")), text).unwrap();
        }
    }
}

/// A string; empty where there is none.
pub(crate) fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_default()
}

/// Strings of several keys.
pub(crate) fn texts(row: &Value, keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| text(row, key).to_owned()).collect()
}

/// A number; 0 where there is none.
pub(crate) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}

/// A parent that starts jobs and is none.
pub(crate) fn is_template(job: &Value) -> bool {
    text(job, "ParentID").is_empty() && (job["Periodic"] == true || job["ParameterizedJob"] == true)
}

/// Whether a client has no more to do with it, by its status.
pub(crate) fn is_terminal(allocation: &Value) -> bool {
    matches!(text(allocation, "ClientStatus"), "complete" | "failed" | "lost")
}

/// Unix seconds of a time as Go writes it; `None` for its zero.
pub(crate) fn seconds(time: &Value) -> Option<f64> {
    let time: jiff::Timestamp = time.as_str()?.parse().ok()?;
    let seconds = time.as_nanosecond() as f64 / 1e9;
    (seconds > 0.0).then_some(seconds)
}
