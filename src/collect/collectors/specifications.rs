//! Specifications of jobs with queued allocations and of jobs with series of their own: the requested
//! resources of an allocation, and the desired number of allocations. Each specification is requested once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::cores_and_devices;
use crate::collect::fan_out;
use crate::collect::observers::Observers;
use crate::collect::report::FetchError;
use crate::collect::units::{bytes, hertz};
use crate::nomad::api::{JobSpecification, TaskGroup};
use crate::nomad::{Endpoint, Error, Reason, Request};
use crate::snapshot::{
    FinishedJobs, GroupSpecification, LiveJobs, NamedJobs, Queue, ResourceRequest, Sections, Specification,
    SpecificationKey, Specifications,
};

/// Maximum number of concurrent requests.
const CONCURRENCY: usize = 4;
/// Maximum pause before a refused specification is requested again. The first pause is a history interval.
const LONGEST_PAUSE: Duration = Duration::from_secs(900);

/// Collector of specifications. Reads unknown ones up to the limit, those of queued allocations first, and
/// drops those that are no longer needed.
pub(in crate::collect) struct SpecificationsCollector {
    /// Specifications after the last refresh.
    known: Arc<Specifications>,
    /// Specifications that the token may not read. They are requested again, because its policies can change.
    refused: HashMap<SpecificationKey, Refused>,
}

/// When a refused specification is requested again.
#[derive(Clone, Copy)]
struct Refused {
    pause: Duration,
    until: Instant,
}

reads!(SpecificationsCollector: LiveJobs, FinishedJobs);

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
        let finished = upstream.get::<FinishedJobs>().await.unwrap_or_default();
        let named = keys_of([&jobs.named, &finished.named]);
        let is_needed =
            |key: &SpecificationKey| jobs.queue.by_specification.contains_key(key) || named.contains(key);
        let known = self.known.by_key.iter();
        let mut by_key: HashMap<_, _> = known
            .filter(|(key, _)| is_needed(key))
            .map(|(key, specification)| (key.clone(), specification.clone()))
            .collect();
        self.refused.retain(|key, _| is_needed(key));
        let unknown = self.unknown(&jobs.queue, &named, context.settings.max_specifications);
        let refused = &mut self.refused;
        let done = |(key, answer): (SpecificationKey, Answer)| match answer {
            Answer::Read(specification) => {
                refused.remove(&key);
                by_key.insert(key, Some(Arc::new(specification)));
            }
            Answer::Refused => {
                let last = refused.get(&key).copied();
                refused.insert(key.clone(), Refused::again(last, context.settings.history_interval));
                by_key.insert(key, None);
            }
            // The job was deleted after it was listed, so its allocations will not stay queued for long.
            Answer::Gone => {}
        };
        fan_out::each(unknown, CONCURRENCY, Duration::ZERO, |key| fetch(context.clone(), key), done).await?;
        let objects = by_key.values().flatten().count() as u64;
        self.known = Arc::new(Specifications { by_key });
        let sections = Sections { specifications: Some(self.known.clone()), ..Sections::default() };
        Ok(Refresh { sections, objects, ..Refresh::default() })
    }
}

impl SpecificationsCollector {
    /// Returns the specifications to request now. Those that were never requested come before refused ones;
    /// within each group, queued ones come first, the oldest first.
    fn unknown(
        &self,
        queue: &Queue,
        named: &HashSet<&SpecificationKey>,
        limit: usize,
    ) -> Vec<SpecificationKey> {
        let now = Instant::now();
        let is_unknown = |key: &SpecificationKey| match self.refused.get(key) {
            Some(refused) => refused.until <= now,
            None => !self.known.by_key.contains_key(key),
        };
        let queued = queue.by_specification.iter().map(|(key, queued)| (key, false, queued.submitted));
        let others = named.iter().filter(|key| !queue.by_specification.contains_key(**key));
        let all = queued.chain(others.map(|key| (*key, true, None)));
        let mut by_age: Vec<_> = all
            .filter(|(key, ..)| is_unknown(key))
            .map(|(key, is_other, submitted)| (self.refused.contains_key(key), is_other, submitted, key))
            .collect();
        by_age.sort_unstable();
        by_age.into_iter().take(limit).map(|(.., key)| key.clone()).collect()
    }
}

/// Returns the specifications of jobs with series of their own.
fn keys_of(named: [&NamedJobs; 2]) -> HashSet<&SpecificationKey> {
    let jobs = named.into_iter().flat_map(|named| named.by_namespace.values()).flat_map(|jobs| jobs.values());
    jobs.flat_map(|job| job.wanted.keys()).collect()
}

impl Refused {
    /// Doubles the pause after another refusal.
    fn again(last: Option<Self>, first_pause: Duration) -> Self {
        let longest = LONGEST_PAUSE.max(first_pause);
        let pause = last.map_or(first_pause, |last| (2 * last.pause).min(longest));
        Self { pause, until: Instant::now() + pause }
    }
}

enum Answer {
    Read(Specification),
    Refused,
    Gone,
}

async fn fetch(context: Arc<Context>, key: SpecificationKey) -> Result<(SpecificationKey, Answer), Error> {
    let request = Request::new(Endpoint::Job, format!("/v1/job/{}", Request::escape(&key.job_id)));
    let request = request.query("namespace", &key.namespace);
    match context.client.object::<Option<JobSpecification>>(request).await {
        Ok((job, _)) => Ok((key, Answer::Read(specification(&job.unwrap_or_default())))),
        Err(error) if error.reason() == Reason::Forbidden => Ok((key, Answer::Refused)),
        Err(error) if error.reason() == Reason::NotFound => Ok((key, Answer::Gone)),
        Err(error) => Err(error),
    }
}

fn specification(job: &JobSpecification) -> Specification {
    let groups = job.task_groups.iter().flatten().flatten();
    groups.filter_map(|group| Some((group.name.clone()?, of_group(group)))).collect()
}

fn of_group(group: &TaskGroup) -> GroupSpecification {
    let total = group.total();
    let request = ResourceRequest {
        cpu_hertz: hertz(total.cpu_mhz),
        memory_bytes: bytes(total.memory_mib),
        disk_bytes: bytes(total.disk_mib),
        cores: group.requests_cores(),
    };
    GroupSpecification {
        request,
        cores_and_devices: cores_and_devices::requested(group),
        count: group.count(),
        tasks: group.task_names().map(Box::from).collect(),
    }
}
