//! Unusual responses: no panic, and no wrong number.

use std::time::Duration;

use bytes::Bytes;
use nomad_simulator::{Fault, Simulator};

use crate::support::collect::{Collector, collect};
use crate::support::exposition::Exposition;
use crate::support::recordings;

/// Collects from a recorded cluster with one replaced list.
async fn with_body(path: &str, body: &str) -> Exposition {
    with_bodies(&[(path, body)]).await
}

async fn with_bodies(bodies: &[(&str, &str)]) -> Exposition {
    let simulator = recordings::replay("2.0.5").await;
    for (path, body) in bodies {
        simulator.faults().set(path, Fault::Body(Bytes::copy_from_slice(body.as_bytes())));
    }
    collect(&simulator.url(), &[]).await
}

fn is_up(shown: &Exposition, collector: &str) -> Option<f64> {
    shown.value("nomad_exporter_collector_up", &[("collector", collector)])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_collector_does_not_affect_others() {
    let simulator = recordings::replay("2.0.5").await;
    simulator.faults().set("/v1/evaluations", Fault::Status { code: 403, body: "Permission denied".into() });
    let shown = collect(&simulator.url(), &[]).await;
    assert_eq!(is_up(&shown, "evaluations"), Some(0.0));
    assert_eq!(shown.value("nomad_up", &[]), Some(0.0));
    assert_eq!(shown.find("nomad_blocked_evaluations", &[]).count(), 0, "absent, not 0");
    let refused = [("endpoint", "evaluations"), ("reason", "forbidden")];
    assert_eq!(
        shown.value("nomad_exporter_api_requests_total", &refused),
        Some(1.0),
        "a refusal is not retried"
    );
    for collector in ["jobs", "nodes", "allocations", "host_stats", "finished_jobs"] {
        assert_eq!(is_up(&shown, collector), Some(1.0), "{collector}");
    }
    assert_eq!(shown.sum("nomad_jobs", &[("status", "pending")]), Some(3.0));
}

/// Servers of Nomad 1.2 and earlier respond with 500 by default, because `raft_protocol` must be 3.
#[tokio::test(flavor = "multi_thread")]
async fn servers_without_autopilot_have_no_metrics_of_it() {
    let simulator = recordings::replay("1.1.18").await;
    let shown = collect(&simulator.url(), &[]).await;
    assert_eq!(is_up(&shown, "autopilot"), Some(1.0));
    for family in ["nomad_autopilot_healthy", "nomad_autopilot_failure_tolerance", "nomad_server_healthy"] {
        assert_eq!(shown.find(family, &[]).count(), 0, "{family}");
    }
    let asked = simulator.requests().into_iter().filter(|request| request.path.contains("autopilot"));
    assert_eq!(asked.count(), 1, "it is not requested again immediately");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_nulls_has_no_resources() {
    let nulls = r#"[{"ID":"n1","Name":null,"Status":null,"Drain":null,"SchedulingEligibility":null,"Drivers":null,
        "NodeResources":null,"ReservedResources":null,"LastDrain":null,"NodePool":null,"NodeClass":null},
        {"ID":"n2","Name":"b","Status":"hibernating","Drivers":{"docker":null},"NodeResources":{"Cpu":null,
        "Memory":{"MemoryMB":null},"Disk":{"DiskMB":-7}},"LastDrain":{"StartedAt":null,"Status":null}}]"#;
    let shown = with_body("/v1/nodes", nulls).await;
    assert_eq!(is_up(&shown, "nodes"), Some(1.0));
    assert_eq!(shown.sum("nomad_nodes", &[("state", "other")]), Some(2.0));
    assert_eq!(shown.sum("nomad_nodes", &[("state", "active")]), Some(0.0));
    assert_eq!(shown.find("nomad_node_info", &[]).count(), 2);
    assert_eq!(shown.find("nomad_node_allocatable_cpu_hertz", &[]).count(), 0);
    assert_eq!(shown.value("nomad_node_allocatable_disk_bytes", &[("node_id", "n2")]), Some(0.0));
    assert_eq!(shown.find("nomad_node_drained", &[]).count(), 0);
    assert_eq!(shown.find("nomad_node_host_stats_up", &[]).count(), 0, "only ready nodes get requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_jobs_are_counted_without_invented_values() {
    let jobs = r#"[{"ID":"no-summary","Namespace":"ci","Type":"batch","Status":"pending","JobSummary":null},
        {"ID":"new-status","Namespace":"ci","Type":"batch","Status":"napping","SubmitTime":null},
        {"ID":"new-type","Namespace":"ci","Type":"quantum","Status":"running"},
        {"ID":"negative","Namespace":"ci","Type":"batch","Status":"running",
         "JobSummary":{"Summary":{"a":{"Queued":-3},"b":{"Queued":2},"c":null}}},
        {"ID":"future","Namespace":"ci","Type":"batch","Status":"pending","SubmitTime":4000000000000000000},
        null, {}]"#;
    let evaluations = r#"[{"Namespace":"ci","JobID":"negative","Status":"blocked","Type":"batch"}]"#;
    let shown = with_bodies(&[("/v1/jobs", jobs), ("/v1/evaluations", evaluations)]).await;
    let jobs = |job_type, status| {
        shown.value("nomad_jobs", &[("namespace", "ci"), ("job_type", job_type), ("status", status)])
    };
    assert_eq!(jobs("batch", "pending"), Some(2.0));
    assert_eq!(jobs("batch", "other"), Some(1.0));
    assert_eq!(jobs("other", "running"), Some(1.0));
    assert_eq!(jobs("service", "running"), Some(0.0));
    assert_eq!(shown.sum("nomad_queued_allocations", &[("namespace", "ci")]), Some(2.0));
    // A job without a submit time has no age; one from the future has not been waiting.
    let ages = |le| shown.value("nomad_pending_jobs_age_seconds_bucket", &[("namespace", "ci"), ("le", le)]);
    assert_eq!((ages("10.0"), ages("+Inf")), (Some(1.0), Some(1.0)));
    assert_eq!(shown.find("nomad_pending_job_timestamp_seconds", &[]).count(), 1);
    assert_eq!(
        shown.value("nomad_jobs", &[("namespace", ""), ("job_type", "other"), ("status", "other")]),
        Some(1.0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn allocations_without_resources_make_sums_absent_and_counts_right() {
    let node = recordings::rows("2.0.5", "nodes.json")[0]["ID"].as_str().unwrap().to_owned();
    let allocations = format!(
        r#"[{{"NodeID":"{node}","Namespace":"ci","JobType":"batch","ClientStatus":"running"}},
            {{"NodeID":"{node}","Namespace":"ci","JobType":"batch","ClientStatus":"dreaming","AllocatedResources":null}},
            {{"NodeID":null,"ClientStatus":null}}]"#
    );
    let shown = with_body("/v1/allocations", &allocations).await;
    assert_eq!(
        shown.value("nomad_node_allocations", &[("node_id", &node), ("client_status", "running")]),
        Some(1.0)
    );
    assert_eq!(
        shown.value("nomad_node_allocations", &[("node_id", &node), ("client_status", "other")]),
        Some(1.0)
    );
    assert_eq!(shown.value("nomad_node_allocated_cpu_hertz", &[("node_id", &node)]), None);
    assert_eq!(
        shown.find("nomad_node_allocated_cpu_hertz", &[]).count(),
        3,
        "other nodes have no allocations"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_cluster_shows_zeros() {
    let simulator = recordings::replay("2.0.5").await;
    for path in ["/v1/jobs", "/v1/nodes", "/v1/allocations", "/v1/evaluations"] {
        simulator.faults().set(path, Fault::Body(Bytes::from_static(b"[]")));
    }
    let shown = collect(&simulator.url(), &[]).await;
    assert_eq!(shown.value("nomad_up", &[]), Some(1.0));
    assert_eq!(shown.sum("nomad_jobs", &[("status", "pending")]), Some(0.0));
    assert_eq!(shown.sum("nomad_allocations", &[("client_status", "failed")]), Some(0.0));
    assert_eq!(shown.sum("nomad_blocked_evaluations_by_reason", &[]), Some(0.0));
    assert_eq!(shown.find("nomad_nodes", &[]).count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_responses_affect_only_their_collector() {
    for (fault, reason) in [
        (Fault::Body(Bytes::from_static(b"<html>Bad gateway</html>")), "decode"),
        (Fault::Body(Bytes::from_static(b"")), "decode"),
        (Fault::Body(Bytes::from_static(b"[{\"ID\":7}]")), "decode"),
        (Fault::Body(Bytes::from_static(b"[] trailing")), "decode"),
        (Fault::Body(Bytes::from_static(b"[{\"ID\":\"\xff\"}]")), "decode"),
        (Fault::Truncate(500), "connect"),
        (Fault::Close, "connect"),
        (Fault::Status { code: 429, body: "too many".into() }, "throttled"),
        (Fault::Status { code: 500, body: "No cluster leader".into() }, "http"),
        (Fault::Status { code: 404, body: "".into() }, "not_found"),
        (Fault::Status { code: 307, body: "".into() }, "http"),
    ] {
        let simulator = recordings::replay("2.0.5").await;
        simulator.faults().set("/v1/nodes", fault.clone());
        let shown = collect(&simulator.url(), &[]).await;
        let failed = [("endpoint", "nodes"), ("reason", reason)];
        assert_eq!(shown.value("nomad_exporter_api_requests_total", &failed), Some(1.0), "{fault:?}");
        assert_eq!(is_up(&shown, "nodes"), Some(0.0), "{fault:?}");
        assert_eq!(shown.find("nomad_nodes", &[]).count(), 0, "{fault:?}");
        assert_eq!(is_up(&shown, "jobs"), Some(1.0), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_client_is_reported_and_delays_no_other() {
    let simulator = recordings::replay("2.0.5").await;
    let hanging = recordings::rows("2.0.5", "nodes.json")[1]["ID"].as_str().unwrap().to_owned();
    simulator.faults().set(&format!("/v1/client/stats?node_id={hanging}"), Fault::Hang);
    let shown = collect(&simulator.url(), &["--collect.client-timeout", "200ms"]).await;
    assert_eq!(is_up(&shown, "host_stats"), Some(1.0));
    assert_eq!(shown.value("nomad_node_host_stats_up", &[("node_id", &hanging)]), Some(0.0));
    assert_eq!(shown.sum("nomad_node_host_stats_up", &[]), Some(3.0));
    assert_eq!(shown.find("nomad_node_host_memory_total_bytes", &[]).count(), 3);
    let timed_out = [("endpoint", "client_stats"), ("reason", "timeout")];
    assert_eq!(shown.value("nomad_exporter_api_requests_total", &timed_out), Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_to_a_hanging_nomad_time_out() {
    let simulator = recordings::replay("2.0.5").await;
    simulator.faults().set("/v1/jobs", Fault::Hang);
    let shown = collect(&simulator.url(), &["--nomad.timeout", "2s"]).await;
    assert_eq!(is_up(&shown, "jobs"), Some(0.0));
    let timed_out = [("endpoint", "jobs"), ("reason", "timeout")];
    // The live list and the dead one.
    assert_eq!(shown.value("nomad_exporter_api_requests_total", &timed_out), Some(2.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_above_the_limit_is_aborted() {
    let simulator = recordings::replay("2.0.5").await;
    let shown = collect(&simulator.url(), &["--nomad.max-list-bytes", "2000"]).await;
    assert_eq!(is_up(&shown, "jobs"), Some(0.0));
    let cut = [("endpoint", "nodes"), ("reason", "too_large")];
    assert_eq!(shown.value("nomad_exporter_api_requests_total", &cut), Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_address_is_used_when_one_fails() {
    let broken = Simulator::start(nomad_simulator::Backend::Replay(recording("2.0.5"))).await.unwrap();
    broken.faults().set("", Fault::Status { code: 500, body: "No cluster leader".into() });
    let whole = recordings::replay("2.0.5").await;
    let shown = collect(&format!("{},{}", broken.url(), whole.url()), &[]).await;
    assert_eq!(shown.value("nomad_up", &[]), Some(1.0));
    assert_eq!(broken.requests().len(), 1, "the address that responds stays in use");
}

/// After a minute with another address, the first one is checked again.
#[tokio::test]
async fn the_first_address_is_used_again_after_recovery() {
    let first = recordings::replay("2.0.5").await;
    let second = recordings::replay("2.0.5").await;
    let collector =
        Collector::new(&format!("{},{}", first.url(), second.url()), &["--no-collector.host_stats"]);
    let asked = async || {
        let before = (first.requests().len(), second.requests().len());
        collector.refresh().await;
        (first.requests().len() - before.0, second.requests().len() - before.1)
    };
    let pass_a_minute = async || {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(61)).await;
        tokio::time::resume();
        // Idle connections have expired; let the pool notice it.
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let is_all = |requests: usize| requests >= 12;
    first.faults().set("", Fault::Close);
    assert!(matches!(asked().await, (1, all) if is_all(all)));

    // Still down: it is checked once, and the other one is used.
    pass_a_minute().await;
    assert!(matches!(asked().await, (1, all) if is_all(all)));
    first.faults().clear();
    assert!(matches!(asked().await, (0, all) if is_all(all)), "the minute is not over");
    pass_a_minute().await;
    assert!(matches!(asked().await, (all, 0) if is_all(all)));
}

/// A response that trickles never pauses for long, and would never end.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_response_is_aborted() {
    let simulator = recordings::replay("2.0.5").await;
    simulator.faults().set("/v1/nodes", Fault::Drip(Duration::from_millis(50)));
    let collector = Collector::new(&simulator.url(), &["--nomad.timeout", "500ms"]);
    tokio::time::timeout(Duration::from_secs(60), collector.refresh()).await.expect("it is given up");
    let shown = collector.exposition();
    assert_eq!(is_up(&shown, "nodes"), Some(0.0));
    assert_eq!(is_up(&shown, "jobs"), Some(1.0));
    let slow = [("endpoint", "nodes"), ("reason", "timeout")];
    assert_eq!(shown.value("nomad_exporter_api_requests_total", &slow), Some(1.0));
}

/// A redirect would send the token elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_not_followed() {
    let (simulator, elsewhere) = (recordings::replay("2.0.5").await, recordings::replay("2.0.5").await);
    simulator.faults().set("/v1/nodes", Fault::Redirect(format!("{}/v1/nodes", elsewhere.url())));
    let shown = collect(&simulator.url(), &[]).await;
    assert_eq!(is_up(&shown, "nodes"), Some(0.0));
    assert_eq!(is_up(&shown, "jobs"), Some(1.0));
    assert_eq!(elsewhere.requests().len(), 0);
}

/// A server without contact to its leader responds with old data.
#[tokio::test(flavor = "multi_thread")]
async fn stale_reads_fail_and_the_next_address_is_used() {
    for fault in [Fault::LastContact(Duration::from_secs(31)), Fault::NoLeader] {
        let cut_off = recordings::replay("2.0.5").await;
        cut_off.faults().set("/v1/nodes", fault.clone());

        let alone = collect(&cut_off.url(), &["--nomad.timeout", "1s"]).await;
        assert_eq!(is_up(&alone, "nodes"), Some(0.0), "{fault:?}");
        assert_eq!(is_up(&alone, "jobs"), Some(1.0), "{fault:?}");
        assert_eq!(alone.find("nomad_nodes", &[]).count(), 0, "{fault:?}");
        let stale = [("endpoint", "nodes"), ("reason", "stale")];
        assert_eq!(alone.value("nomad_exporter_api_requests_total", &stale), Some(1.0), "{fault:?}");

        let whole = recordings::replay("2.0.5").await;
        let addresses = format!("{},{}", cut_off.url(), whole.url());
        let shown = collect(&addresses, &[]).await;
        assert_eq!(is_up(&shown, "nodes"), Some(1.0), "{fault:?}");
        assert_eq!(shown.value("nomad_exporter_api_requests_total", &stale), None, "{fault:?}");

        let unlimited = collect(&cut_off.url(), &["--nomad.max-last-contact", "0s"]).await;
        assert_eq!(is_up(&unlimited, "nodes"), Some(1.0), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_read_within_the_limit_is_used_and_its_age_exposed() {
    let simulator = recordings::replay("2.0.5").await;
    simulator.faults().set("/v1/nodes", Fault::LastContact(Duration::from_secs(30)));
    let shown = collect(&simulator.url(), &[]).await;
    assert_eq!(is_up(&shown, "nodes"), Some(1.0));
    assert_eq!(shown.value("nomad_exporter_last_contact_seconds", &[]), Some(30.0));
}

/// The lists of live and dead jobs are read at different times, so a job that moves is in both for a while.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_in_both_lists_counts_its_ended_allocations_once() {
    let job = |id: &str, parent: &str, status: &str, complete: u64, failed: u64| {
        let job_type = if id == "web" { "service" } else { "batch" };
        serde_json::json!({"ID": id, "ParentID": parent, "Namespace": "ci", "Type": job_type, "Status": status,
            "ParameterizedJob": id == "deploy", "JobSummary": {"Summary": {"main": {"Complete": complete, "Failed": failed}}}})
    };
    let simulator = recordings::replay("2.0.5").await;
    let list = |filter: &str, jobs: serde_json::Value| {
        let list = format!("/v1/jobs?namespace=*&filter=Status+{filter}");
        simulator.faults().set(&list, Fault::Body(jobs.to_string().into()));
    };
    list(
        "%21%3D",
        serde_json::json!([
            job("deploy", "", "running", 0, 0),
            // The first has died since, the second is running.
            job("deploy/dispatch-1", "deploy", "running", 0, 1),
            job("deploy/dispatch-2", "deploy", "running", 5, 0),
            // It was dead, and was started again.
            job("web", "", "running", 2, 3),
        ]),
    );
    list(
        "%3D%3D",
        serde_json::json!([
            job("deploy/dispatch-0", "deploy", "dead", 10, 0),
            job("deploy/dispatch-1", "deploy", "dead", 1, 1),
            job("web", "", "dead", 2, 2),
        ]),
    );
    let shown = collect(&simulator.url(), &["--collect.job-types", "service,batch"]).await;
    let ended = |job, status| {
        shown.value("nomad_job_allocations_ended", &[("job_id", job), ("status", status)]).unwrap()
    };
    assert_eq!((ended("web", "complete"), ended("web", "failed")), (2.0, 3.0));
    assert_eq!((ended("deploy", "complete"), ended("deploy", "failed")), (16.0, 1.0));
}

fn recording(name: &str) -> nomad_simulator::Recording {
    let folder = crate::support::path("tests/fixtures/recordings").join(name);
    nomad_simulator::Recording::load(&folder).unwrap()
}

/// Any label value is exposed unchanged, and the format stays valid.
#[tokio::test(flavor = "multi_thread")]
async fn strange_names_are_escaped() {
    let name = "a \"quoted\\\" name\nof two lines {le=\"1\"} \u{202e}rtl";
    let body = serde_json::json!([{"ID": "n1", "Name": name, "Status": "ready", "SchedulingEligibility": "eligible"}]);
    let shown = with_body("/v1/nodes", &body.to_string()).await;
    assert_eq!(shown.find("nomad_node_state", &[("node", name)]).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_series_are_counted() {
    let simulator = recordings::replay("2.0.5").await;
    let collector = Collector::new(&simulator.url(), &["--metrics.max-series-per-family", "20"]);
    collector.refresh().await;
    let shown = collector.exposition();
    assert_eq!(shown.find("nomad_jobs", &[]).count(), 20);
    assert_eq!(shown.value("nomad_exporter_series_dropped", &[("family", "nomad_jobs")]), Some(4.0));
    assert_eq!(shown.value("nomad_exporter_series", &[]), Some(shown.samples().len() as f64));
    assert!(collector.snapshot().is_up());
}

/// Long names are truncated, stay distinct, and are counted.
#[tokio::test(flavor = "multi_thread")]
async fn label_values_are_truncated() {
    let name = |ending| format!("{}{ending}", "n".repeat(64 << 10));
    let body = serde_json::json!([
        {"ID": "a", "Name": name("1"), "Status": "ready"},
        {"ID": "b", "Name": name("2"), "Status": "ready"},
    ]);
    let simulator = recordings::replay("2.0.5").await;
    simulator.faults().set("/v1/nodes", Fault::Body(body.to_string().into()));
    let collector = Collector::new(&simulator.url(), &["--metrics.max-label-length", "64"]);
    collector.refresh().await;
    assert!(collector.text().len() < 200 << 10, "{} bytes", collector.text().len());
    let shown = collector.exposition();
    let names: std::collections::BTreeSet<&str> =
        shown.find("nomad_node_info", &[]).map(|sample| sample.labels["node"].as_str()).collect();
    assert_eq!(names.len(), 2);
    assert!(names.iter().all(|name| name.len() == 64 && name.contains('…')), "{names:?}");
    let shortened = [("family", "nomad_node_info")];
    assert_eq!(shown.value("nomad_exporter_samples_with_shortened_labels", &shortened), Some(2.0));
}

/// A server that cannot forward requests says nothing about the clients.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_a_server_says_nothing_about_clients() {
    let simulator = recordings::replay("2.0.5").await;
    let collector = Collector::new(&simulator.url(), &["--collector.allocation_usage"]);
    collector.refresh().await;
    let up = collector.exposition().sum("nomad_node_host_stats_up", &[]);
    assert!(up > Some(0.0), "{up:?}");
    for code in [403, 429] {
        simulator.faults().set("/v1/client", Fault::Status { code, body: "not now".into() });
        collector.refresh().await;
        let shown = collector.exposition();
        assert_eq!(is_up(&shown, "host_stats"), Some(0.0), "{code}");
        assert_eq!(is_up(&shown, "allocation_usage"), Some(0.0), "{code}");
        assert_eq!(shown.sum("nomad_node_host_stats_up", &[]), up, "{code}: the previous data is kept");
    }
}
