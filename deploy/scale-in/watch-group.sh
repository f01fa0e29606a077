#!/bin/sh
# Drains every client that an autoscaling group wants to terminate, by lifecycle-hook.sh beside this file:
# watch-group.sh GROUP [FLAG…]. Flags go to the drains.
#
# For one place in the cluster, if nothing may run on the clients themselves; there, watch.sh asks nobody but the instance.
# Needs the AWS command line. POLL_SECONDS says how often to ask; the other variables are those of lifecycle-hook.sh.
#
# It may be ended and started again at any time, and two may run: hooks join drains in progress.
set -u

GROUP=${1:?"watch-group.sh GROUP [FLAG…]"}
export GROUP
shift
every=${POLL_SECONDS:-15}
here=$(cd "$(dirname "$0")" && pwd)
# INSTANCE:PROCESS of each hook that runs, and the instances whose drain somebody cancelled.
hooks='' cancelled=' '
pause='' stopped=''

leaving() {
    timeout -k 5 "${COMMAND_TIMEOUT:-20}" aws autoscaling describe-auto-scaling-groups --auto-scaling-group-names "$GROUP" \
        --query "AutoScalingGroups[0].Instances[?LifecycleState=='Terminating:Wait'].InstanceId" --output text
}

# Ends the wait for hooks that have ended. One that failed is started again while its instance still waits; a drain that
# somebody cancelled is not begun again.
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
# Drains stay in force; only their hooks are no longer kept alive from here.
for hook in $hooks; do kill -TERM "${hook#*:}" 2>/dev/null; done
wait
