//! Builds that start and end: a simulated cluster whose objects are added to the lists of copies, and whose
//! changes the event stream reports.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::answer::{Answer, Events};
use crate::api::{self, Lines, Subscription};
use crate::cluster::{Cluster, GcSettings, JobSpec, NodeSpec, Settings, Span};
use crate::request::Request;

use super::{BUSY_INDEX, NAMESPACES};

/// Run time of builds.
const RUN_TIME: Span = Span { min: Duration::from_secs(30), max: Duration::from_secs(90) };
/// Age at which finished builds are garbage-collected.
const REMEMBERED: Duration = Duration::from_secs(180);
/// Number of builds per node.
const BUILDS_OF_A_NODE: u64 = 60;
/// Share of builds that fail.
const FAILS: f64 = 0.05;

/// The cluster of the builds.
#[derive(Debug)]
pub(super) struct Builds {
    cluster: Cluster,
    per_minute: u64,
    began: Instant,
    submitted: u64,
}

impl Builds {
    /// Creates a cluster that starts this number of builds per minute, at equal intervals.
    pub(super) fn new(per_minute: u64) -> Self {
        let gc = GcSettings {
            job: REMEMBERED,
            evaluation: REMEMBERED,
            batch_evaluation: REMEMBERED,
            ..GcSettings::default()
        };
        let mut cluster = Cluster::new(Settings { start: SystemTime::now(), gc, ..Settings::default() });
        // Indexes start above those of the copies, so that all changes are newer than the copies.
        cluster.begin_at(BUSY_INDEX);
        NAMESPACES.iter().for_each(|namespace| cluster.create_namespace(namespace));
        for number in 0..=2 * per_minute / BUILDS_OF_A_NODE {
            cluster.register_node(NodeSpec::new(&format!("builder-{number}")));
        }
        Self { cluster, per_minute, began: Instant::now(), submitted: 0 }
    }

    /// Advances the cluster to the current time and returns it.
    fn now(&mut self) -> &mut Cluster {
        let elapsed = self.began.elapsed();
        let due = (elapsed.as_secs_f64() * self.per_minute as f64 / 60.0) as u64;
        let start = self.cluster.settings.start;
        let passed = |cluster: &Cluster| cluster.now().duration_since(start).unwrap_or_default();
        while self.submitted < due {
            self.submitted += 1;
            let at = Duration::from_secs_f64(self.submitted as f64 * 60.0 / self.per_minute as f64);
            self.cluster.advance(at.saturating_sub(passed(&self.cluster)));
            let namespace = NAMESPACES[self.submitted as usize % NAMESPACES.len()];
            let build = JobSpec::batch(&format!("coming-{}", self.submitted)).in_namespace(namespace);
            self.cluster.submit(build.with_resources(100, 64).running_for(RUN_TIME).failing(FAILS));
        }
        self.cluster.advance(elapsed.saturating_sub(passed(&self.cluster)));
        &mut self.cluster
    }

    pub(super) fn answer(&mut self, request: &Request) -> Answer {
        let cluster = self.now();
        let mut answer = api::answer(cluster, request);
        if let Some(Events::Stream(subscription)) = &mut answer.events {
            subscription.begin(cluster);
        }
        answer
    }

    pub(super) fn lines(&mut self, subscription: &mut Subscription) -> Lines {
        subscription.next(self.now())
    }

    pub(super) fn leave(&mut self, subscription: &mut Subscription) {
        subscription.leave(&mut self.cluster);
    }
}
