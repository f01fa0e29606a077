//! Prometheus 3, with each format that it can request. It is built with Go; without Go, these tests print
//! that they are skipped.

use std::path::PathBuf;

use serde_json::Value;

use crate::alerting::{self, RULES};
use crate::deploy::{self, scaling};
use crate::formats;
use crate::support::process::{Exporter, SOON, wait_until};
use crate::support::prometheus::Prometheus;
use crate::support::{path, recordings, tools};
use crate::web_config::requests;

/// Scrape jobs by format, with their settings.
const JOBS: [(&str, &str); 8] = [
    ("default", ""),
    ("openmetrics", "scrape_protocols: [OpenMetricsText1.0.0]"),
    (
        "openmetrics-underscores",
        "scrape_protocols: [OpenMetricsText1.0.0], metric_name_validation_scheme: legacy, \
         metric_name_escaping_scheme: underscores",
    ),
    ("openmetrics-0.0.1", "scrape_protocols: [OpenMetricsText0.0.1]"),
    ("text-1.0.0", "scrape_protocols: [PrometheusText1.0.0]"),
    ("text-0.0.4", "scrape_protocols: [PrometheusText0.0.4]"),
    // It prefers a format that the exporter does not support, and accepts one that it does.
    ("protobuf", "scrape_protocols: [PrometheusProto, OpenMetricsText1.0.0, PrometheusText0.0.4]"),
    ("native-histograms", "scrape_native_histograms: true"),
];

fn prometheus() -> Option<PathBuf> {
    tools::find_optional("prometheus-3", "scrapes and alerts of Prometheus 3")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Prometheus 3: make check-prometheus"]
async fn every_format_is_scraped_whole_and_without_a_complaint() {
    let Some(program) = prometheus() else { return };
    let simulator = recordings::replay("2.0.5").await;
    let nomad = simulator.url();
    tokio::task::spawn_blocking(move || {
        // Nothing changes between two scrapes.
        let exporter = Exporter::start(&nomad, &[]);
        let folder = tempfile::tempdir().unwrap();
        let target = exporter.url.trim_start_matches("http://");
        // Each is a replica: the rules distinguish replicas by their instance.
        let job = |(name, settings): (&str, &str)| {
            format!(
                "  - {{job_name: {name}, honor_labels: true, static_configs: [{{targets: ['{target}'], \
                 labels: {{instance: {name}}}}}]{}{settings}}}\n",
                if settings.is_empty() { "" } else { ", " }
            )
        };
        let rules = RULES.map(|file| format!("'{}'", path(file).display()));
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{}]\nscrape_configs:\n{}",
            rules.join(", "),
            JOBS.map(job).concat()
        );
        let prometheus = Prometheus::start(&program, folder.path(), &config);
        let jobs_with = |query: &str| prometheus.value(&format!("count({query})")).unwrap_or_default();
        wait_until(SOON, "every job to know the cluster", || jobs_with("nomad_up == 1") == JOBS.len() as f64);
        wait_until(SOON, "as many samples of each job", || {
            let counts = prometheus.query("count_values(\"samples\", scrape_samples_scraped)");
            counts.is_some_and(|counts| counts.len() == 1)
        });
        assert_eq!(jobs_with("scrape_samples_scraped > 100"), JOBS.len() as f64);
        for (query, expected) in [
            (r#"sum by (job) (nomad_jobs{status="pending"})"#, 3.0),
            (r#"sum by (job) (nomad_nodes{state="active"})"#, 4.0),
            (r#"sum by (job) (nomad_pending_jobs_age_seconds_bucket{le="+Inf"})"#, 3.0),
            ("sum by (job) (up)", 1.0),
        ] {
            assert_eq!(jobs_with(&format!("{query} == {expected}")), JOBS.len() as f64, "{query}");
        }
        wait_until(SOON, "every rule to be evaluated", || {
            let groups = prometheus.api("rules", &[]).unwrap_or_default();
            let rules = groups["groups"].as_array().into_iter().flatten();
            let rules: Vec<&Value> = rules.flat_map(|group| group["rules"].as_array().unwrap()).collect();
            assert!(rules.iter().all(|rule| rule["health"] != "err"), "{rules:?}");
            rules.len() > 40 && rules.iter().all(|rule| rule["health"] == "ok")
        });
        prometheus.assert_no_complaint();
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Prometheus 3: make check-prometheus"]
async fn prometheus_3_returns_the_right_values() {
    let Some(program) = prometheus() else { return };
    super::prometheus_answers_rightly(&program).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Prometheus 3: make check-prometheus"]
async fn prometheus_3_scrapes_by_tls_with_a_password() {
    let Some(program) = prometheus() else { return };
    requests::prometheus_scrapes_by_tls_with_a_password(&program).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Prometheus 3 and Alertmanager: make check-prometheus"]
async fn problems_reach_the_receiver_with_prometheus_3() {
    let Some(program) = prometheus() else { return };
    alerting::troubles_reach_the_receiver(&program).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Prometheus 3: make check-prometheus"]
async fn promtool_3_has_no_complaint() {
    let Some(promtool) = tools::find_optional("promtool-3", "the rules before Prometheus 3") else { return };
    alerting::accepts_the_rules_and_their_unit_tests(&promtool);
    scaling::says_the_same_of_the_recorded_shapes(&promtool);
    deploy::prometheus::accepts_the_configuration_with_its_rules(&promtool);
    formats::has_no_complaint(&promtool).await;
}
