# What the exporter's identity may do, and for which collector; docs/security.md has the table. A collector that is switched
# off (--no-collector.NAME) needs nothing: take its line out. The collector token needs nothing granted: since Nomad 1.11 the
# identity may read its own policies.

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
