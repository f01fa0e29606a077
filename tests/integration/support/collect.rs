//! One collection, in this process.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use nomad_exporter::collect::{COLLECTORS, Collectors, Context, Store};
use nomad_exporter::config::{self, Config};
use nomad_exporter::exposition::{Encoding, Format, Rendered};
use nomad_exporter::metrics::{Own, OwnMetrics, Selection};
use nomad_exporter::nomad::{Client, Endpoint};
use nomad_exporter::snapshot::Snapshot;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::exposition::Exposition;
use super::process::SOON;

/// The time at which tests collect: after everything was recorded.
pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_360_000)
}

/// An exporter without a web server.
pub(crate) struct Collector {
    pub(crate) context: Arc<Context>,
    store: Arc<Store>,
    /// `None` once they run in the background.
    collectors: Mutex<Option<Collectors>>,
    own: Arc<OwnMetrics>,
    selection: Selection,
}

impl Collector {
    /// Creates a collector for the given address, with further command-line arguments.
    pub(crate) fn new(url: &str, arguments: &[&str]) -> Self {
        Self::with_clock(url, arguments, now)
    }

    /// The same with another clock.
    pub(crate) fn with_clock(url: &str, arguments: &[&str], now: fn() -> SystemTime) -> Self {
        let line = [&["nomad-exporter", "--nomad.address", url], arguments].concat();
        let mut config = Config::new(config::parse(line).unwrap(), &|_| None).unwrap();
        // Tests refresh when they want: requests are not spread.
        config.collect.client_spread = Duration::ZERO;
        let own = Arc::new(OwnMetrics::new().unwrap());
        let counters = own.clone();
        let on_request = Arc::new(move |done: nomad_exporter::nomad::RequestDone| {
            counters.request_done(done.endpoint.as_str(), done.reason.as_str(), done.duration, done.bytes);
        });
        let client = Client::new(config.nomad, on_request).unwrap();
        let collectors = Collectors::new(client, config.collect, now);
        Self {
            context: collectors.context.clone(),
            store: collectors.store.clone(),
            collectors: Mutex::new(Some(collectors)),
            own,
            selection: config.selection,
        }
    }

    /// Refreshes every collector once.
    pub(crate) async fn refresh(&self) {
        let mut collectors = self.collectors.lock().await;
        let collectors = collectors.as_mut().expect("they have not been started");
        for id in collectors.ids() {
            // The store has the result.
            drop(collectors.refresh(id).await);
        }
    }

    /// Starts the refreshes by the clock.
    pub(crate) async fn start(&self) -> JoinHandle<()> {
        let collectors = self.collectors.lock().await.take().expect("they were not started before");
        tokio::spawn(collectors.run())
    }

    /// Reads Nomad's event stream from now on.
    pub(crate) async fn start_following(&self) -> JoinHandle<()> {
        let collectors = self.collectors.lock().await;
        tokio::spawn(collectors.as_ref().expect("they do not run by themselves").follow())
    }

    /// The same, and waits until the stream is open.
    pub(crate) async fn follow(&self) {
        self.start_following().await;
        self.until_following().await;
    }

    /// Waits until the event stream is open.
    pub(crate) async fn until_following(&self) {
        let open = async {
            while !self.context.events.is_open() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(SOON, open).await.expect("the stream opens");
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.store.snapshot((self.context.now)())
    }

    pub(crate) fn own(&self) -> Own {
        let events = &self.context.events;
        if self.context.settings.events {
            self.own.bytes_received(Endpoint::EventStream.as_str(), events.bytes());
            self.own.event_stream(events.is_open(), events.counts(), events.corrections());
        }
        self.own.gather()
    }

    pub(crate) fn render(&self) -> Rendered {
        Rendered::new(Arc::new(self.snapshot()), self.own(), self.selection.clone(), None)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.render().bytes(Format::Text, Encoding::Identity).to_vec()).unwrap()
    }

    pub(crate) fn exposition(&self) -> Exposition {
        Exposition::parse(&self.text())
    }
}

/// Returns the flags that disable all collectors but these.
pub(crate) fn only(kept: &[&str]) -> Vec<String> {
    let others = COLLECTORS.iter().filter(|collector| !kept.contains(&collector.name()));
    others.map(|collector| format!("--no-collector.{}", collector.name())).collect()
}

/// Returns the exposition of one collection from an address.
pub(crate) async fn collect(url: &str, arguments: &[&str]) -> Exposition {
    let collector = Collector::new(url, arguments);
    collector.refresh().await;
    collector.exposition()
}
