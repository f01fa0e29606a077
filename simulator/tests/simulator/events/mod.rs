//! The event stream.

mod buffer;
mod contract;
mod faults;
mod reader;
mod refusals;
mod replayed;
mod topics;
mod transactions;

use nomad_simulator::{Cluster, Settings};

use crate::world::{Served, World, empty, node};
pub(crate) use reader::Reader;

/// All topics that the simulator publishes, in all namespaces.
const EVERYTHING: &str =
    "namespace=*&topic=Job&topic=Allocation&topic=Evaluation&topic=Deployment&topic=Node&topic=NodePool";

impl Served {
    async fn subscribe(&self, query: &str) -> Reader {
        Reader::open(&self.simulator.url(), query, &[]).await
    }
}

/// Serves a cluster with one node, in which nothing has happened yet.
async fn idle(version: &str) -> Served {
    let mut world = empty(version, 1);
    world.cluster.create_namespace("ci");
    world.serve().await
}

/// Writes a node this many times.
fn write(served: &Served, times: usize) {
    let node = served.nodes[0];
    let mut cluster = served.cluster();
    (0..times).for_each(|number| cluster.set_eligibility(node, number % 2 == 1));
}

/// Serves a cluster whose event buffer has this size; `None` disables the stream.
async fn buffering(version: &str, size: Option<usize>) -> Served {
    let settings =
        Settings { version: version.parse().expect("a version"), event_buffer: size, ..Settings::default() };
    let mut cluster = Cluster::new(settings);
    let nodes = vec![cluster.register_node(node(0))];
    World { cluster, nodes }.serve().await
}
