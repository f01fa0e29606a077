//! Lists, and single evaluations.

use serde_json::{Value, json};

use crate::answer::Refusal;
use crate::cluster::{AllocationId, EvaluationId};
use crate::list::{Table, select};
use crate::work::Work;

use super::access::Capability;
use super::{Call, Reply, view};

impl Call<'_> {
    pub(super) fn list(&self, table: Table) -> Reply {
        let version = self.version();
        let query = &self.request.query;
        let namespace = query.namespace();
        match table {
            Table::Jobs => self.access.require_namespace(version, Capability::ListJobs, namespace)?,
            Table::Allocations | Table::Evaluations | Table::Deployments => {
                self.access.require_namespace(version, Capability::ReadJob, namespace)?;
            }
            Table::Nodes => self.access.require(version, |policy| policy.node)?,
            Table::NodePools => self.access.require_known(version)?,
        }
        self.check_leader()?;
        let mut page = select(table, version, query, self.rows(table))?;
        if table == Table::Allocations {
            page.rows.iter_mut().for_each(|row| view::without_unrequested(row, query));
        }
        if table == Table::Nodes {
            page.rows
                .iter_mut()
                .filter_map(Value::as_object_mut)
                .for_each(|row| drop(row.remove("Attributes")));
        }
        let index = self.cluster.table_index(table);
        Ok(self.read(index, &Value::Array(page.rows)).costing(page.work).next_token(page.next_token))
    }

    /// Rows of a table that the token may read. Jobs and allocations without the requested prefix are left out here
    /// already, because the exporter requests single rows of large clusters this way, thousands of times in some tests.
    fn rows(&self, table: Table) -> Vec<Value> {
        let (cluster, version, query) = (self.cluster, self.version(), &self.request.query);
        let sees = |namespace: &str| self.access.sees(Capability::ReadJob, namespace);
        let prefix = query.get("prefix").unwrap_or_default();
        match table {
            Table::Jobs => {
                let jobs = cluster.jobs.values();
                let jobs = jobs.filter(|job| job.key.id.starts_with(prefix));
                let jobs = jobs.filter(|job| self.access.sees(Capability::ListJobs, &job.key.namespace));
                let meta = query.is_true("meta");
                jobs.map(|job| view::job_stub(job, version, meta)).collect()
            }
            Table::Nodes => {
                let resources = query.is_true("resources");
                let row = |node| {
                    let mut row = view::node_stub(node, version, resources);
                    if query.has("filter") {
                        row["Attributes"] = view::attributes(node, version);
                    }
                    row
                };
                cluster.nodes.values().map(row).collect()
            }
            Table::NodePools => {
                let readable = self.access.require(version, |policy| policy.node_pool).is_ok();
                let pools = cluster.pools.iter().filter(|_| readable);
                pools.map(|(name, pool)| view::node_pool(name, pool, version)).collect()
            }
            Table::Allocations => {
                let whole: Option<AllocationId> = prefix.parse().ok();
                let has_prefix = |id: AllocationId| match whole {
                    Some(whole) => id == whole,
                    None => prefix.is_empty() || id.to_string().starts_with(prefix),
                };
                let allocations = cluster.allocations.values().filter(|it| has_prefix(it.id));
                let allocations = allocations.filter(|it| sees(&it.job.namespace));
                allocations.map(|it| view::filterable_allocation(it, cluster, query)).collect()
            }
            Table::Evaluations => {
                let evaluations = cluster.evaluations.values().filter(|it| sees(&it.job.namespace));
                evaluations.map(|evaluation| view::evaluation(evaluation, version)).collect()
            }
            Table::Deployments => {
                let deployments = cluster.deployments.values().filter(|it| sees(&it.job.namespace));
                deployments.map(|deployment| view::deployment(deployment, version)).collect()
            }
        }
    }

    pub(super) fn evaluations_count(&self) -> Reply {
        let version = self.version();
        let query = &self.request.query;
        self.access.require_namespace(version, Capability::ReadJob, query.namespace())?;
        self.check_leader()?;
        let everything = query.without(&["per_page", "next_token"]);
        let page = select(Table::Evaluations, version, &everything, self.rows(Table::Evaluations))?;
        let index = self.cluster.table_index(Table::Evaluations);
        let count = json!({
            "Count": page.rows.len(),
            "Index": index,
            "KnownLeader": self.cluster.servers.leader.is_some(),
            "LastContact": 0,
            "NextToken": "",
        });
        Ok(self.read(index, &count).costing(Work { sent: 0, ..page.work }))
    }

    pub(super) fn evaluation(&self, id: &str) -> Reply {
        self.access.require_known(self.version())?;
        self.check_leader()?;
        let found = id.parse().ok().and_then(|id: EvaluationId| self.cluster.evaluations.get(&id));
        let Some(evaluation) = found else {
            return Ok(self.not_found(Table::Evaluations, "eval not found"));
        };
        let namespace = &evaluation.job.namespace;
        if !self.access.sees(Capability::ReadJob, namespace) {
            return Err(Refusal::forbidden());
        }
        Ok(self.read(evaluation.modify_index, &view::evaluation(evaluation, self.version())))
    }

    pub(super) fn namespaces(&self) -> Reply {
        let version = self.version();
        self.access.require_known(version)?;
        self.check_leader()?;
        let prefix = self.request.query.get("prefix").unwrap_or_default();
        let visible = self.cluster.namespaces.iter().filter(|(name, _)| {
            let any =
                self.access.sees(Capability::ReadJob, name) || self.access.sees(Capability::ListJobs, name);
            any && name.starts_with(prefix)
        });
        let index = self.cluster.namespaces.values().map(|namespace| namespace.index).max().unwrap_or(1);
        let rows = visible.map(|(name, namespace)| view::namespace(name, namespace, version)).collect();
        Ok(self.read(index, &Value::Array(rows)))
    }
}
