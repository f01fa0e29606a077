# The exporter as a job on the cluster that it monitors. It uses the task API with the job's workload identity. Needs
# Nomad 1.5 or later. README.md in this folder shows how to bind its policy to the job.

variable "command" {
  description = "The binary on the client, or below local/ with an artifact block"
  type        = string
  default     = "/usr/bin/nomad-exporter"
}

job "nomad-exporter" {
  type = "service"

  group "exporter" {
    # One exporter is enough for a region.
    count = 1

    network {
      port "http" {}
    }

    # nomad_sd_configs of Prometheus finds the service by this name.
    service {
      name     = "nomad-exporter"
      port     = "http"
      provider = "nomad"

      # Requires data for every required collector, so that the job is reverted if its policy is incomplete.
      check {
        type     = "http"
        path     = "/-/ready?all"
        interval = "10s"
        timeout  = "3s"
      }
    }

    update {
      auto_revert       = true
      healthy_deadline  = "2m"
      progress_deadline = "5m"
    }

    task "nomad-exporter" {
      driver = "exec"
      # On shutdown, running scrapes are finished. That takes at most 10 s.
      kill_timeout = "15s"

      # Writes the workload identity to a file. The exporter reloads it when it changes.
      identity {
        file = true
      }

      config {
        command = var.command
      }

      env {
        # Alternatively a server: https://HOST:4646.
        NOMAD_EXPORTER_NOMAD_ADDRESS    = "unix://${NOMAD_SECRETS_DIR}/api.sock"
        NOMAD_EXPORTER_NOMAD_TOKEN_FILE = "${NOMAD_SECRETS_DIR}/nomad_token"
        NOMAD_EXPORTER_LOG_FORMAT       = "json"
        # The exec driver does not map ports, so the exporter listens on the allocated port.
        NOMAD_EXPORTER_WEB_LISTEN_ADDRESS = ":${NOMAD_PORT_http}"
      }

      # 64 MB is enough for up to 1,000 nodes, 256 MB for up to 10,000: see docs/performance.md. There is no memory_max,
      # because Nomad ignores it unless memory oversubscription is enabled.
      resources {
        cpu    = 100
        memory = 256
      }
    }
  }
}
