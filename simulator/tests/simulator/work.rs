//! Counts the work that responses would cause on a server: filtered, compared and sent rows.

use nomad_simulator::{Cluster, Load, Settings, Simulator, Size, Work};

use crate::client::get;

/// Returns the cost of the response to one request.
async fn cost(simulator: &Simulator, target: &str) -> Work {
    simulator.clear_requests();
    get(&simulator.url(), target).await;
    let work = simulator.requests()[0].work;
    assert_eq!(simulator.work(), work, "{target}");
    work
}

fn work(filtered: u64, compared: u64, sent: u64) -> Work {
    Work { filtered, compared, sent, single: 0 }
}

#[tokio::test]
async fn a_filter_looks_at_all_that_exists() {
    let simulator = Simulator::start(Load::new(Size::S, 1).into()).await.unwrap();
    let live = "/v1/jobs?namespace=*&filter=Status%20!=%20%22dead%22";
    assert_eq!(cost(&simulator, live).await, work(5_503, 0, 503));
    assert_eq!(cost(&simulator, "/v1/jobs?namespace=*").await, work(0, 0, 5_503));
    let none = "/v1/allocations?namespace=*&filter=ClientStatus%20==%20%22lost%22";
    assert_eq!(cost(&simulator, none).await, work(5_500, 0, 0));
    let running = "/v1/allocations?namespace=*&filter=ClientStatus%20==%20%22running%22";
    assert_eq!(cost(&simulator, running).await, work(5_500, 0, 500));
}

#[tokio::test]
async fn a_page_of_one_row_and_a_status_cost_little() {
    let simulator = Simulator::start(Load::new(Size::S, 1).into()).await.unwrap();
    for list in ["/v1/jobs?namespace=*", "/v1/allocations?namespace=*", "/v1/nodes?"] {
        assert_eq!(cost(&simulator, &format!("{list}&per_page=1")).await, work(0, 0, 1), "{list}");
    }
    let all = cost(&simulator, "/v1/evaluations?namespace=*").await.sent;
    assert!(all > 5_000, "{all}");
    let blocked = cost(&simulator, "/v1/evaluations?namespace=*&status=blocked").await;
    assert_eq!(blocked, work(0, all, 25));
}

#[tokio::test]
async fn a_living_cluster_counts_too() {
    let mut cluster = Cluster::new(Settings::default());
    for name in ["one", "two", "three"] {
        cluster.create_node_pool(name);
    }
    let simulator = Simulator::start(cluster.into()).await.unwrap();
    let (pools, first) = ("/v1/node/pools", "/v1/node/pools?filter=Name%20==%20%22one%22");
    let all = cost(&simulator, pools).await.sent;
    assert!(all >= 3, "{all}");
    assert_eq!(cost(&simulator, first).await, work(all, 0, 1));
    assert_eq!(cost(&simulator, "/v1/node/pools?per_page=2").await, work(0, 0, 2));
    let told = get(&simulator.url(), "/simulator/work").await.json();
    assert_eq!(told, serde_json::json!({"filtered": 0, "compared": 0, "sent": 2, "single": 0}));
    assert_eq!(
        cost(&simulator, "/v1/jobs?prefix=build&per_page=1").await,
        Work { single: 1, ..work(0, 0, 0) }
    );
}
