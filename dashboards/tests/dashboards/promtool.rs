//! Validation of queries by promtool.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// Fails unless promtool accepts these named queries as recording rules.
pub(crate) fn check(queries: &[(String, String)]) {
    let rules: Vec<Value> = queries.iter().enumerate().map(|(number, query)| rule(number, query)).collect();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboards.rules.json");
    fs::write(&file, json!({"groups": [{"name": "dashboards", "rules": rules}]}).to_string()).unwrap();
    let output = Command::new("promtool").args(["check", "rules"]).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains(&format!("{} rules found", queries.len())), "{said}");
}

fn rule(number: usize, (name, query): &(String, String)) -> Value {
    let query = filled(query, ".+", ".+");
    assert!(!query.contains('$'), "{name}: unknown variable in {query}");
    json!({"record": format!("dashboards:query:{number}"), "expr": query, "labels": {"panel": name}})
}

/// Returns a panel's query with Grafana's variables replaced: these clusters and regions, and any value of the others.
pub(crate) fn filled(query: &str, cluster: &str, region: &str) -> String {
    let query = query.replace("$__rate_interval", "4m");
    let query = query
        .replace("\"$cluster\"", &format!("\"{cluster}\""))
        .replace("\"$region\"", &format!("\"{region}\""));
    ["instance", "namespace", "node_pool", "node", "job"]
        .iter()
        .fold(query, |query, variable| query.replace(&format!("\"${variable}\""), "\".*\""))
}
