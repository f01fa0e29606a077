//! Prometheus's own opinion of queries.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// Set by `make test`, which installs the programs: then a missing one is an error.
const REQUIRED: &str = "NOMAD_EXPORTER_TEST_TOOLS";

/// promtool, if it is on the PATH. If it is not, says what is skipped, or fails if `make test` runs.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn find() -> Option<Command> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|folder| folder.join("promtool")).find(|file| file.is_file());
    if found.is_none() {
        assert!(env::var_os(REQUIRED).is_none(), "promtool is not on the PATH");
        eprintln!("skipped: promtool is not on the PATH (`make test` makes it available)");
    }
    found.map(Command::new)
}

/// Fails unless promtool takes these queries, which have names, as recording rules.
pub(crate) fn check(queries: &[(String, String)]) {
    let Some(mut promtool) = find() else { return };
    let rules: Vec<Value> = queries.iter().enumerate().map(|(number, query)| rule(number, query)).collect();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboards.rules.json");
    fs::write(&file, json!({"groups": [{"name": "dashboards", "rules": rules}]}).to_string()).unwrap();
    let output = promtool.args(["check", "rules"]).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains(&format!("{} rules found", queries.len())), "{said}");
}

fn rule(number: usize, (name, query): &(String, String)) -> Value {
    let query = filled(query, ".+", ".+");
    assert!(!query.contains('$'), "{name}: what is the variable in {query}?");
    json!({"record": format!("dashboards:query:{number}"), "expr": query, "labels": {"panel": name}})
}

/// A query of a panel, with Grafana's variables filled in: any value, but for these clusters and regions.
pub(crate) fn filled(query: &str, cluster: &str, region: &str) -> String {
    let query = query.replace("$__rate_interval", "4m");
    let query = query
        .replace("\"$cluster\"", &format!("\"{cluster}\""))
        .replace("\"$region\"", &format!("\"{region}\""));
    ["instance", "namespace", "node_pool", "node"]
        .iter()
        .fold(query, |query, variable| query.replace(&format!("\"${variable}\""), "\".*\""))
}
