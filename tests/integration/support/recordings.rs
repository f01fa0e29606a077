//! Recorded responses of real Nomad agents.

use std::net::SocketAddr;

use nomad_simulator::{Backend, Recording, Simulator};
use serde_json::Value;

/// All folders of recordings.
pub(crate) const ALL: [&str; 10] = [
    "2.0.5",
    "2.0.5-drain",
    "2.0.5-after",
    "2.0.5-outcomes",
    "1.4.14",
    "1.4.14-drain",
    "1.1.18",
    "1.1.18-drain",
    "2.0.5-acl-exporter",
    "2.0.5-acl-bad-token",
];

/// Returns the folders whose token may read the cluster.
pub(crate) fn readable() -> impl Iterator<Item = &'static str> {
    ALL.into_iter().filter(|name| *name != "2.0.5-acl-bad-token")
}

/// Replays a folder.
pub(crate) async fn replay(name: &str) -> Simulator {
    replay_on(name, SocketAddr::from(([127, 0, 0, 1], 0))).await
}

/// Replays a folder on this address.
pub(crate) async fn replay_on(name: &str, address: SocketAddr) -> Simulator {
    let folder = super::path("tests/fixtures/recordings").join(name);
    let recording = Recording::load(&folder).unwrap();
    Simulator::start_on(address, Backend::Replay(recording)).await.unwrap()
}

/// Returns a recorded response as JSON.
pub(crate) fn json(name: &str, file: &str) -> Value {
    let text = super::read(&format!("tests/fixtures/recordings/{name}/{file}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}/{file}: {error}"))
}

/// Returns the rows of a recorded list.
pub(crate) fn rows(name: &str, file: &str) -> Vec<Value> {
    json(name, file).as_array().expect("a list").clone()
}
