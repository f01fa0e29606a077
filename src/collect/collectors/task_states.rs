//! Failed allocations, and allocations with restarted tasks.

use std::sync::Arc;

use super::causes;
use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::events::{RowKey, Table};
use crate::collect::follower::ChangedRows;
use crate::collect::history::History;
use crate::collect::list::Known;
use crate::collect::observers::{Observers, Tasks, TasksPass};
use crate::collect::report::FetchError;
use crate::nomad::Endpoint;
use crate::nomad::api::AllocationReport;
use crate::snapshot::{FailedAllocations, FinishedJobs, LiveJobs, Sections, Servers};
use crate::terms::{ByTerm, at};

/// One list for both, because evaluating a filter on task states costs the servers time for each existing
/// allocation.
const TOLD: &str = r#"ClientStatus == "failed" or (any TaskStates as k, v { v.Restarts != 0 })"#;

/// Collector of failed allocations and of those with restarted tasks. Reads nothing if servers cannot filter
/// by task states.
pub(in crate::collect) struct TaskStatesCollector {
    tasks: Arc<Tasks>,
    known: Known<()>,
    history: History,
    /// The last result. Changes are applied to it while they are read row by row.
    last: Option<Arc<FailedAllocations>>,
}

// The lists of jobs determine which jobs have series of their own.
reads!(TaskStatesCollector: Servers, LiveJobs, FinishedJobs);

impl Collect for TaskStatesCollector {
    fn new(observers: &Observers) -> Self {
        Self {
            tasks: observers.tasks.clone(),
            known: Known::default(),
            history: History::new(Table::TaskStates),
            last: None,
        }
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
        let requests: Vec<_> =
            requests.map(|request| request.query("task_states", "true").query("filter", TOLD)).collect();
        let mut fold = TaskStatesFold {
            failed: FailedAllocations::default(),
            pass: self.tasks.pass(),
            live: upstream.get().await.unwrap_or_default(),
            finished: upstream.get().await.unwrap_or_default(),
            is_compared: false,
            new: Vec::new(),
        };
        let (stream, last) = (context.events.stream(), self.last.take());
        if let Some(last) = &last {
            if let Some(changes) = self.history.changes(context, &requests, |_, _| true).await? {
                return Ok(self.apply(changes, last, fold));
            }
            fold.is_compared = true;
        }
        let again = self.known.fold(&context.client, requests, true, (), fold, TaskStatesFold::add).await?;
        let index = again.index();
        self.history.listed(context, stream, &again, |fold| &fold.new).await;
        self.last = last.filter(|_| self.history.is_followed());
        Ok(again.refresh(|fold| self.sections(fold, index)))
    }
}

impl TaskStatesCollector {
    /// Applies changes to the last result.
    fn apply(
        &mut self,
        changes: ChangedRows<AllocationReport>,
        last: &Arc<FailedAllocations>,
        mut fold: TaskStatesFold,
    ) -> Refresh {
        let (objects, meta) = (changes.rows.len() as u64, changes.meta);
        if changes.rows.is_empty() {
            self.last = Some(last.clone());
            return Refresh { objects, meta, ..Refresh::default() };
        }
        let index = changes.index.or(fold.pass.index());
        fold.failed = FailedAllocations::clone(last);
        fold.pass.start_with_last();
        let is_row = |key: &RowKey, row: &AllocationReport| row.id.as_deref() == Some(&key.id);
        for allocation in changes.existing(is_row) {
            fold.remove(&allocation);
            fold.add(allocation);
        }
        fold.failed.by_namespace.retain(|_, causes| *causes != ByTerm::default());
        // The sections of the last list are no longer shown.
        self.known.forget();
        Refresh { sections: self.sections(fold, index), objects, meta }
    }

    /// Returns the sections. `index` is the Raft index up to which all changes are known.
    fn sections(&mut self, fold: TaskStatesFold, index: Option<u64>) -> Sections {
        self.tasks.commit(fold.pass, index);
        let failed = Arc::new(fold.failed);
        self.last = self.history.is_followed().then(|| failed.clone());
        Sections { failed: Some(failed), ..Sections::default() }
    }
}

struct TaskStatesFold {
    failed: FailedAllocations,
    pass: TasksPass,
    live: Arc<LiveJobs>,
    finished: Arc<FinishedJobs>,
    /// Whether the rows are compared with those that are known.
    is_compared: bool,
    /// Hashes of the keys of rows that were unknown.
    new: Vec<u64>,
}

impl TaskStatesFold {
    /// Removes an allocation that is added again.
    fn remove(&mut self, allocation: &AllocationReport) {
        let Some(cause) = self.pass.remove(allocation.id.as_deref().unwrap_or_default()) else { return };
        let namespace = allocation.namespace.as_deref().unwrap_or_default();
        let count = &mut at(&mut self.failed.by_namespace, namespace)[allocation.job_type][cause];
        *count = count.saturating_sub(1);
    }

    #[expect(clippy::needless_pass_by_value, reason = "rows are handed over")]
    fn add(&mut self, allocation: AllocationReport) {
        let cause = allocation.has_failed().then(|| causes::cause(&allocation));
        if let Some(cause) = cause {
            let namespace = allocation.namespace.as_deref().unwrap_or_default();
            at(&mut self.failed.by_namespace, namespace)[allocation.job_type][cause] += 1;
        }
        if let Some(id) = allocation.id.as_deref().filter(|id| self.is_compared && !self.pass.is_known(id)) {
            let namespace = allocation.namespace.as_deref().unwrap_or_default();
            self.new.push(RowKey::new(namespace, id).hash());
        }
        self.pass.add(&allocation, cause, [&self.live.named, &self.finished.named]);
    }
}
