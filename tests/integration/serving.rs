//! The running exporter: its responses, requests, logs and shutdown.

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use nomad_simulator::{Fault, Simulator};

use crate::support::collect::collect;
use crate::support::process::{Exporter, Refusing, SOON, exporter as exporter_command, run, wait_until};
use crate::support::recordings;
use crate::support::scrape::{ask, metrics, status};

/// Short intervals keep these tests short.
const QUICK: [&str; 6] = [
    "--collect.interval",
    "200ms",
    "--collect.history-interval",
    "400ms",
    "--collect.client-interval",
    "200ms",
];

async fn blocking<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(test).await.unwrap()
}

async fn running(recording: &str) -> (Simulator, Exporter) {
    let simulator = recordings::replay(recording).await;
    let nomad = simulator.url();
    let exporter = blocking(move || {
        let exporter = Exporter::start(&nomad, &QUICK);
        wait_until(SOON, "readiness", || status(&exporter.url, "/-/ready") == "200");
        exporter
    })
    .await;
    (simulator, exporter)
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_formats_and_encodings() {
    let (_simulator, exporter) = running("2.0.5").await;
    blocking(move || {
        let url = exporter.url.as_str();
        for (path, expected) in [
            ("/", "200"),
            ("/metrics", "200"),
            ("/metrics?collect=jobs", "200"),
            ("/-/healthy", "200"),
            ("/-/ready", "200"),
            ("/metric", "404"),
            ("/metrics/", "404"),
            ("/-/quit", "404"),
        ] {
            assert_eq!(status(url, path), expected, "{path}");
        }
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            let (head, _) = ask(url, method, "/metrics", "Content-Length: 0\r\n");
            assert!(head.starts_with("http/1.1 405 ") && head.contains("\r\nallow: get, head"), "{head}");
        }
        let (head, body) = ask(url, "HEAD", "/metrics", "");
        assert!(head.starts_with("http/1.1 200 ") && body.is_empty(), "{head}");

        let (head, body) = ask(url, "GET", "/metrics", "");
        assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
        assert!(
            head.contains("vary: accept, accept-encoding") && !head.contains("content-encoding"),
            "{head}"
        );
        assert!(!body.ends_with(b"# EOF\n"));
        let (head, body) =
            ask(url, "GET", "/metrics", "Accept: application/openmetrics-text; version=1.0.0\r\n");
        assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
        assert!(body.ends_with(b"# EOF\n"));
        let (head, body) = ask(url, "GET", "/metrics", "Accept-Encoding: gzip\r\n");
        assert!(head.contains("content-encoding: gzip"), "{head}");
        let mut text = String::new();
        flate2::read::GzDecoder::new(body.as_slice()).read_to_string(&mut text).unwrap();
        assert!(text.starts_with("# HELP nomad_jobs "));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_get_is_sent_to_nomad() {
    let (simulator, exporter) = running("2.0.5-drain").await;
    blocking(move || {
        // Several refreshes of every collector, with a scrape in between.
        let refreshes = || {
            metrics(&exporter.url)
                .value("nomad_exporter_api_requests_total", &[("endpoint", "namespaces"), ("reason", "ok")])
        };
        wait_until(SOON, "several refreshes", || refreshes().is_some_and(|count| count >= 4.0));
    })
    .await;
    let requests = simulator.requests();
    assert!(requests.len() > 30);
    for request in requests {
        assert_eq!(request.method, "GET", "{request:?}");
        assert!(request.path.starts_with("/v1/"), "{request:?}");
        assert!(request.query.contains("stale=true"), "{request:?}");
        // Nothing is compressed, and what goes on for ever says so.
        let expected = (request.path == "/v1/event/stream").then_some("identity");
        assert_eq!(request.accept_encoding.as_deref(), expected, "{request:?}");
    }
}

/// Nomad compresses only for this exact value.
#[tokio::test(flavor = "multi_thread")]
async fn gzip_is_requested_if_configured() {
    let simulator = recordings::replay("2.0.5").await;
    let shown = collect(&simulator.url(), &["--nomad.accept-encoding", "gzip"]).await;
    assert_eq!(shown.value("nomad_up", &[]), Some(1.0));
    let requests = simulator.requests();
    assert!(requests.len() > 10);
    assert!(requests.iter().all(|request| request.accept_encoding.as_deref() == Some("gzip")));
}

/// Whatever fails, and whatever is logged, the token does not appear.
#[tokio::test(flavor = "multi_thread")]
async fn the_token_is_never_exposed() {
    const TOKEN: &str = "2b778dd9-f5f1-6f29-b4b4-9a5fa948757a";
    let simulator = recordings::replay("2.0.5").await;
    simulator.faults().set("/v1/nodes", Fault::Status { code: 403, body: "Permission denied".into() });
    simulator.faults().set("/v1/evaluations", Fault::Body("<html>".into()));
    simulator.faults().set("/v1/deployments", Fault::Close);
    let nomad = simulator.url();
    blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, TOKEN).unwrap();
        let arguments = ["--log.level", "trace", "--nomad.token-file", file.to_str().unwrap()];
        let mut exporter = Exporter::start(&nomad, &[&QUICK[..], &arguments].concat());
        wait_until(SOON, "a refresh", || {
            let collector = [("collector", "jobs")];
            metrics(&exporter.url).value("nomad_exporter_collector_up", &collector) == Some(1.0)
        });
        exporter.wait_for_log("collector=nodes", SOON);
        let mut seen = String::new();
        for path in ["/", "/metrics", "/-/ready", "/-/healthy", "/nowhere"] {
            let (head, body) = ask(&exporter.url, "GET", path, "");
            seen.push_str(&head);
            seen.push_str(&String::from_utf8(body).unwrap());
        }
        exporter.signal("TERM");
        assert!(exporter.wait(SOON).success());
        seen.push_str(&exporter.log());
        for arguments in [&["check", "--nomad.address", &nomad][..], &["--collect.interval", "0s"]] {
            let token_file = ["--nomad.token-file", file.to_str().unwrap()];
            let (_, stdout, stderr) = run(exporter_command(&[arguments, &token_file].concat()));
            seen.push_str(&stdout);
            seen.push_str(&stderr);
        }
        let mut of_env = exporter_command(&["--nomad.address", "http://me:pass@nomad"]);
        of_env.env("NOMAD_TOKEN", TOKEN);
        seen.push_str(&run(of_env).2);
        // Everything that is visible: trace logs, and the reason of a denied request.
        assert!(seen.contains("TRACE") || seen.contains("level=trace"), "{seen}");
        assert!(seen.contains("reason=forbidden"), "{seen}");
        assert!(!seen.contains(TOKEN), "the token was shown");
        assert!(!seen.contains(&TOKEN[..13]), "a part of the token was shown");
    })
    .await;
    let tokens: Vec<_> = simulator.requests().into_iter().map(|request| request.token).collect();
    assert!(tokens.iter().all(|token| token.as_deref() == Some(TOKEN)), "it was sent with every request");
}

