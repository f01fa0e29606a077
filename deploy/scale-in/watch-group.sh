#!/bin/sh
# Runs lifecycle-hook.sh from the same folder for every client that an autoscaling group wants to terminate:
# watch-group.sh GROUP [FLAG…]. Flags are passed to the drain command.
#
# Runs once for the whole cluster. Use it if the hook cannot run on the clients; on a client, use watch.sh.
# Needs the AWS CLI. POLL_SECONDS is the polling interval; the other variables are those of lifecycle-hook.sh.
#
# The script can be restarted at any time, and two can run at once: hooks join drains in progress.
set -u

GROUP=${1:?"watch-group.sh GROUP [FLAG…]"}
export GROUP
shift
every=${POLL_SECONDS:-15}
here=$(cd "$(dirname "$0")" && pwd)
# INSTANCE:PROCESS of each running hook, and the instances whose drain was cancelled.
hooks='' cancelled=' '
pause='' stopped=''

leaving() {
    timeout -k 5 "${COMMAND_TIMEOUT:-20}" aws autoscaling describe-auto-scaling-groups --auto-scaling-group-names "$GROUP" \
        --query "AutoScalingGroups[0].Instances[?LifecycleState=='Terminating:Wait'].InstanceId" --output text
}

# Reaps hooks that have ended. A failed one is restarted while its instance still waits; a cancelled drain is not
# started again.
reap() {
    running=''
    for hook in $hooks; do
        if kill -0 "${hook#*:}" 2>/dev/null; then
            running="$running $hook"
            continue
        fi
        wait "${hook#*:}"
        code=$?
        [ "$code" -ne 5 ] || cancelled="$cancelled${hook%:*} "
        echo "${hook%:*}: the hook ended with exit code $code" >&2
    done
    hooks=$running
}

trap 'stopped=yes; [ -z "$pause" ] || kill "$pause" 2>/dev/null' TERM INT
echo "waiting for instances of $GROUP in Terminating:Wait" >&2
while [ -z "$stopped" ]; do
    reap
    for instance in $(leaving); do
        case "$hooks $cancelled" in *" $instance:"* | *" $instance "*) continue ;; esac
        echo "$instance: draining" >&2
        INSTANCE=$instance "$here/lifecycle-hook.sh" "$instance" "$@" &
        hooks="$hooks $instance:$!"
    done
    sleep "$every" &
    pause=$!
    wait "$pause"
done
# Drains continue, but without heartbeats for their hooks.
for hook in $hooks; do kill -TERM "${hook#*:}" 2>/dev/null; done
wait
