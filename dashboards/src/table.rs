//! Tables with a row per label set and a column per query.

use serde_json::{Map, Value, json};

use crate::panel::{Panel, QueryKind, Words, state_mappings};
use crate::promql::{NODE_KEY, largest};

/// Labels of a job, with their titles.
pub(crate) const JOB_LABELS: [(&str, &str); 4] =
    [("cluster", "Cluster"), ("region", "Region"), ("namespace", "Namespace"), ("job_id", "Job")];

/// A column with the values of a query.
pub(crate) struct Column {
    name: &'static str,
    query: String,
    properties: Vec<(&'static str, Value)>,
}

impl Column {
    /// Creates a column with hidden values, for a query that only adds labels.
    pub(crate) fn hidden(query: impl Into<String>) -> Self {
        Self { name: "", query: query.into(), properties: Vec::new() }
    }

    pub(crate) fn new(name: &'static str, unit: &str, query: impl Into<String>) -> Self {
        Self { name, query: query.into(), properties: vec![("unit", json!(unit)), ("noValue", json!("–"))] }
    }

    /// Sets the number of decimals.
    pub(crate) fn decimals(mut self, decimals: u8) -> Self {
        self.properties.push(("decimals", json!(decimals)));
        self
    }

    /// A ratio as a bar.
    pub(crate) fn bar(name: &'static str, query: impl Into<String>) -> Self {
        let gauge = json!({"type": "gauge", "mode": "basic", "valueDisplayMode": "text"});
        let steps = json!([{"color": "green", "value": null}, {"color": "yellow", "value": 0.8}, {"color": "red", "value": 0.95}]);
        let mut column = Self::new(name, "percentunit", query);
        column.properties.extend([
            ("custom.cellOptions", gauge),
            ("min", json!(0)),
            ("max", json!(1)),
            ("thresholds", json!({"mode": "absolute", "steps": steps})),
        ]);
        column
    }

    /// Creates a column with a word for 0 or 1.
    pub(crate) fn words(name: &'static str, words: Words, query: impl Into<String>) -> Self {
        let mut column = Self::new(name, "none", query);
        column.properties.extend([("mappings", words.mappings()), colored()]);
        column
    }
}

fn colored() -> (&'static str, Value) {
    ("custom.cellOptions", json!({"type": "color-text"}))
}

/// Creates a table with these labels, named or hidden by an empty name, and columns. `empty` is shown if no query has a
/// result. A column named State has the colors of states.
pub(crate) fn table(
    title: &str,
    description: &str,
    empty: &str,
    labels: &[(&str, &str)],
    columns: &[Column],
) -> Panel {
    let mut names = Map::new();
    let mut order = Map::new();
    let mut hidden = Map::from_iter([("Time".to_owned(), json!(true))]);
    let mut place = |field: String, name: &str| {
        order.insert(field.clone(), json!(order.len()));
        if name.is_empty() {
            hidden.insert(field, json!(true))
        } else {
            names.insert(field, json!(name))
        };
    };
    for (label, name) in labels {
        place((*label).to_owned(), name);
    }
    // Grafana omits the letter of the query if only one has a result: the first one, on which the others depend.
    if let Some(first) = columns.first() {
        place("Value".to_owned(), first.name);
    }
    for (letter, column) in ('A'..='Z').zip(columns) {
        place(format!("Value #{letter}"), column.name);
    }
    let mut panel = Panel::new("table", title, description, QueryKind::Table)
        .default("unit", json!("none"))
        .default("noValue", json!(empty))
        .default("custom", json!({"align": "left", "filterable": true}))
        .options(json!({"cellHeight": "sm", "showHeader": true, "footer": {"show": false}}))
        .overridden("State", &[("mappings", state_mappings()), colored()]);
    panel.json["transformations"] = json!([
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": hidden, "indexByName": order, "renameByName": names}},
    ]);
    columns.iter().fold(panel, |panel, column| {
        let panel = panel.query(&column.query, "");
        if column.name.is_empty() { panel } else { panel.overridden(column.name, &column.properties) }
    })
}

/// Returns the table of draining and drained nodes among those that `nodes` selects.
pub(crate) fn drains(nodes: &str) -> Panel {
    // A terminated node is down.
    let leaves = r#"nomad_node_state{state=~"draining|ineligible"}"#;
    let of = |value: &str| {
        let chosen = format!("and {NODE_KEY} {leaves} and {NODE_KEY} nomad_node_info{{{nodes}}}");
        largest("node_id, node", &format!("{value} {chosen}"))
    };
    // Only if all exporters report it.
    let drained = of("nomad_node_drained").replacen("max", "min", 1);
    let words = Words { no: ("not yet", "yellow"), yes: ("yes", "green") };
    let since = "(time() - nomad_node_drain_started_timestamp_seconds)";
    let left = "(nomad_node_drain_deadline_timestamp_seconds - time())";
    let mut until = Column::new("Until deadline", "s", of(left));
    let steps = json!([{"color": "red", "value": null}, {"color": "text", "value": 0}]);
    until.properties.extend([("thresholds", json!({"mode": "absolute", "steps": steps})), colored()]);
    table(
        "Draining and drained nodes",
        "Draining nodes, and nodes whose drain is complete and whose client is still running. The deadline is absent \
         if the drain has none, and red once it has passed. A node is safe to terminate if, according to every \
         exporter, its drain is complete, it is ineligible, and it runs nothing that the drain waited for.",
        "No node is draining",
        &[("cluster", "Cluster"), ("region", "Region"), ("node", "Node"), ("node_id", "")],
        &[
            Column::words("Safe to terminate", words, drained),
            Column::new("Draining for", "s", of(since)),
            until,
            Column::new("Remaining allocations", "none", of("nomad_node_drain_remaining_allocations")),
        ],
    )
}
