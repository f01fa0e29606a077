# Configuration of the Nomad Autoscaler agent: nomad-autoscaler agent -config nomad-autoscaler.hcl

nomad {
  address = "https://nomad.example:4646"
}

apm "prometheus" {
  driver = "prometheus"
  config = {
    address = "http://prometheus.example:9090"
  }
}

strategy "pass-through" {
  driver = "pass-through"
}

target "aws-asg" {
  driver = "aws-asg"
  config = {
    aws_region = "eu-central-1"
  }
}

# Put policy.hcl into this folder.
policy {
  dir = "/etc/nomad-autoscaler/policies"
}
