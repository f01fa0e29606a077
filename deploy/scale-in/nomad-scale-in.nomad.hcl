# Drains the clients that an autoscaling group of AWS wants to terminate, from one place in the cluster. If its own client is
# drained, Nomad moves it, and it joins the drains in progress. README.md beside this file says what the image holds.

variable "image" {
  description = "An image with nomad-exporter, watch-group.sh, lifecycle-hook.sh and the AWS command line"
  type        = string
  default     = "nomad-scale-in:0.1.0"
}

variable "group" {
  description = "The autoscaling group"
  type        = string
}

variable "region" {
  description = "Its AWS region"
  type        = string
}

variable "nomad" {
  description = "Address of a server, or of the servers' load balancer"
  type        = string
}

job "nomad-scale-in" {
  type = "service"

  group "hook" {
    count = 1

    task "watch-group" {
      driver = "docker"

      config {
        image   = var.image
        command = "/usr/lib/nomad-exporter/watch-group.sh"
        args    = [var.group]
      }

      env {
        NOMAD_ADDR         = var.nomad
        AWS_DEFAULT_REGION = var.region
        # Longer than the longest build, and shorter than the hook can be kept alive.
        DRAIN_DEADLINE = "5h15m"
      }

      resources {
        cpu    = 50
        memory = 128
      }
    }
  }
}
