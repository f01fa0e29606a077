//! A dashboard with its variables, links and panel positions.

use serde_json::{Value, json};

use crate::panel::Panel;

const RUNBOOKS: &str = "https://github.com/nomad-exporter/nomad-exporter/tree/main/alerts/runbooks";
const COLUMNS: u64 = 24;

/// A variable in addition to datasource, cluster and region.
#[derive(Clone, Copy)]
pub(crate) enum Variable {
    Namespace,
    NodePool,
    Node,
    /// A long-lived job.
    Job,
    /// An exporter.
    Instance,
}

/// A dashboard under construction.
pub(crate) struct Board {
    json: Value,
    panels: Vec<Value>,
    y: u64,
}

impl Board {
    pub(crate) fn new(uid: &str, title: &str, description: &str, variables: &[Variable]) -> Self {
        let mut list = vec![
            json!({
                "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
                "description": "The Prometheus that scrapes nomad-exporter.",
                "current": {}, "options": [], "regex": "", "refresh": 1, "hide": 0, "multi": false, "includeAll": false,
            }),
            query_variable(
                "cluster",
                "The label of the exporters' targets that names the cluster; empty if they have none.",
                "label_values(nomad_exporter_collector_up, cluster)",
            ),
            query_variable(
                "region",
                "The label of the exporters' targets that names Nomad's region; empty if they have none.",
                r#"label_values(nomad_exporter_collector_up{cluster=~"$cluster"}, region)"#,
            ),
        ];
        list.extend(variables.iter().map(|variable| variable.json()));
        let json = json!({
            "uid": uid, "title": title, "description": description, "id": null, "version": 1, "schemaVersion": 39,
            "tags": ["nomad", "nomad-exporter"], "editable": false, "graphTooltip": 1, "timezone": "",
            "time": {"from": "now-3h", "to": "now"}, "refresh": "30s", "timepicker": {}, "weekStart": "",
            "fiscalYearStartMonth": 0, "annotations": {"list": []}, "templating": {"list": list},
            "links": [
                link(json!({"type": "dashboards", "title": "Nomad", "tags": ["nomad-exporter"], "includeVars": true, "keepTime": true})),
                link(json!({"type": "link", "title": "Runbooks", "url": RUNBOOKS, "icon": "doc", "targetBlank": true})),
            ],
        });
        Self { json, panels: Vec::new(), y: 0 }
    }

    /// Adds a row with a title, and its panels from left to right and then below.
    pub(crate) fn row(mut self, title: &str, panels: impl IntoIterator<Item = Panel>) -> Self {
        let heading = json!({"type": "row", "title": title, "collapsed": false, "panels": []});
        self.place(heading, 0, COLUMNS, 1);
        self.y += 1;
        let (mut x, mut height) = (0, 0);
        for panel in panels {
            if x + panel.width > COLUMNS {
                self.y += height;
                (x, height) = (0, 0);
            }
            self.place(panel.json, x, panel.width, panel.height);
            x += panel.width;
            height = height.max(panel.height);
        }
        self.y += height;
        self
    }

    fn place(&mut self, mut panel: Value, x: u64, width: u64, height: u64) {
        panel["id"] = json!(self.panels.len() + 1);
        panel["gridPos"] = json!({"x": x, "y": self.y, "w": width, "h": height});
        self.panels.push(panel);
    }

    pub(crate) fn build(mut self) -> Value {
        self.json["panels"] = json!(self.panels);
        self.json
    }
}

impl Variable {
    fn json(self) -> Value {
        let scope = r#"cluster=~"$cluster", region=~"$region""#;
        match self {
            Self::Namespace => query_variable(
                "namespace",
                "Nomad's namespaces. Nodes have no namespace.",
                &format!("label_values(nomad_queued_allocations{{{scope}}}, namespace)"),
            ),
            Self::NodePool => query_variable(
                "node_pool",
                "Node pools, including those without nodes.",
                &format!("label_values(nomad_queued_allocations{{{scope}}}, node_pool)"),
            ),
            Self::Node => chosen(query_variable(
                "node",
                "Nodes to show over time, by name. The default is the first node of the selected pools.",
                &format!(r#"label_values(nomad_node_info{{{scope}, node_pool=~"$node_pool"}}, node)"#),
            )),
            Self::Job => chosen(query_variable(
                "job",
                "Long-lived jobs to show over time. The default is the first job of the selected namespaces.",
                &format!(r#"label_values(nomad_job_info{{{scope}, namespace=~"$namespace"}}, job_id)"#),
            )),
            Self::Instance => query_variable(
                "instance",
                "The exporters. Several that watch one region are replicas.",
                &format!("label_values(nomad_exporter_collector_up{{{scope}}}, instance)"),
            ),
        }
    }
}

/// Returns a variable whose default is All, which matches any value. It is not a list of all values, because that would
/// be a query of 180 kB for 10,000 nodes. All also matches targets without the label.
fn query_variable(name: &str, description: &str, query: &str) -> Value {
    let label = name.replace('_', " ");
    let label = label
        .chars()
        .take(1)
        .map(|c| c.to_ascii_uppercase())
        .chain(label.chars().skip(1))
        .collect::<String>();
    json!({
        "name": name, "label": label, "description": description, "type": "query",
        "datasource": {"type": "prometheus", "uid": "${datasource}"}, "definition": query,
        "query": {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "multi": true, "includeAll": true, "allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]},
        "options": [], "regex": "", "refresh": 2, "sort": 1, "hide": 0, "skipUrlSync": false,
    })
}

/// Changes a variable to have no All; its default is the first value.
fn chosen(mut variable: Value) -> Value {
    variable["includeAll"] = json!(false);
    variable["current"] = json!({});
    if let Value::Object(fields) = &mut variable {
        fields.remove("allValue");
    }
    variable
}

fn link(mut link: Value) -> Value {
    for (name, value) in
        [("asDropdown", false), ("includeVars", false), ("keepTime", false), ("targetBlank", false)]
    {
        if link[name].is_null() {
            link[name] = json!(value);
        }
    }
    link
}
