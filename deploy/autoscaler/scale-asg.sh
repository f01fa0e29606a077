#!/usr/bin/env bash
# Sets the desired capacity of an AWS autoscaling group to the number of clients that a node pool wants:
# scale-asg.sh GROUP POOL [REGION [CLUSTER]]
# REGION and CLUSTER are the labels of the exporter's target. They are needed if Prometheus has the pool from several
# regions or clusters. The script queries Prometheus at PROMETHEUS_URL once and stays within the group's own limits. Run it
# every minute from a timer. If the query does not have exactly one result, it changes nothing. Needs curl, jq and the AWS
# CLI.
set -euo pipefail
usage="scale-asg.sh GROUP POOL [REGION [CLUSTER]]"
group=${1:?"$usage"} pool=${2:?"$usage"} region=${3:-} cluster=${4:-}
prometheus=${PROMETHEUS_URL:-http://127.0.0.1:9090}

matchers="node_pool=\"$pool\""
if [ -n "$region" ]; then matchers+=",region=\"$region\""; fi
if [ -n "$cluster" ]; then matchers+=",cluster=\"$cluster\""; fi
answer=$(curl --fail --silent --show-error --max-time 10 --get "$prometheus/api/v1/query" \
    --data-urlencode "query=max by (cluster, region) (pool:nomad_clients_wanted:count{$matchers})")
series=$(jq '.data.result | length' <<<"$answer")
if [ "$series" -gt 1 ]; then
    echo "pool $pool is in $series clusters or regions, and $group stays as it is: name one ($usage)" >&2
    exit 1
fi
wanted=$(jq --raw-output '.data.result[0].value[1] // "unknown"' <<<"$answer")
if ! [[ $wanted =~ ^[0-9]+$ ]]; then
    echo "what pool $pool wants is $wanted: $group stays as it is" >&2
    exit 1
fi

limits=$(aws autoscaling describe-auto-scaling-groups --auto-scaling-group-names "$group" \
    --query 'AutoScalingGroups[0].[MinSize,MaxSize,DesiredCapacity]' --output text)
read -r min max desired <<<"$limits"
if ! [[ $min-$max-$desired =~ ^[0-9]+-[0-9]+-[0-9]+$ ]]; then
    echo "AWS knows no autoscaling group $group in this region and account" >&2
    exit 1
fi
if [ "$wanted" -lt "$min" ]; then wanted=$min; fi
if [ "$wanted" -gt "$max" ]; then
    echo "pool $pool wants $wanted clients, and $group may have $max" >&2
    wanted=$max
fi
if [ "$wanted" = "$desired" ]; then exit 0; fi
echo "$group: from $desired to $wanted clients"
aws autoscaling set-desired-capacity --auto-scaling-group-name "$group" --desired-capacity "$wanted"
