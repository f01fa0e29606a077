//! Resource usage of allocations. It takes one request per allocation, so this collector is disabled by
//! default.

use std::sync::Arc;

use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::observers::Observers;
use crate::collect::report::FetchError;
use crate::collect::units::{bytes, hertz};
use crate::collect::{fan_out, list};
use crate::nomad::api::{Allocation, AllocationStats};
use crate::nomad::{Endpoint, Error, Request};
use crate::snapshot::{AllocationUsage, Sections, Usage};
use crate::terms::ClientStatus;

/// Collector of the usage of running allocations of the selected jobs, up to the limit.
pub(in crate::collect) struct UsageCollector {
    is_first: bool,
}

reads!(UsageCollector:);

impl Collect for UsageCollector {
    fn new(_: &Observers) -> Self {
        Self { is_first: true }
    }

    async fn collect(&mut self, context: &Arc<Context>, _: &Newest<'_, Self>) -> Result<Refresh, FetchError> {
        let requests = context.over_namespaces(Endpoint::Allocations, "/v1/allocations").into_iter();
        let requests = requests.map(|request| {
            let request = request.query("task_states", "false").query("resources", "true");
            request.query("filter", r#"ClientStatus == "running""#)
        });
        let fold = UsageFold { context: context.clone(), usage: Usage::default() };
        let folded = list::fold(&context.client, requests.collect(), fold, UsageFold::add).await?;
        let mut usage = Usage { dropped: folded.fold.usage.dropped, ..Usage::default() };
        let mut running = folded.fold.usage.allocations;
        // Two rows of the same allocation would become duplicate series.
        running.sort_by(|one, other| one.id.cmp(&other.id));
        running.dedup_by(|second, first| second.id == first.id);
        let fetch_one = |allocation| fetch(context.clone(), allocation);
        let spread = context.client_spread(self.is_first);
        let done = |answer: Option<AllocationUsage>| usage.allocations.extend(answer);
        fan_out::each(running, context.settings.client_concurrency, spread, fetch_one, done).await?;
        self.is_first = false;
        usage.allocations.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        let objects = usage.allocations.len() as u64;
        let sections = Sections { usage: Some(Arc::new(usage)), ..Sections::default() };
        Ok(Refresh { sections, objects, ..Refresh::default() })
    }
}

/// Selects the running allocations of the configured jobs.
struct UsageFold {
    context: Arc<Context>,
    usage: Usage,
}

impl UsageFold {
    fn add(&mut self, allocation: Allocation) {
        let settings = &self.context.settings.usage;
        let job_id = allocation.job_id.unwrap_or_default();
        let is_wanted = settings.jobs.is_empty() || settings.jobs.is_match(&job_id);
        if allocation.client_status != ClientStatus::Running || !is_wanted {
            return;
        }
        if self.usage.allocations.len() >= settings.max_allocations {
            self.usage.dropped += 1;
            return;
        }
        let Some(id) = allocation.id.filter(|id| !id.is_empty()) else { return };
        let total = allocation.allocated_resources.map(|resources| resources.total);
        self.usage.allocations.push(AllocationUsage {
            id,
            namespace: allocation.namespace.unwrap_or_default(),
            job_id,
            task_group: allocation.task_group.unwrap_or_default(),
            node_id: allocation.node_id.unwrap_or_default(),
            cpu_allocated_hertz: total.map(|total| hertz(total.cpu_mhz)),
            memory_allocated_bytes: total.map(|total| bytes(total.memory_mib)),
            ..AllocationUsage::default()
        });
    }
}

/// Reads the usage of an allocation. Returns `None` if it has ended meanwhile or its client does not respond.
async fn fetch(context: Arc<Context>, allocation: AllocationUsage) -> Result<Option<AllocationUsage>, Error> {
    let path = format!("/v1/client/allocation/{}/stats", Request::escape(&allocation.id));
    let request = Request::new(Endpoint::AllocationStats, path)
        .query("namespace", &allocation.namespace)
        .passed_on_within(context.settings.client_timeout);
    match context.client.object::<Option<AllocationStats>>(request).await {
        Ok((stats, _)) => {
            let stats = stats.unwrap_or_default();
            Ok(Some(AllocationUsage {
                cpu_used_hertz: stats.cpu_mhz().map(|mhz| mhz.max(0.0) * 1e6),
                memory_used_bytes: stats.memory_bytes().map(|bytes| bytes as f64),
                cpu_throttled_seconds: stats.throttled_seconds(),
                ..allocation
            }))
        }
        Err(error) if error.reason().is_before_the_client() => Err(error),
        Err(error) => {
            tracing::debug!(alloc_id = allocation.id, %error, "cannot read the usage of an allocation");
            Ok(None)
        }
    }
}
