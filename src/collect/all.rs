//! The collectors that are on, and what they share.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::task::JoinSet;

use super::collectors::collector;
use super::context::{Context, Settings};
use super::events::{self, Events};
use super::observers::Observers;
use super::outage::Outage;
use super::report::FetchError;
use super::runner::Runner;
use super::scheduler;
use super::store::Store;
use crate::nomad::Client;
use crate::snapshot::{CollectorId, Snapshot};

/// The collectors that are on, in the order of their table, so that each stands behind those that it depends on.
pub struct Collectors {
    /// What every collector is given.
    pub context: Arc<Context>,
    /// Where refreshes end.
    pub store: Arc<Store>,
    runners: Vec<Runner>,
}

impl Collectors {
    /// The collectors that the settings name; nothing is asked yet.
    pub fn new(client: Client, settings: Settings, now: fn() -> SystemTime) -> Self {
        let store = Arc::new(Store::new(&settings));
        let context = Arc::new(Context { client, events: Events::default(), settings, now });
        let observers = Arc::new(Observers::default());
        let outage = Arc::new(Outage::new(context.settings.logged_changes));
        let runner = |id| {
            let (context, store, observers) = (context.clone(), store.clone(), observers.clone());
            Runner::new(collector(id), context, store, observers, outage.clone())
        };
        let runners = context.settings.collectors.iter().map(runner).collect();
        Self { context, store, runners }
    }

    /// The collectors that are on, in the order of their table.
    pub fn ids(&self) -> Vec<CollectorId> {
        self.runners.iter().map(|runner| runner.row.id).collect()
    }

    /// What is known now.
    pub fn snapshot(&self) -> Snapshot {
        self.store.snapshot((self.context.now)())
    }

    /// Refreshes one collector once, if it is on. One that it depends on must have been refreshed before.
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

    /// Refreshes every collector once, all at the same time but for those that depend on others. Returns what failed, in
    /// the order of the table.
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

    /// Refreshes every collector again and again, each on its own clock, for ever. Dropping it ends all refreshes.
    pub async fn run(self) {
        let following = self.follow();
        tokio::join!(scheduler::run(self.runners), following);
    }

    /// Reads Nomad's event stream for ever, unless that is switched off.
    pub fn follow(&self) -> impl Future<Output = ()> + Send + use<> {
        events::follow(self.context.clone(), self.store.clone())
    }
}
