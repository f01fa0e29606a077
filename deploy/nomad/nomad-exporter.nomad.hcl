# The exporter on the cluster that it watches: it asks through the task API's socket, as the job that it is. Needs
# Nomad 1.5. README.md beside this file says how its policy is bound to it.

variable "image" {
  description = "The image that deploy/docker/Dockerfile builds, wherever you keep it"
  type        = string
  default     = "nomad-exporter:0.1.0"
}

job "nomad-exporter" {
  type = "service"

  group "exporter" {
    # One is enough for a region.
    count = 1

    network {
      port "http" {
        to = 9441
      }
    }

    # Prometheus' nomad_sd_configs finds it by this name.
    service {
      name     = "nomad-exporter"
      port     = "http"
      provider = "nomad"

      # Nomad answered every required collector: with a policy that is wrong in part, the job is reverted.
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
      driver = "docker"
      # Scrapes under way are answered; that takes 10 s at most.
      kill_timeout = "15s"

      # The token, in a file that is read again when it changes.
      identity {
        file = true
      }

      config {
        image           = var.image
        ports           = ["http"]
        readonly_rootfs = true
        cap_drop        = ["all"]
        security_opt    = ["no-new-privileges"]
      }

      env {
        # Or a server: https://HOST:4646.
        NOMAD_EXPORTER_NOMAD_ADDRESS    = "unix://${NOMAD_SECRETS_DIR}/api.sock"
        NOMAD_EXPORTER_NOMAD_TOKEN_FILE = "${NOMAD_SECRETS_DIR}/nomad_token"
        NOMAD_EXPORTER_LOG_FORMAT       = "json"
      }

      # docs/performance.md says what each size needs: 64 are enough up to 1,000 nodes, 256 up to 10,000. Without memory
      # oversubscription, Nomad's default, a memory_max would be ignored.
      resources {
        cpu    = 100
        memory = 256
      }
    }
  }
}
