//! A real Prometheus scrapes the running exporter.

mod three;

use std::path::Path;
use std::time::Duration;

use crate::support::process::{Exporter, wait_until};
use crate::support::prometheus::Prometheus;
use crate::support::{recordings, tools};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Prometheus: make check-prometheus"]
async fn a_real_prometheus_returns_the_right_values() {
    prometheus_answers_rightly(&tools::find("prometheus")).await;
}

/// The same with this Prometheus.
async fn prometheus_answers_rightly(program: &Path) {
    let program = program.to_owned();
    let simulator = recordings::replay("2.0.5").await;
    let nomad = simulator.url();
    tokio::task::spawn_blocking(move || {
        let exporter = Exporter::start(&nomad, &[]);
        let folder = tempfile::tempdir().unwrap();
        let target = exporter.url.trim_start_matches("http://");
        // The scrape configuration of README.md, with this test's address and a shorter interval.
        let config =
            readme_scrape_config().replace("nomad-exporter.example:9441", target).replace("15s", "1s");
        let prometheus = Prometheus::start(&program, folder.path(), &config);
        let value = |query: &str| prometheus.value(query);
        wait_until(Duration::from_secs(60), "the first scrape", || value("nomad_up") == Some(1.0));
        assert_eq!(value(r#"sum(nomad_jobs{status="pending"})"#), Some(3.0));
        assert_eq!(value(r#"sum(nomad_jobs{status="running", namespace="ci"})"#), Some(8.0));
        assert_eq!(value(r#"sum(nomad_nodes{state="active"})"#), Some(4.0));
        assert_eq!(value("count(nomad_node_info)"), Some(4.0));
        assert_eq!(value(r#"sum(nomad_pending_jobs_age_seconds_bucket{le="+Inf"})"#), Some(3.0));
        assert_eq!(value(r#"up{job="nomad-exporter"}"#), Some(1.0));
        assert_eq!(value(r#"count({exported_namespace!=""})"#), None, "labels keep their names");
        prometheus.assert_no_complaint();
    })
    .await
    .unwrap();
}

fn readme_scrape_config() -> String {
    let readme = crate::support::read("README.md");
    let block = readme.split("```yaml\n").find(|block| block.starts_with("scrape_configs:"));
    block.expect("README.md shows a scrape configuration").split("```").next().unwrap().to_owned()
}
