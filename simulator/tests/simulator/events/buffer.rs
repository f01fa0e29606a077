//! Start position of readers, slow readers, heartbeats and restarts.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::world::{Served, build, seconds};

use super::reader::{Reader, index};
use super::{buffering, idle, write};

const NODES: &str = "namespace=*&topic=Node";

async fn indexes(served: &Served, query: &str) -> Vec<u64> {
    served.subscribe(&format!("{NODES}{query}")).await.lines_so_far().await.iter().map(index).collect()
}

#[tokio::test(start_paused = true)]
async fn a_reader_starts_at_the_requested_index_or_at_the_nearest_one_kept() {
    let served = idle("2.0.5").await;
    write(&served, 150);
    // A buffer of 100 keeps 101, because the empty item at the start of Nomad's buffer is not counted.
    let all = indexes(&served, "").await;
    assert_eq!(all.len(), 101);
    assert_eq!(indexes(&served, "&index=1").await, all, "dropped transactions are skipped silently");
    assert_eq!(indexes(&served, &format!("&index={}", all[60])).await, all[60..]);
    let newest = all[100];
    assert_eq!(indexes(&served, &format!("&index={newest}")).await, [newest]);
    assert_eq!(indexes(&served, &format!("&index={}", newest + 1)).await, [newest], "the last is repeated");
}

#[tokio::test(start_paused = true)]
async fn a_smaller_buffer_keeps_fewer_transactions() {
    let served = buffering("2.0.5", Some(3)).await;
    write(&served, 10);
    assert_eq!(indexes(&served, "").await.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_reader_gets_every_transaction_of_a_long_operation() {
    let served = buffering("2.0.5", Some(3)).await;
    let mut reader = served.subscribe(NODES).await;
    reader.lines_so_far().await;
    let first = index(&served.subscribe(NODES).await.line().await.expect("a line"));
    write(&served, 500);
    for number in 1..=500 {
        assert_eq!(reader.line().await.as_ref().map(index), Some(first + number));
    }
}

/// Writes until a reader that does not read is too slow, and then reads its stream to the end, which is before
/// the newest transaction.
async fn outrun(version: &str) -> Reader {
    let served = buffering(version, Some(10)).await;
    let mut reader = Reader::open_small(&served.simulator.url(), NODES).await;
    for _ in 0..30 {
        write(&served, 100);
        sleep(Duration::from_millis(100)).await;
    }
    let newest = index(&served.subscribe(&format!("{NODES}&index=1000000")).await.lines_so_far().await[0]);
    let mut last = 0;
    while let Some(line) = reader.line().await {
        last = index(&line);
    }
    assert!(last < newest, "{last} of {newest}");
    reader
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_gets_an_error_before_its_stream_ends() {
    let reader = outrun("1.10.5").await;
    assert_eq!(reader.rest(), b"event dropped from buffer");
    assert!(reader.ended && !reader.cut);
}

#[tokio::test(start_paused = true)]
async fn newer_versions_end_the_stream_of_a_slow_reader_without_an_error() {
    let reader = outrun("2.0.5").await;
    assert!(reader.rest().is_empty(), "{:?}", reader.rest());
}

#[tokio::test(start_paused = true)]
async fn heartbeats_are_sent_at_the_start_and_every_30_seconds() {
    for (version, at_once) in [("2.0.5", true), ("1.1.1", true), ("1.0.7", true), ("1.1.0", false)] {
        let served = idle(version).await;
        let started = Instant::now();
        let mut reader = served.subscribe("namespace=*&topic=Job").await;
        let mut times = Vec::new();
        for _ in 0..3 {
            assert_eq!(reader.text().await.as_deref(), Some("{}"));
            times.push(started.elapsed().as_secs());
        }
        let expected = if at_once { [0, 30, 60] } else { [30, 60, 90] };
        assert_eq!(times, expected, "{version}");
        // Events do not delay heartbeats.
        sleep(seconds(20)).await;
        served.cluster().submit(build("one"));
        assert!(reader.text().await.is_some_and(|line| line.contains("JobRegistered")));
        assert_eq!(reader.text().await.as_deref(), Some("{}"));
        assert_eq!(started.elapsed().as_secs(), expected[2] + 30);
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_ends_streams_and_empties_the_buffer() {
    let served = idle("1.10.5").await;
    write(&served, 5);
    let mut reader = served.subscribe(NODES).await;
    assert_eq!(reader.lines_so_far().await.len(), 6);
    served.cluster().restart_event_broker();
    assert!(reader.line().await.is_none());
    assert!(reader.ended);
    assert!(indexes(&served, "").await.is_empty());
    write(&served, 1);
    assert_eq!(indexes(&served, "&index=3").await.len(), 1);
}
