# Permissions of the exporter's identity, with the collectors that need them; docs/security.md has the table. If you disable
# a collector (--no-collector.NAME), remove its line. The collector `token` needs no permission: since Nomad 1.11, the
# identity can read its own policies.

namespace "*" {
  capabilities = [
    "list-jobs", # jobs, finished_jobs
    "read-job",  # allocations, finished_allocations, task_states, evaluations, deployments, specifications, allocation_usage
  ]
}

# nodes, node_details, drains, host_stats, servers
node {
  policy = "read"
}

# autopilot, scheduler
operator {
  policy = "read"
}