#[tokio::test(flavor = "multi_thread")]
async fn nomad_may_be_absent_at_start() {
    let refusing = Refusing::anywhere();
    let nomad = refusing.address();
    let exporter = blocking(move || {
        let exporter = Exporter::start(&format!("http://{nomad}"), &QUICK);
        exporter.wait_for_log("Nomad cannot be reached", SOON);
        assert_eq!(status(&exporter.url, "/-/healthy"), "200");
        assert_eq!(status(&exporter.url, "/-/ready"), "503");
        wait_until(SOON, "the collectors' failure", || {
            metrics(&exporter.url).value("nomad_exporter_collector_up", &[("collector", "jobs")]) == Some(0.0)
        });
        let shown = metrics(&exporter.url);
        assert_eq!(shown.value("nomad_up", &[]), Some(0.0));
        assert_eq!(shown.find("nomad_jobs", &[]).count(), 0);
        let failures = || {
            let failed = [("endpoint", "jobs"), ("reason", "connect")];
            metrics(&exporter.url).value("nomad_exporter_api_requests_total", &failed).unwrap_or_default()
        };
        wait_until(SOON, "several tries", || failures() >= 4.0);
        // One line for all collectors, not one for each or for each attempt.
        let (log, warnings) = (exporter.log(), exporter.warnings());
        assert_eq!(warnings.len(), 1, "{log}");
        let why = format!("error=\"cannot reach http://{nomad}: ");
        assert!(warnings[0].contains("reason=connect") && warnings[0].contains(&why), "{log}");
        let (_, collectors) = warnings[0].split_once("collectors=").unwrap();
        assert!(collectors.split(',').count() > 1, "{log}");
        exporter
    })
    .await;

    // Nomad starts.
    let folder = crate::support::path("tests/fixtures/recordings/2.0.5");
    let recording = nomad_simulator::Recording::load(&folder).unwrap();
    let _simulator = Simulator::start_on(nomad, nomad_simulator::Backend::Replay(recording)).await.unwrap();
    blocking(move || {
        wait_until(SOON, "readiness", || status(&exporter.url, "/-/ready") == "200");
        wait_until(SOON, "all that is required", || {
            metrics(&exporter.url).value("nomad_up", &[]) == Some(1.0)
        });
        let log = exporter.log();
        assert_eq!(log.matches("Nomad can be reached again").count(), 1, "{log}");
        assert!(!log.contains("collector=jobs"), "{log}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_metrics_are_dropped_and_come_back() {
    let (simulator, exporter) = running("2.0.5").await;
    simulator.faults().set("", Fault::Status { code: 500, body: "No cluster leader".into() });
    let exporter = blocking(move || {
        wait_until(SOON, "the withdrawal", || metrics(&exporter.url).find("nomad_jobs", &[]).count() == 0);
        wait_until(SOON, "nobody to be ready", || status(&exporter.url, "/-/ready") == "503");
        let shown = metrics(&exporter.url);
        assert_eq!(shown.value("nomad_up", &[]), Some(0.0));
        // The age of the last success stays visible.
        let last = [("collector", "jobs")];
        assert!(shown.value("nomad_exporter_collector_last_success_timestamp_seconds", &last).is_some());
        exporter
    })
    .await;
    simulator.faults().clear();
    blocking(move || {
        wait_until(SOON, "recovery", || status(&exporter.url, "/-/ready") == "200");
        wait_until(SOON, "all jobs", || {
            metrics(&exporter.url).sum("nomad_jobs", &[("status", "running")]) == Some(17.0)
        });
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_shut_it_down_gracefully() {
    for signal in ["TERM", "INT"] {
        let (_simulator, mut exporter) = running("2.0.5").await;
        blocking(move || {
            // An idle connection does not delay it.
            let _idle = TcpStream::connect(exporter.url.trim_start_matches("http://")).unwrap();
            exporter.signal(signal);
            assert_eq!(exporter.wait(Duration::from_secs(12)).code(), Some(0));
            assert!(exporter.log().contains("message=stopped"), "{}", exporter.log());
        })
        .await;
    }
}
