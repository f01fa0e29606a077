//! The cluster that never rests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use nomad_simulator::cluster::{ClientStatus, GcSettings, Ledger, Settings};
use nomad_simulator::{Scenario, SharedCluster};

/// Seconds of the cluster in one of ours.
const SPEED: u32 = 5;
const CLIENTS: usize = 12;
/// How long the cluster remembers what ended: a minute of ours, within which every list is read many times.
const REMEMBERED: Duration = Duration::from_secs(300);
/// What happened before anybody looks: as much is forgotten as is new, so that a cluster that grows is no excuse.
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

    /// Lets so much of our time pass.
    pub(crate) fn advance(&mut self, time: Duration) {
        self.scenario.advance(&mut self.cluster.lock().unwrap(), time * SPEED);
    }

    pub(crate) fn ledger(&self) -> Ledger {
        self.cluster.lock().unwrap().ledger()
    }

    /// What a drain still waits for, by node.
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
