//! A cluster that changes all the time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use nomad_simulator::cluster::{ClientStatus, GcSettings, Ledger, Settings};
use nomad_simulator::{Scenario, SharedCluster};

/// Simulated seconds per real second.
const SPEED: u32 = 5;
const CLIENTS: usize = 12;
/// Time for which the cluster retains ended objects: a real minute, in which every list is read many times.
const REMEMBERED: Duration = Duration::from_secs(300);
/// Simulated time before the exporter starts, after which as much is garbage-collected as is created, so that
/// the cluster does not grow.
const PRELUDE: Duration = Duration::from_secs(900);

pub(crate) struct World {
    pub(crate) cluster: SharedCluster,
    scenario: Scenario,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let gc = GcSettings {
            interval: Duration::from_secs(30),
            evaluation: REMEMBERED,
            batch_evaluation: REMEMBERED,
            job: REMEMBERED,
            deployment: REMEMBERED,
            node: REMEMBERED,
        };
        let start = SystemTime::now();
        let (mut cluster, mut scenario) =
            Scenario::new(Settings { seed, start, gc, ..Settings::default() }, CLIENTS);
        scenario.advance(&mut cluster, PRELUDE);
        Self { cluster: Arc::new(Mutex::new(cluster)), scenario }
    }

    /// Advances by this real time.
    pub(crate) fn advance(&mut self, time: Duration) {
        self.scenario.advance(&mut self.cluster.lock().unwrap(), time * SPEED);
    }

    pub(crate) fn ledger(&self) -> Ledger {
        self.cluster.lock().unwrap().ledger()
    }

    /// Returns the remaining allocations of drains, by node.
    pub(crate) fn waited_for(&self) -> BTreeMap<String, usize> {
        let loads = self.ledger().loads.into_iter();
        loads
            .map(|(node, load)| {
                let live = |status| load.live.get(&status).copied().unwrap_or_default();
                let system = 1;
                let all =
                    live(ClientStatus::Pending) + live(ClientStatus::Running) + live(ClientStatus::Unknown);
                (node.to_string(), load.drain_remaining.unwrap_or(all.saturating_sub(system)))
            })
            .collect()
    }
}
