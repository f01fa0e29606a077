//! A real Prometheus scrapes the running exporter.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::process::{Exporter, Running, wait_until};
use crate::support::{recordings, tools};

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_answers_rightly() {
    let Some(prometheus) = tools::find("prometheus", "scraping with a real Prometheus") else { return };
    let simulator = recordings::replay("2.0.5").await;
    let nomad = simulator.url();
    tokio::task::spawn_blocking(move || {
        let exporter = Exporter::start(&nomad, &[]);
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        let target = exporter.url.trim_start_matches("http://");
        // The scrape configuration of README.md, with this test's address and a shorter interval.
        let scrape =
            readme_scrape_config().replace("nomad-exporter.example:9441", target).replace("15s", "1s");
        std::fs::write(&config, scrape).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let _prometheus = Running(
            Command::new(prometheus)
                .arg(format!("--config.file={}", config.display()))
                .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
        let query = |query: &str| ask(port, query);
        wait_until(Duration::from_secs(60), "the first scrape", || query("nomad_up") == Some(1.0));
        assert_eq!(query(r#"sum(nomad_jobs{status="pending"})"#), Some(3.0));
        assert_eq!(query(r#"sum(nomad_jobs{status="running", namespace="ci"})"#), Some(8.0));
        assert_eq!(query(r#"sum(nomad_nodes{state="active"})"#), Some(4.0));
        assert_eq!(query("count(nomad_node_info)"), Some(4.0));
        assert_eq!(query(r#"sum(nomad_pending_jobs_age_seconds_bucket{le="+Inf"})"#), Some(3.0));
        assert_eq!(query(r#"up{job="nomad"}"#), Some(1.0));
        assert_eq!(query(r#"count({exported_namespace!=""})"#), None, "labels keep their names");
    })
    .await
    .unwrap();
}

fn readme_scrape_config() -> String {
    let readme = crate::support::read("README.md");
    let block = readme.split("```yaml\n").find(|block| block.starts_with("scrape_configs:"));
    block.expect("README.md shows a scrape configuration").split("```").next().unwrap().to_owned()
}

/// The one value that a query yields, if Prometheus answers and there is one.
fn ask(port: u16, query: &str) -> Option<f64> {
    let client = reqwest::Client::builder().build().unwrap();
    let url = format!("http://127.0.0.1:{port}/api/v1/query");
    let text = tokio::runtime::Handle::current().block_on(async move {
        client.get(url).query(&[("query", query)]).send().await.ok()?.text().await.ok()
    })?;
    let answer: serde_json::Value = serde_json::from_str(&text).ok()?;
    answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}
