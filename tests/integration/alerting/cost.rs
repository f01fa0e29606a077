//! Cost of rules and dashboards in a large cluster, and the number of lines in panels, measured with a real
//! Prometheus that scrapes two replicas of an exporter. `BENCH_SIZE=L` uses 10,000 nodes, and prints the
//! tables of docs/performance.md.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nomad_simulator::{Load, Simulator, Size};
use regex::{Captures, Regex};

use super::RULES;
use super::dashboards::{Query, queries};
use crate::support::collect::Collector;
use crate::support::process::wait_until;
use crate::support::prometheus::Prometheus;
use crate::support::{path, tools};

/// Number of runs of each query. The minimum counts, because Prometheus also scrapes and collects garbage.
const TIMES: usize = 3;
/// Points of a range query.
const POINTS: u32 = 20;
/// Maximum number of lines in a panel, whatever the size of the cluster. The table of the fullest nodes has
/// the most.
const DRAWN: usize = 120;
/// Timeout of all waits.
const PATIENCE: Duration = Duration::from_secs(600);

/// Returns the exposition for a cluster of which every tenth client was drained and terminated.
async fn exposition(size: Size) -> String {
    let simulator = Simulator::start(Load::new(size, 1).into()).await.unwrap();
    // History adds few series but takes most of the time.
    let off = ["--no-collector.finished_jobs", "--no-collector.finished_allocations"];
    let collector = Collector::new(&simulator.url(), &off);
    collector.refresh().await;
    let text = collector.text();
    let tenth = Regex::new(r#"nomad_node_state\{(.*0",node=.*),state="active"\} 1"#).unwrap();
    let drained = |found: &Captures<'_>| {
        format!("nomad_node_state{{{0},state=\"down\"}} 1\nnomad_node_drained{{{0}}} 1", &found[1])
    };
    let shown = tenth.replace_all(&text, drained).into_owned();
    assert_ne!(shown, text, "no node was drained");
    shown
}

/// Serves this text until the test ends; returns the address.
fn serve(text: Arc<str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            let mut read = 0;
            while !request[..read].ends_with(b"\r\n\r\n") {
                match connection.read(&mut request[read..]) {
                    Ok(count @ 1..) => read += count,
                    _ => break,
                }
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n",
                text.len()
            );
            // A client that disconnects tries again.
            drop(connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(text.as_bytes())));
        }
    });
    address
}

/// Cost of a query.
struct Cost {
    query: Query,
    lines: usize,
    /// Samples that an instant query reads; the number of series, unless it has a range.
    samples: f64,
    now_ms: f64,
    /// Time of a range query, if the panel is one.
    range_ms: Option<f64>,
}

fn cost(prometheus: &Prometheus, query: Query, interval: u32) -> Cost {
    let cheapest = |endpoint: &str, parameters: &[(&str, &str)]| {
        let timed = |_| {
            let before = prometheus.cpu_seconds();
            let answer = prometheus.get(endpoint, parameters);
            ((prometheus.cpu_seconds() - before) * 1e3, answer)
        };
        (0..TIMES).map(timed).min_by(|one, other| one.0.total_cmp(&other.0)).unwrap()
    };
    let asked = [("query", query.expr.as_str()), ("stats", "all")];
    let (now_ms, answer) = cheapest("query", &asked);
    let range_ms = query.is_range.then(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let start = (now - u64::from(POINTS * interval)).to_string();
        let range = [("start", &*start), ("end", &now.to_string()), ("step", &interval.to_string())];
        cheapest("query_range", &[&asked[..], &range].concat()).0
    });
    Cost {
        lines: answer["result"].as_array().unwrap().len(),
        samples: answer["stats"]["samples"]["totalQueryableSamples"].as_f64().unwrap(),
        now_ms,
        range_ms,
        query,
    }
}

