//! All enabled collectors and their shared state.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::task::JoinSet;

use super::collectors::collector;
use super::context::{Context, Settings};
use super::observers::Observers;
use super::outage::Outage;
use super::report::FetchError;
use super::runner::Runner;
use super::scheduler;
use super::store::Store;
use crate::nomad::Client;
use crate::snapshot::{CollectorId, Snapshot};

/// All enabled collectors, in the order of the collector table, so that each comes after the ones it depends
/// on.
pub struct Collectors {
    /// Client, settings and clock of all collectors.
    pub context: Arc<Context>,
    /// Store that refreshes update.
    pub store: Arc<Store>,
    runners: Vec<Runner>,
}

impl Collectors {
    /// Creates the collectors that the settings enable. Sends no requests.
    pub fn new(client: Client, settings: Settings, now: fn() -> SystemTime) -> Self {
        let store = Arc::new(Store::new(&settings));
        let context = Arc::new(Context { client, settings, now });
        let observers = Arc::new(Observers::default());
        let outage = Arc::new(Outage::new(context.settings.logged_changes));
        let runner = |id| {
            let (context, store, observers) = (context.clone(), store.clone(), observers.clone());
            Runner::new(collector(id), context, store, observers, outage.clone())
        };
        let runners = context.settings.collectors.iter().map(runner).collect();
        Self { context, store, runners }
    }

    /// Returns the enabled collectors, in the order of the collector table.
    pub fn ids(&self) -> Vec<CollectorId> {
        self.runners.iter().map(|runner| runner.row.id).collect()
    }

    /// Returns the current data.
    pub fn snapshot(&self) -> Snapshot {
        self.store.snapshot((self.context.now)())
    }

    /// Refreshes a collector once, if it is enabled. The collectors it depends on must have been refreshed
    /// before.
    pub async fn refresh(&mut self, id: CollectorId) -> Result<(), FetchError> {
        match self.runners.iter_mut().find(|runner| runner.row.id == id) {
            Some(runner) => runner.refresh().await,
            None => Ok(()),
        }
    }

    /// Returns whether a collector is down because Nomad cannot be reached.
    pub fn is_unreachable(&self, id: CollectorId) -> bool {
        self.runners.iter().any(|runner| runner.row.id == id && runner.is_unreachable())
    }

    /// Refreshes every collector once. They run concurrently, except that a collector waits for the ones it
    /// depends on. Returns the failures, in the order of the collector table.
    pub async fn refresh_all(&mut self) -> Vec<(CollectorId, FetchError)> {
        let mut refreshes = JoinSet::new();
        for mut runner in self.runners.drain(..) {
            refreshes.spawn(async move {
                let result = runner.refresh().await;
                (runner, result)
            });
        }
        let mut ended = refreshes.join_all().await;
        ended.sort_unstable_by_key(|(runner, _)| runner.row.id);
        let mut failed = Vec::new();
        for (runner, result) in ended {
            failed.extend(result.err().map(|error| (runner.row.id, error)));
            self.runners.push(runner);
        }
        failed
    }

    /// Refreshes every collector periodically, on its own schedule. Never returns; dropping the future
    /// cancels all refreshes.
    pub async fn run(self) {
        scheduler::run(self.runners).await;
    }
}
