# Nomad Autoscaler policy for one node pool on an AWS autoscaling group. Other targets need a different target block; the
# check stays the same.

scaling "clients-default" {
  enabled = true
  type    = "cluster"
  min     = 1
  max     = 50

  policy {
    evaluation_interval  = "30s"
    cooldown             = "5m"
    cooldown_on_scale_up = "1m"
    # If the query fails, change nothing.
    on_check_error = "fail"

    check "clients-wanted" {
      source = "prometheus"
      # If Prometheus has this pool from several clusters or regions, select one, for example with
      # {region="eu",node_pool="default"}: the autoscaler rejects more than one result and changes nothing.
      query        = "max by (cluster, region) (pool:nomad_clients_wanted:count{node_pool=\"default\"})"
      query_window = "1m"

      # The result of the query is the number of clients.
      strategy "pass-through" {}
    }

    target "aws-asg" {
      aws_asg_name = "nomad-clients-default"
      node_pool    = "default"
      # Removes only clients that run nothing but system jobs. With the other strategies, the autoscaler drains clients, and
      # adds none until the last build on them is done.
      node_selector_strategy        = "empty_ignore_system"
      node_drain_deadline           = "15m"
      node_drain_ignore_system_jobs = true
      # Otherwise the node stays `down` until Nomad garbage collects it.
      node_purge = true
    }
  }
}
