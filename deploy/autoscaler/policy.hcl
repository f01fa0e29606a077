# A policy of the Nomad Autoscaler for one node pool on an AWS autoscaling group. Another target needs its own block;
# the check is the same.

scaling "clients-default" {
  enabled = true
  type    = "cluster"
  min     = 1
  max     = 50

  policy {
    evaluation_interval  = "30s"
    cooldown             = "5m"
    cooldown_on_scale_up = "1m"
    # Without an answer everything stays as it is.
    on_check_error = "fail"

    check "clients-wanted" {
      source = "prometheus"
      # If one Prometheus knows this pool of several clusters or regions, name one, such as {region="eu",node_pool="default"}:
      # the autoscaler refuses more than one answer, and everything stays as it is.
      query        = "max by (cluster, region) (pool:nomad_clients_wanted:count{node_pool=\"default\"})"
      query_window = "1m"

      # The answer is the number of clients.
      strategy "pass-through" {}
    }

    target "aws-asg" {
      aws_asg_name = "nomad-clients-default"
      node_pool    = "default"
      # Only clients that run nothing but system jobs leave. With another strategy the autoscaler drains, and adds
      # none while it waits for the last build there.
      node_selector_strategy        = "empty_ignore_system"
      node_drain_deadline           = "15m"
      node_drain_ignore_system_jobs = true
      # Else it stays `down` until Nomad forgets it.
      node_purge = true
    }
  }
}
