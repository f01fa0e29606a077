//! No task outlives its purpose.

use std::time::{Duration, Instant};

use bytes::Bytes;
use nomad_simulator::{ConnectionFault, Fault};
use tokio::runtime::{Handle, Runtime};

use super::driver::{POOLED, SOON};
use crate::support::collect::Collector;
use crate::support::recordings;

async fn settle(what: &str, most: usize) {
    let (tasks, began) = (Handle::current().metrics(), Instant::now());
    while tasks.num_alive_tasks() > most {
        assert!(began.elapsed() < SOON, "{what}: {} tasks", tasks.num_alive_tasks());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn tasks_end_with_their_purpose() {
    // Excludes Nomad's own tasks.
    let outside = Runtime::new().unwrap();
    let simulator = outside.block_on(recordings::replay("2.0.5"));
    let faults = [
        ("hang", Fault::Hang),
        ("close", Fault::Close),
        ("cut", Fault::Truncate(100)),
        ("drip", Fault::Drip(Duration::from_millis(20))),
        ("body", Fault::Body(Bytes::from_static(b"<html>"))),
        ("gzip", Fault::Gzipped(Bytes::from_static(b"\x1f\x8b\x08"))),
        ("status", Fault::Status { code: 500, body: "No cluster leader".into() }),
        ("no leader", Fault::NoLeader),
    ];
    Runtime::new().unwrap().block_on(async {
        let baseline = Handle::current().metrics().num_alive_tasks();
        let arguments = ["--nomad.timeout", "150ms", "--collect.client-timeout", "100ms"];
        let collector = Collector::new(&simulator.url(), &arguments);
        for (what, fault) in faults {
            simulator.faults().set("", fault);
            collector.refresh().await;
            assert!(!collector.snapshot().is_up(), "{what}");
            // Aborted in the middle.
            drop(tokio::time::timeout(Duration::from_millis(40), collector.refresh()).await);
            simulator.faults().clear();
            // On a busy machine, requests may also time out without a fault.
            let recovery = async {
                while !collector.snapshot().is_up() {
                    collector.refresh().await;
                }
            };
            tokio::time::timeout(SOON, recovery).await.expect(what);
            // Each idle connection has a task.
            settle(what, baseline + POOLED).await;
        }
        simulator.faults().set_connections(ConnectionFault::Silent);
        drop(tokio::time::timeout(Duration::from_millis(300), collector.refresh()).await);
        drop(collector);
        settle("the end", baseline).await;
    });
}
