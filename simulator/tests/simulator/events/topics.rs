//! Selection by topic, key and namespace, and compression.

use std::collections::BTreeSet;
use std::io::Read;

use crate::world::{Served, build, empty, seconds};

use super::reader::{Reader, events, names};
use super::{EVERYTHING, idle, write};

/// Serves a cluster with two builds, one of which has finished.
async fn builds() -> Served {
    let served = empty("2.0.5", 1).serve().await;
    served.cluster().submit(build("one").running_for(seconds(5)));
    served.cluster().submit(build("two"));
    served.cluster().create_node_pool("builders");
    served.cluster().advance(seconds(30));
    served
}

async fn topics(served: &Served, query: &str) -> Vec<String> {
    let lines = served.subscribe(query).await.lines_so_far().await;
    let kinds = lines.iter().flat_map(names);
    kinds.map(|kind| kind.split('/').next().expect("a topic").to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn topics_select_events() {
    let served = builds().await;
    let all: BTreeSet<String> = topics(&served, "namespace=*").await.into_iter().collect();
    assert_eq!(all, ["Allocation", "Evaluation", "Job", "Node", "NodePool"].map(str::to_owned).into());
    let some: BTreeSet<String> =
        topics(&served, "namespace=*&topic=Job&topic=Node").await.into_iter().collect();
    assert_eq!(some, ["Job", "Node"].map(str::to_owned).into());
    assert!(topics(&served, "namespace=*&topic=Dream").await.is_empty());
    // Builds are in another namespace; nodes have no namespace.
    assert!(topics(&served, "topic=Job").await.is_empty());
    assert!(!topics(&served, "topic=Node").await.is_empty());
    assert_eq!(topics(&served, "namespace=*").await.len(), topics(&served, EVERYTHING).await.len());
}

#[tokio::test(start_paused = true)]
async fn keys_select_events() {
    let served = builds().await;
    let mut reader = served.subscribe("namespace=ci&topic=Job:two&topic=Allocation:two").await;
    let lines = reader.lines_so_far().await;
    let jobs = lines.iter().flat_map(events).map(|event| match event["Topic"].as_str() {
        Some("Job") => event["Key"].clone(),
        _ => event["FilterKeys"][0].clone(),
    });
    assert!(jobs.into_iter().all(|job| job == "two"));
    // Together with another key, `*` is not a wildcard.
    let one = topics(&served, "namespace=ci&topic=Job:one").await;
    assert_eq!((one.len(), topics(&served, "namespace=ci&topic=Job:one&topic=Job").await.len()), (3, 3));
    assert!(topics(&served, "namespace=ci&topic=Job&topic=Job").await.is_empty());
    assert_eq!(topics(&served, "namespace=ci&topic=Job:one&topic=Job:one").await.len(), 6, "once per key");
}

#[tokio::test(start_paused = true)]
async fn older_versions_compress_on_request() {
    for (version, compresses) in [("1.10.5", true), ("2.0.5", false)] {
        let served = idle(version).await;
        write(&served, 3);
        let header = [("Accept-Encoding", "gzip")];
        let mut reader = Reader::open(&served.simulator.url(), "topic=Node", &header).await;
        assert_eq!(reader.head.contains("content-encoding: gzip"), compresses, "{version}");
        if compresses {
            while reader.rest().len() < 500 && reader.bytes().await {}
            let mut text = vec![0; 200];
            let mut plain = flate2::read::GzDecoder::new(reader.rest());
            plain.read_exact(&mut text).expect("what was flushed");
            assert!(text.starts_with(b"{}\n{\"Events\":[{\"FilterKeys\":null"), "{text:?}");
        } else {
            assert_eq!(reader.lines_so_far().await.len(), 4);
        }
    }
}
