#!/bin/sh
# Waits until the autoscaling group wants to terminate this instance, then runs lifecycle-hook.sh from the same folder:
# watch.sh aws | watch.sh gce
#
# aws: polls the target lifecycle state in the instance metadata. Looks up GROUP and AWS_DEFAULT_REGION if they are not
#      set.
# gce: polls for a graceful shutdown, which must be enabled on the instance, and powers the machine off after the drain.
#
# Needs curl. METADATA_URL is for tests. POLL_SECONDS is the polling interval.
set -eu

cloud=${1:?"watch.sh aws | watch.sh gce"}
every=${POLL_SECONDS:-5}
here=$(cd "$(dirname "$0")" && pwd)

get() { curl --silent --fail --max-time 5 --noproxy '*' "$@"; }

case $cloud in
aws)
    metadata=${METADATA_URL:-http://169.254.169.254}
    # Requests a new token each time, because tokens expire.
    read_metadata() {
        token=$(get --request PUT --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$metadata/latest/api/token") || return
        get --header "X-aws-ec2-metadata-token: $token" "$metadata/latest/meta-data/$1"
    }
    path=autoscaling/target-lifecycle-state wanted=Terminated
    ;;
gce)
    metadata=${METADATA_URL:-http://metadata.google.internal}
    read_metadata() { get --header 'Metadata-Flavor: Google' "$metadata/computeMetadata/v1/instance/$1"; }
    # The key exists only during a shutdown.
    path=shutdown-details/stop-state wanted=PENDING_STOP
    ;;
*)
    echo "watch.sh: $cloud is neither aws nor gce" >&2
    exit 2
    ;;
esac

echo "waiting until $path is $wanted" >&2
until [ "$(read_metadata "$path" || true)" = "$wanted" ]; do sleep "$every"; done
echo "$path is $wanted: draining" >&2

if [ "$cloud" = gce ]; then
    # No heartbeat is needed: the shutdown waits for the time set on the instance.
    export HEARTBEAT_COMMAND="${HEARTBEAT_COMMAND:-:}" COMPLETE_COMMAND="${COMPLETE_COMMAND:-systemctl poweroff}"
    INSTANCE=${INSTANCE:-$(read_metadata id)}
    export INSTANCE
    exec "$here/lifecycle-hook.sh"
fi
INSTANCE=${INSTANCE:-$(read_metadata instance-id)}
AWS_DEFAULT_REGION=${AWS_DEFAULT_REGION:-${AWS_REGION:-$(read_metadata placement/region)}}
export INSTANCE AWS_DEFAULT_REGION
GROUP=${GROUP:-$(timeout 20 aws autoscaling describe-auto-scaling-instances --instance-ids "$INSTANCE" \
    --query 'AutoScalingInstances[0].AutoScalingGroupName' --output text)}
export GROUP
exec "$here/lifecycle-hook.sh"