/// Returns the cost of one evaluation of each rule group in milliseconds: the sum of its queries.
fn groups(prometheus: &Prometheus, interval: u32) -> BTreeMap<String, f64> {
    let rules = prometheus.get("rules", &[]);
    let groups = rules["groups"].as_array().unwrap().iter().map(|group| {
        let name = group["name"].as_str().unwrap().to_owned();
        let costs = group["rules"].as_array().unwrap().iter().map(|rule| {
            let expr = rule["query"].as_str().unwrap().to_owned();
            let query = Query { panel: name.clone(), is_range: false, kind: "rule".to_owned(), expr };
            cost(prometheus, query, interval).now_ms
        });
        let sum = costs.sum();
        (name, sum)
    });
    groups.collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Prometheus: make check-prometheus"]
async fn panels_of_a_large_cluster_have_no_line_per_node() {
    let program = tools::find("prometheus");
    let size: Size = std::env::var("BENCH_SIZE").map_or(Size::M, |size| size.parse().unwrap());
    // A long interval, so that rule evaluations do not disturb the measurement.
    let interval: u32 = if size == Size::M { 2 } else { 60 };
    let text: Arc<str> = exposition(size).await.into();
    tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let rules = [RULES[0], RULES[1], "deploy/autoscaler/nomad-autoscaler.rules.yml"];
        let rules = rules.map(|file| format!("'{}'", path(file).display())).join(", ");
        let targets = format!("'{}', '{}'", serve(text.clone()), serve(text));
        let config = format!(
            "global: {{scrape_interval: {interval}s, scrape_timeout: {interval}s, evaluation_interval: {interval}s}}\n\
             rule_files: [{rules}]\nscrape_configs:\n  - job_name: nomad-exporter\n    honor_labels: true\n    \
             static_configs: [{{targets: [{targets}], labels: {{cluster: one, region: eu}}}}]\n"
        );
        let prometheus = Prometheus::start(&program, folder.path(), &config);
        let active = format!("pool:nomad_nodes_active:sum > 0 and on () count(nomad_node_info) == {}", 2 * size.nodes());
        wait_until(PATIENCE, "both exporters to be scraped", || prometheus.value(&active).is_some());
        // Rules read what other rules recorded in the previous evaluation.
        let last = "node:nomad_node_drain_remaining_allocations:max or pool:nomad_node_free_cpu_hertz:max";
        wait_until(PATIENCE, "every group to be evaluated", || prometheus.value(last).is_some());
        let groups = groups(&prometheus, interval);
        let node = prometheus.query("topk(1, nomad_node_info)").unwrap()[0]["metric"]["node"].as_str().unwrap().to_owned();
        // All jobs of the load are builds, so panels of selected services send their queries but stay empty.
        let queries = queries(&node, "service", &format!("{}s", 4 * interval));
        let costs: Vec<Cost> =
            queries.into_iter().map(|query| cost(&prometheus, query, interval)).collect();
        tell(size, &groups, &costs, prometheus.value("count({__name__=~\".+\"})").unwrap());
        for cost in &costs {
            assert!(cost.lines <= DRAWN, "{} draws {} lines: {}", cost.query.panel, cost.lines, cost.query.expr);
        }
    })
    .await
    .unwrap();
}

/// Prints the tables of docs/performance.md.
fn tell(size: Size, groups: &BTreeMap<String, f64>, costs: &[Cost], series: f64) {
    eprintln!("{} nodes, two replicas, {series} series in Prometheus\n", size.nodes());
    eprintln!("| rule group | CPU ms per evaluation |\n|---|---:|");
    groups.iter().for_each(|(name, took)| eprintln!("| {name} | {took:.0} |"));
    eprintln!(
        "\n| dashboard | queries | samples read, instant | all instant queries, CPU ms | range queries, {POINTS} points, CPU ms |"
    );
    eprintln!("|---|---:|---:|---:|---:|");
    let dashboard = |cost: &Cost| cost.query.panel.split(':').next().unwrap_or_default().to_owned();
    let names: BTreeSet<String> = costs.iter().map(dashboard).collect();
    for name in names {
        let of: Vec<_> = costs.iter().filter(|cost| dashboard(cost) == name).collect();
        let sum = |value: &dyn Fn(&Cost) -> f64| of.iter().map(|cost| value(cost)).sum::<f64>();
        eprintln!(
            "| {name} | {} | {:.0} | {:.0} | {:.0} |",
            of.len(),
            sum(&|cost| cost.samples),
            sum(&|cost| cost.now_ms),
            sum(&|cost| cost.range_ms.unwrap_or_default())
        );
    }
    eprintln!(
        "\n| most expensive panels | type | lines | samples read | instant, CPU ms | {POINTS} points, CPU ms |"
    );
    eprintln!("|---|---|---:|---:|---:|---:|");
    let mut panels: BTreeMap<&str, Vec<&Cost>> = BTreeMap::new();
    costs.iter().for_each(|cost| panels.entry(&cost.query.panel).or_default().push(cost));
    let mut panels: Vec<_> = panels.into_iter().collect();
    let sum = |of: &[&Cost], value: fn(&Cost) -> f64| of.iter().map(|cost| value(cost)).sum::<f64>();
    panels
        .sort_by(|one, other| sum(&other.1, |cost| cost.now_ms).total_cmp(&sum(&one.1, |cost| cost.now_ms)));
    for (panel, of) in panels.iter().take(12) {
        let range = if of[0].query.is_range {
            format!("{:.0}", sum(of, |cost| cost.range_ms.unwrap_or_default()))
        } else {
            "–".to_owned()
        };
        eprintln!(
            "| {panel} | {} | {} | {:.0} | {:.0} | {range} |",
            of[0].query.kind,
            of.iter().map(|cost| cost.lines).max().unwrap_or_default(),
            sum(of, |cost| cost.samples),
            sum(of, |cost| cost.now_ms),
        );
    }
}
