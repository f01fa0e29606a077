//! All files, flags, variables, commands, ports, paths, metrics and rules that deploy/ names exist.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use nomad_exporter::metrics::families;
use regex::Regex;

use crate::support::process::{exporter, run};
use crate::support::{path, read, root};

/// Variables that Nomad sets in its tasks.
const OF_TASKS: [&str; 3] = ["NOMAD_SECRETS_DIR", "NOMAD_PORT_http", "NOMAD_NAMESPACE"];
/// Ports of the exporter, Nomad, Prometheus and Alertmanager.
const PORTS: [&str; 4] = ["9441", "4646", "9090", "9093"];

/// Returns the text files below deploy/ and its documentation. Links to files that are tested elsewhere are
/// excluded.
fn files() -> Vec<PathBuf> {
    fn below(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let own = entries.filter(|path| !path.is_symlink());
        own.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).collect()
    }
    let mut files = below(&path("deploy"));
    files.push(path("docs/scaling-a-cluster.md"));
    assert!(files.len() > 30, "{files:?}");
    files
}

/// Asserts that every match of a pattern's first group satisfies a test; returns the number of matches.
fn each(pattern: &str, mut exists: impl FnMut(&str, &Path) -> bool) -> usize {
    let pattern = Regex::new(pattern).unwrap();
    let mut found = 0;
    for file in files() {
        let text = std::fs::read_to_string(&file).unwrap();
        for name in pattern.captures_iter(&text).map(|captures| captures.get(1).unwrap().as_str()) {
            assert!(exists(name, &file), "{} names {name}, which does not exist", file.display());
            found += 1;
        }
    }
    found
}

fn help(arguments: &[&str]) -> String {
    run(exporter(arguments)).1
}

#[test]
fn flags_variables_and_commands_exist() {
    // Some are read at build time.
    let build = read("build.rs");
    let (healthcheck, drain) = (help(&["healthcheck", "--help"]), help(&["drain", "--help"]));
    let all = help(&["--help"]) + &healthcheck + &drain;
    // Flags of the exporter contain a dot, except those of commands.
    let flags =
        each(r"(--(?:no-)?(?:nomad|collect|collector|metrics|web|log)\.[a-zA-Z_.-]*[a-zA-Z_])", |flag, _| {
            flag == "--no-collector.NAME"
                || all.contains(&format!("{flag} "))
                || all.contains(&format!("{flag}\n"))
        });
    let variables = each(r"\b(NOMAD_[A-Za-z_]*[A-Za-z])\b", |name, _| {
        OF_TASKS.contains(&name)
            || build.contains(&format!("={name}\""))
            || Regex::new(&format!(r"\b{name}\b")).unwrap().is_match(&all)
    });
    let commands = each(r#"nomad-exporter(?:",)? "?(check|healthcheck|metrics|[a-z]+)[`"]"#, |name, _| {
        Regex::new(&format!(r"(?m)^  {name} ")).unwrap().is_match(&all)
    });
    assert!(flags >= 1 && variables >= 15 && commands >= 2, "{flags} {variables} {commands}");
    assert!(healthcheck.contains("--ready"));
}

#[test]
fn ports_and_paths_exist() {
    let hosts = each(r"(?:[a-z]|\.\d+):(\d{4,5})\b", |port, _| PORTS.contains(&port));
    // DNS uses port 53.
    let ports =
        each(r"(?:port:|Port:|\bto +=|EXPOSE) *(\d+)", |port, _| PORTS.contains(&port) || port == "53");
    let paths = each(r"(/-/[a-z]+)", |path, _| read("src/web/routes.rs").contains(&format!("\"{path}\"")));
    assert!(hosts >= 10 && ports >= 8 && paths >= 6, "{hosts} {ports} {paths}");
}

#[test]
fn metrics_and_rules_exist() {
    let known: BTreeSet<&str> = families().map(|family| family.name).collect();
    // Also Prometheus' service discovery, and the file with the identity of a Nomad task.
    let found = each(r"(?:^|[^a-z0-9_:/-])(nomad_[a-z0-9_]*[a-z0-9])(?:[^a-z0-9_:]|$)", |name, _| {
        let family =
            ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
        known.contains(family) || ["nomad_sd_configs", "nomad_token"].contains(&name)
    });
    assert!(found > 20, "{found}");
    let rules = [
        read("alerts/nomad.rules.yml"),
        read("alerts/nomad.alerts.yml"),
        read("deploy/autoscaler/nomad-autoscaler.rules.yml"),
    ];
    let found = each(r"\b([a-z_]+:(?:nomad_[a-z_]+|autoscaler|threshold):[a-z0-9_]+)\b", |name, _| {
        rules.iter().any(|rules| rules.contains(&format!("record: {name}\n")))
    });
    assert!(found > 20, "{found}");
}

#[test]
fn files_exist() {
    let links = each(r"\]\(([^)#:]+)\)", |link, file| file.parent().unwrap().join(link).exists());
    let named = each(
        // Excludes parts of URLs.
        r"(?:^|[^A-Za-z0-9_/])((?:alerts|dashboards|deploy|docs|scripts|tests)/[A-Za-z0-9_./-]*[A-Za-z0-9_])",
        |name, file| {
            // Some paths are relative to the file's folder.
            root().join(name).exists() || file.parent().unwrap().join(name).exists()
        },
    );
    assert!(links > 20 && named > 20, "{links} {named}");
    // Symbolic links have existing targets.
    for link in ["prometheus/alertmanager.yml", "prometheus/rules", "helm/nomad-exporter/files/dashboards"] {
        assert!(path("deploy").join(link).exists(), "{link}");
    }
}
