//! Single jobs, and their allocations, evaluations and other parts.

use serde_json::Value;

use crate::answer::Answer;
use crate::cluster::{Job, JobKey};
use crate::list::Table;

use super::access::Capability;
use super::{Call, Reply, view};

impl Call<'_> {
    /// Handles `/v1/job/`, followed by a job ID, which may contain slashes, and an optional endpoint.
    pub(super) fn job(&self, path: &str) -> Reply {
        let version = self.version();
        self.access.require_namespace(version, Capability::ReadJob, self.request.query.namespace())?;
        self.check_leader()?;
        let (id, part) = match path.rsplit_once('/') {
            Some((id, part @ ("summary" | "evaluations" | "allocations" | "deployments"))) => (id, part),
            _ => (path, ""),
        };
        let job = self.cluster.jobs.get(&JobKey::new(self.request.query.namespace(), id));
        match part {
            "evaluations" => Ok(self.job_evaluations(job)),
            "allocations" => Ok(self.job_allocations(job)),
            "deployments" => Ok(self.job_deployments(job)),
            "summary" => {
                let Some(job) = job else { return Ok(self.not_found(Table::Jobs, "job not found")) };
                Ok(self.read(job.summary_index, &view::job_summary(job, version)))
            }
            _ => {
                let Some(job) = job else { return Ok(self.not_found(Table::Jobs, "job not found")) };
                Ok(self.read(job.modify_index, &view::job(job, version)))
            }
        }
    }

    fn job_evaluations(&self, job: Option<&Job>) -> Answer {
        let ids = job.iter().flat_map(|job| &job.evaluations);
        let rows = ids.filter_map(|id| self.cluster.evaluations.get(id));
        self.rows_of(Table::Evaluations, rows.map(|evaluation| view::evaluation(evaluation, self.version())))
    }

    fn job_allocations(&self, job: Option<&Job>) -> Answer {
        let mut ids: Vec<_> = job.iter().flat_map(|job| &job.allocations).collect();
        ids.sort();
        let rows = ids.into_iter().filter_map(|id| self.cluster.allocations.get(id));
        let stub = |allocation| view::allocation_stub(allocation, self.version(), false, true);
        self.rows_of(Table::Allocations, rows.map(stub))
    }

    fn job_deployments(&self, job: Option<&Job>) -> Answer {
        let deployments = self.cluster.deployments.values();
        let rows = deployments.filter(|deployment| job.is_some_and(|job| deployment.job == job.key));
        self.rows_of(Table::Deployments, rows.map(|deployment| view::deployment(deployment, self.version())))
    }

    fn rows_of(&self, table: Table, rows: impl Iterator<Item = Value>) -> Answer {
        self.read(self.cluster.table_index(table), &Value::Array(rows.collect()))
    }
}
