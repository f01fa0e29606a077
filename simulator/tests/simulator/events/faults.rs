//! Faults of event streams.

use nomad_simulator::{EventFault, Fault};
use serde_json::Value;
use tokio::time::{Instant, timeout};

use crate::world::{Served, seconds};

use super::reader::{Reader, events, index};
use super::{idle, write};

const STREAM: &str = "/v1/event/stream";
const NODES: &str = "topic=Node";

/// Returns a stream with this fault, and its lines after a node was written four times.
async fn faulty(fault: Fault) -> (Served, Reader, Vec<Value>) {
    let served = idle("2.0.5").await;
    let mut reader = served.subscribe(NODES).await;
    assert_eq!(reader.lines_so_far().await.len(), 1);
    served.simulator.faults().set(STREAM, fault);
    write(&served, 4);
    let lines = reader.lines_so_far().await;
    (served, reader, lines)
}

#[tokio::test(start_paused = true)]
async fn faults_change_the_content_of_lines() {
    let (_served, _reader, lines) = faulty(Fault::Events(EventFault::NullPayloads)).await;
    assert_eq!(lines.len(), 4);
    assert!(lines.iter().flat_map(events).all(|event| event["Payload"].is_null()));

    let (_served, _reader, lines) = faulty(Fault::Events(EventFault::UnknownTopics)).await;
    assert!(
        lines.iter().flat_map(events).all(|event| event["Topic"] == "Dream" && event["Type"] == "Dreamt")
    );

    let (_served, _reader, lines) = faulty(Fault::Index(7)).await;
    assert_eq!(lines.iter().map(index).collect::<Vec<_>>(), [7; 4]);
}

#[tokio::test(start_paused = true)]
async fn faults_repeat_swap_and_drop_lines() {
    let (_served, _reader, lines) = faulty(Fault::Events(EventFault::Repeated(3))).await;
    let first = index(&lines[0]);
    let expected: Vec<u64> = (0..4).flat_map(|line| [first + line; 3]).collect();
    assert_eq!(lines.iter().map(index).collect::<Vec<_>>(), expected);

    let (served, mut reader, lines) = faulty(Fault::Events(EventFault::Swapped)).await;
    let first = index(&lines[1]);
    assert_eq!(lines.iter().map(index).collect::<Vec<_>>(), [1, 0, 3, 2].map(|at| first + at));
    // A line that was held back is sent with the next line after the fault.
    write(&served, 1);
    assert!(reader.lines_so_far().await.is_empty());
    served.simulator.faults().clear();
    write(&served, 1);
    assert_eq!(
        reader.lines_so_far().await.iter().map(index).collect::<Vec<_>>(),
        [4, 5].map(|at| first + at)
    );

    let (_served, _reader, lines) = faulty(Fault::Events(EventFault::Lost)).await;
    assert_eq!(lines.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_fault_cuts_lines_in_half() {
    let served = idle("2.0.5").await;
    let mut reader = served.subscribe(NODES).await;
    reader.lines_so_far().await;
    served.simulator.faults().set(STREAM, Fault::Events(EventFault::Halved));
    write(&served, 1);
    let line = reader.text().await.expect("a line");
    assert!(line.starts_with("{\"Events\"") && serde_json::from_str::<Value>(&line).is_err(), "{line}");
}

#[tokio::test(start_paused = true)]
async fn faults_cut_a_stream() {
    for version in ["1.10.5", "2.0.5"] {
        let served = idle(version).await;
        let faults = served.simulator.faults();
        let hijacked = version == "2.0.5";
        // Cut after 40 seconds.
        faults.set(STREAM, Fault::CutAfter(seconds(40)));
        let started = Instant::now();
        let mut reader = served.subscribe(NODES).await;
        let mut lines = 0;
        while reader.text().await.is_some() {
            lines += 1;
        }
        assert_eq!((lines, started.elapsed().as_secs()), (3, 40), "two heartbeats and the node");
        // Only a chunked response shows the client that its end is missing.
        assert_eq!((reader.cut, reader.ended), (!hijacked, hijacked), "{version}");
        // Cut in the middle of a line.
        faults.set(STREAM, Fault::Truncate(100));
        let mut reader = served.subscribe(NODES).await;
        assert_eq!(reader.text().await.as_deref(), Some("{}"));
        assert!(reader.text().await.is_none());
        assert_eq!(reader.rest().len(), 97);
        // Cut at once.
        faults.clear();
        let mut reader = served.subscribe(NODES).await;
        assert_eq!(reader.lines_so_far().await.len(), 1);
        faults.set(STREAM, Fault::Close);
        assert!(reader.text().await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn faults_slow_down_or_suspend_a_stream() {
    let served = idle("2.0.5").await;
    let faults = served.simulator.faults();
    faults.set(STREAM, Fault::Drip(seconds(1)));
    let started = Instant::now();
    let mut reader = served.subscribe(NODES).await;
    assert_eq!(reader.text().await.as_deref(), Some("{}"));
    assert_eq!(started.elapsed().as_secs(), 2, "three bytes, the first without a pause");
    faults.set(STREAM, Fault::Hang);
    write(&served, 1);
    assert!(timeout(seconds(600), reader.bytes()).await.is_err());
    faults.clear();
    let nodes = [reader.line().await, reader.line().await];
    assert!(nodes.iter().flatten().count() == 2, "suspended lines are sent afterwards");
}

#[tokio::test(start_paused = true)]
async fn a_fault_ends_a_stream_like_a_buffer_overflow() {
    let served = idle("1.10.5").await;
    let mut reader = served.subscribe(NODES).await;
    reader.lines_so_far().await;
    served.simulator.faults().set(STREAM, Fault::Events(EventFault::Dropped));
    write(&served, 1);
    assert!(reader.line().await.is_none());
    assert_eq!(reader.rest(), b"event dropped from buffer");
    assert!(reader.ended);
}
