//! Failed allocations, and allocations with restarted tasks.

use std::sync::Arc;

use super::causes;
use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::list::Known;
use crate::collect::observers::{Observers, Tasks, TasksPass};
use crate::collect::report::FetchError;
use crate::nomad::Endpoint;
use crate::nomad::api::AllocationReport;
use crate::snapshot::{FailedAllocations, FinishedJobs, LiveJobs, Sections, Servers};
use crate::terms::at;

/// One list for both, because evaluating a filter on task states costs the servers time for each existing
/// allocation.
const TOLD: &str = r#"ClientStatus == "failed" or (any TaskStates as k, v { v.Restarts != 0 })"#;

/// Collector of failed allocations and of those with restarted tasks. Reads nothing if servers cannot filter
/// by task states.
pub(in crate::collect) struct TaskStatesCollector {
    tasks: Arc<Tasks>,
    known: Known<()>,
}

// The lists of jobs determine which jobs have series of their own.
reads!(TaskStatesCollector: Servers, LiveJobs, FinishedJobs);

impl Collect for TaskStatesCollector {
    fn new(observers: &Observers) -> Self {
        Self { tasks: observers.tasks.clone(), known: Known::default() }
    }

    async fn collect(
        &mut self,
        context: &Arc<Context>,
        upstream: &Newest<'_, Self>,
    ) -> Result<Refresh, FetchError> {
        if !upstream.get::<Servers>().await.unwrap_or_default().filter_task_states {
            return Ok(Refresh::default());
        }
        let requests = context.over_namespaces(Endpoint::Allocations, "/v1/allocations").into_iter();
        let requests =
            requests.map(|request| request.query("task_states", "true").query("filter", TOLD)).collect();
        let fold = TaskStatesFold {
            failed: FailedAllocations::default(),
            pass: self.tasks.pass(),
            live: upstream.get().await.unwrap_or_default(),
            finished: upstream.get().await.unwrap_or_default(),
        };
        let again = self.known.fold(&context.client, requests, true, (), fold, TaskStatesFold::add).await?;
        let index = again.index();
        Ok(again.refresh(|fold| {
            self.tasks.commit(fold.pass, index);
            Sections { failed: Some(Arc::new(fold.failed)), ..Sections::default() }
        }))
    }
}

struct TaskStatesFold {
    failed: FailedAllocations,
    pass: TasksPass,
    live: Arc<LiveJobs>,
    finished: Arc<FinishedJobs>,
}

impl TaskStatesFold {
    #[expect(clippy::needless_pass_by_value, reason = "rows are handed over")]
    fn add(&mut self, allocation: AllocationReport) {
        let cause = allocation.has_failed().then(|| causes::cause(&allocation));
        if let Some(cause) = cause {
            let namespace = allocation.namespace.as_deref().unwrap_or_default();
            at(&mut self.failed.by_namespace, namespace)[allocation.job_type][cause] += 1;
        }
        self.pass.add(&allocation, cause, [&self.live.named, &self.finished.named]);
    }
}
