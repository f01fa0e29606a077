//! Specifications of the jobs with queued instances: what one instance asks for. One request for each, once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::fan_out;
use crate::collect::observers::Observers;
use crate::collect::report::FetchError;
use crate::collect::units::{bytes, hertz};
use crate::collect::whole;
use crate::nomad::api::{JobSpecification, TaskGroup};
use crate::nomad::{Endpoint, Error, Reason, Request};
use crate::snapshot::{
    Ask, LiveJobs, Queue, Sections, Specification, SpecificationKey, Specifications, Whole,
};

/// How many jobs are asked about at once.
const CONCURRENCY: usize = 4;
/// The longest pause before a refused specification is requested again. The first is a history interval.
const LONGEST_PAUSE: Duration = Duration::from_secs(900);

/// Reads the specifications that are not known yet, the oldest first and not more than the cap; those that nothing
/// queued needs any more are forgotten.
pub(in crate::collect) struct SpecificationsCollector {
    /// Those of the last refresh.
    known: Arc<Specifications>,
    /// Those that may not be read: a policy may be changed, so they are requested again.
    refused: HashMap<SpecificationKey, Refused>,
}

/// When a refused specification is requested again.
#[derive(Clone, Copy)]
struct Refused {
    pause: Duration,
    until: Instant,
}

reads!(SpecificationsCollector: LiveJobs);

impl Collect for SpecificationsCollector {
    fn new(_: &Observers) -> Self {
        Self { known: Arc::default(), refused: HashMap::new() }
    }

    async fn collect(
        &mut self,
        context: &Arc<Context>,
        upstream: &Newest<'_, Self>,
    ) -> Result<Refresh, FetchError> {
        let jobs = upstream.need::<LiveJobs>().await?;
        let is_queued = |key: &SpecificationKey| jobs.queue.by_specification.contains_key(key);
        let known = self.known.by_key.iter();
        let mut by_key: HashMap<_, _> = known
            .filter(|(key, _)| is_queued(key))
            .map(|(key, specification)| (key.clone(), specification.clone()))
            .collect();
        let mut whole = self.known.whole.clone();
        whole.retain(|key, _| is_queued(key));
        self.refused.retain(|key, _| is_queued(key));
        let unknown = self.unknown(&jobs.queue, context.settings.max_specifications);
        let refused = &mut self.refused;
        let done = |(key, answer): (SpecificationKey, Answer)| match answer {
            Answer::Read(specification, wholes) => {
                refused.remove(&key);
                if !wholes.is_empty() {
                    whole.insert(key.clone(), wholes);
                }
                by_key.insert(key, Some(specification));
            }
            Answer::Refused => {
                let last = refused.get(&key).copied();
                refused.insert(key.clone(), Refused::again(last, context.settings.history_interval));
                by_key.insert(key, None);
            }
            // It was deleted since it was listed, and will not be queued for long.
            Answer::Gone => {}
        };
        fan_out::each(unknown, CONCURRENCY, Duration::ZERO, |key| ask(context.clone(), key), done).await?;
        let objects = by_key.values().flatten().count() as u64;
        self.known = Arc::new(Specifications { by_key, whole });
        let sections = Sections { specifications: Some(self.known.clone()), ..Sections::default() };
        Ok(Refresh { sections, objects, ..Refresh::default() })
    }
}

impl SpecificationsCollector {
    /// Returns what to request now: what was never requested, then what was refused, the oldest first.
    fn unknown(&self, queue: &Queue, limit: usize) -> Vec<SpecificationKey> {
        let now = Instant::now();
        let mut by_age: Vec<_> = queue
            .by_specification
            .iter()
            .filter(|(key, _)| match self.refused.get(*key) {
                Some(refused) => refused.until <= now,
                None => !self.known.by_key.contains_key(*key),
            })
            .map(|(key, queued)| (self.refused.contains_key(key), queued.submitted, key))
            .collect();
        by_age.sort_unstable();
        by_age.into_iter().take(limit).map(|(_, _, key)| key.clone()).collect()
    }
}

impl Refused {
    /// Doubles the pause with every refusal.
    fn again(last: Option<Self>, first_pause: Duration) -> Self {
        let longest = LONGEST_PAUSE.max(first_pause);
        let pause = last.map_or(first_pause, |last| (2 * last.pause).min(longest));
        Self { pause, until: Instant::now() + pause }
    }
}

enum Answer {
    /// What an allocation of each group requests, and of what cores and devices.
    Read(Specification, BTreeMap<String, Whole>),
    Refused,
    Gone,
}

async fn ask(context: Arc<Context>, key: SpecificationKey) -> Result<(SpecificationKey, Answer), Error> {
    let request = Request::new(Endpoint::Job, format!("/v1/job/{}", Request::escape(&key.job_id)));
    let request = request.query("namespace", &key.namespace);
    match context.client.object::<Option<JobSpecification>>(request).await {
        Ok((job, _)) => {
            let job = job.unwrap_or_default();
            Ok((key, Answer::Read(specification(&job), wholes(&job))))
        }
        Err(error) if error.reason() == Reason::Forbidden => Ok((key, Answer::Refused)),
        Err(error) if error.reason() == Reason::NotFound => Ok((key, Answer::Gone)),
        Err(error) => Err(error),
    }
}

fn specification(job: &JobSpecification) -> Specification {
    let groups = job.task_groups.iter().flatten().flatten();
    groups.filter_map(|group| Some((group.name.clone()?, ask_of(group)))).collect()
}

/// The cores and devices of groups that request any.
fn wholes(job: &JobSpecification) -> BTreeMap<String, Whole> {
    let groups = job.task_groups.iter().flatten().flatten();
    let groups = groups.filter_map(|group| Some((group.name.clone()?, whole::requested(group))));
    groups.filter(|(_, whole)| !whole.is_empty()).collect()
}

fn ask_of(group: &TaskGroup) -> Ask {
    let total = group.total();
    Ask {
        cpu_hertz: hertz(total.cpu_mhz),
        memory_bytes: bytes(total.memory_mib),
        disk_bytes: bytes(total.disk_mib),
        cores: group.asks_for_cores(),
    }
}
