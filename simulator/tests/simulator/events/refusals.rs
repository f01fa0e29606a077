//! Refused subscriptions, and how each version reports them.

use std::collections::BTreeMap;

use nomad_simulator::cluster::{Acl, Policy};
use nomad_simulator::{Cluster, Settings};
use tokio::time::Instant;

use crate::client::{get, put, send};
use crate::world::{Served, World, build};

use super::reader::Reader;
use super::{EVERYTHING, buffering, idle};

const JOBS: &str = "topic=Job&topic=Allocation&topic=Evaluation&topic=Deployment";

async fn guarded(version: &str) -> Served {
    let tokens =
        [("all", Policy::exporter()), ("narrow", Policy::narrow(&["ci"])), ("root", Policy::management())];
    let acl = Acl::On(BTreeMap::from(tokens.map(|(token, policy)| (token.to_owned(), policy))));
    let version = version.parse().expect("a version");
    let mut cluster = Cluster::new(Settings { acl, version, ..Settings::default() });
    cluster.create_namespace("ci");
    World { cluster, nodes: Vec::new() }.serve().await
}

async fn open(served: &Served, token: &str, query: &str) -> Reader {
    let header = [("X-Nomad-Token", token)];
    Reader::open(&served.simulator.url(), query, if token.is_empty() { &[] } else { &header }).await
}

/// Returns status and text of a refusal; `None` if the stream starts.
async fn refusal(served: &Served, token: &str, query: &str) -> Option<(u16, String)> {
    let header = [("X-Nomad-Token", token), ("Connection", "close")];
    let mut reader = Reader::open(&served.simulator.url(), query, &header).await;
    if reader.status == 200 {
        assert_eq!(reader.text().await.as_deref(), Some("{}"), "{query}");
        return None;
    }
    let target = format!("/v1/event/stream?{query}");
    let reply = send(&served.simulator.url(), "GET", &target, &header).await.expect("an answer");
    Some((reply.status, reply.text().to_owned()))
}

#[tokio::test(start_paused = true)]
async fn older_versions_refuse_with_an_error_status() {
    let denied = |status| Some((status, "Permission denied".to_owned()));
    let all = format!("namespace=*&{JOBS}");
    let of_one = format!("namespace=ci&{JOBS}");
    let (default, nodes, pools) = (JOBS, "topic=Node", "topic=NodePool");
    // Status without permission, with an unknown token, and with permission in only some of the namespaces.
    for (version, unable, unknown, some) in
        [("1.4.14", 500, 500, None), ("1.7.7", 500, 403, None), ("1.10.5", 403, 403, Some(403))]
    {
        let served = guarded(version).await;
        for query in [&all, &of_one, default, nodes] {
            assert_eq!(refusal(&served, "all", query).await, None, "{version} {query}");
            assert_eq!(refusal(&served, "bogus", query).await, denied(unknown), "{version} {query}");
        }
        assert_eq!(refusal(&served, "narrow", &of_one).await, None, "{version}");
        assert_eq!(refusal(&served, "narrow", &all).await, some.and_then(denied), "{version}");
        assert_eq!(refusal(&served, "narrow", default).await, denied(unable), "{version}");
        for everything in [pools, "namespace=*", "topic=Dream"] {
            assert_eq!(refusal(&served, "all", everything).await, denied(unable), "{version} {everything}");
            assert_eq!(refusal(&served, "root", everything).await, None, "{version} {everything}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn newer_versions_refuse_with_status_200_and_an_empty_body() {
    let served = guarded("2.0.5").await;
    let all = format!("namespace=*&{JOBS}");
    let refused =
        [("", all.as_str()), ("bogus", &all), ("narrow", &all), ("narrow", JOBS), ("all", "topic=NodePool")];
    for (number, (token, query)) in refused.into_iter().enumerate() {
        let started = Instant::now();
        let mut reader = open(&served, token, query).await;
        assert_eq!((reader.status, reader.text().await), (200, None), "{token} {query}");
        // The connection closes at once or much later, when Go's garbage collector runs.
        assert_eq!(started.elapsed().as_secs() >= 60, number % 2 == 1, "{token} {query}");
        assert!(reader.ended && reader.head.contains("connection: close"), "{}", reader.head);
    }
    let mut reader = open(&served, "all", &all).await;
    assert_eq!(reader.text().await.as_deref(), Some("{}"));
}

#[tokio::test]
async fn invalid_subscriptions_have_an_error_status_in_every_version() {
    for version in ["2.0.5", "1.4.14"] {
        let served = idle(version).await;
        let url = served.simulator.url();
        let told = async |query: &str| {
            let reply = get(&url, &format!("/v1/event/stream?{query}")).await;
            (reply.status, reply.text().to_owned())
        };
        let parsing = "Unable to parse index: strconv.Atoi: parsing \"x\": invalid syntax";
        assert_eq!(told("index=x").await, (400, parsing.to_owned()));
        let topic =
            "Invalid topic query: error parsing topics: Invalid key value pair for topic, topic: a:b:c";
        assert_eq!(told("topic=a:b:c").await, (400, topic.to_owned()));
        assert_eq!(put(&url, "/v1/event/stream", "", "").await.status, 405);
    }
}

#[tokio::test]
async fn a_missing_disabled_or_unreadable_stream_is_an_error() {
    let status = async |served: Served| get(&served.simulator.url(), "/v1/event/stream").await.status;
    assert_eq!(status(idle("0.12.12").await).await, 404);
    assert_eq!(status(buffering("1.10.5", None).await).await, 500);
    let unreadable = idle("1.11.2").await;
    let answer = send(&unreadable.simulator.url(), "GET", "/v1/event/stream", &[]).await;
    assert!(answer.is_err(), "no client accepts the response: {answer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_if_its_token_loses_permission() {
    let served = guarded("1.10.5").await;
    let mut reader = open(&served, "all", JOBS).await;
    let mut other = open(&served, "root", JOBS).await;
    reader.lines_so_far().await;
    let acl = Acl::On(BTreeMap::from([("root".to_owned(), Policy::management())]));
    served.cluster().change_acl(acl);
    assert!(reader.line().await.is_none());
    assert_eq!(reader.rest(), b"subscription closed by server, client should resubscribe");
    assert!(other.lines_so_far().await.is_empty() && !other.ended);
}

#[tokio::test(start_paused = true)]
async fn newer_versions_send_no_events_of_namespaces_created_later() {
    for (version, seen) in [("2.0.5", 0), ("1.7.7", 2)] {
        let served = idle(version).await;
        let mut reader = served.subscribe(EVERYTHING).await;
        reader.lines_so_far().await;
        served.cluster().submit(build("one").in_namespace("late"));
        assert_eq!(reader.lines_so_far().await.len(), seen, "{version}");
        let mut reader = served.subscribe("namespace=*&topic=Job").await;
        assert_eq!(reader.lines_so_far().await.len(), 1, "{version}");
    }
}
