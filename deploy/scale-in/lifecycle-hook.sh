#!/bin/sh
# Drains a client that its autoscaling group wants to terminate, waits until no allocation is left on it, and completes
# the lifecycle hook: lifecycle-hook.sh [NODE [FLAG…]]. NODE is the instance INSTANCE by default, and without INSTANCE the
# client on this machine (--self); flags go to the drain.
#
# All requests to Nomad are made by `nomad-exporter drain`, which reads Nomad's own variables (NOMAD_ADDR, NOMAD_TOKEN
# and so on). The hook is AWS's by default: set GROUP and INSTANCE, and HOOK if it is not nomad-drain. For another cloud
# set HEARTBEAT_COMMAND and COMPLETE_COMMAND instead.
#
# Exit codes are those of the drain: 0 drained, 4 gone (both complete the hook); 3 still draining, 5 cancelled, and
# everything else leave the hook alone. 6 means that the client is drained or gone but the hook could not be completed.
# Start it again at any time: it joins a drain in progress.
set -u

exporter=${EXPORTER:-nomad-exporter}
hook=${HOOK:-nomad-drain}
# Shorter than the hook can be kept alive, and longer than the longest build.
deadline=${DRAIN_DEADLINE:-2h}
# Several times within the hook's own timeout.
every=${HEARTBEAT_SECONDS:-60}
# A drain that fails is tried again while the heartbeat goes on: without it the machine is terminated with its builds.
attempts=${DRAIN_ATTEMPTS:-10} pause=${RETRY_SECONDS:-30}
# The cloud's commands: how long one may take, and how often the last one is tried.
limit=${COMMAND_TIMEOUT:-20} completions=${COMPLETE_ATTEMPTS:-8}
# In a subshell too this is the main shell.
main=$$
waiting='' beating='' stopped=''

# aws_hook ACTION [FLAG…] and the other commands of the cloud replace the subshell that they run in, so that whoever
# ends it ends them.
aws_hook() {
    exec timeout -k 5 "$limit" aws autoscaling "$@" --auto-scaling-group-name "${GROUP:?the autoscaling group}" \
        --lifecycle-hook-name "$hook" --instance-id "${INSTANCE:?the instance}"
}

heartbeat() {
    if [ -n "${HEARTBEAT_COMMAND:-}" ]; then exec timeout -k 5 "$limit" sh -c "$HEARTBEAT_COMMAND"; fi
    aws_hook record-lifecycle-action-heartbeat
}

complete_hook() {
    if [ -n "${COMPLETE_COMMAND:-}" ]; then exec timeout -k 5 "$limit" sh -c "$COMPLETE_COMMAND"; fi
    aws_hook complete-lifecycle-action --lifecycle-action-result CONTINUE
}

is_alive() { kill -0 "$1" 2>/dev/null; }

# Waits for a child. A signal that is caught ends `wait` early.
reap() {
    wait "$1"
    code=$?
    while is_alive "$1"; do
        wait "$1"
        code=$?
    done
}

# Sends heartbeats until it is ended, or until nobody is left to end it. A failed heartbeat is reported and the next one
# comes in its turn, because the drain matters more.
beat() {
    child=
    trap 'kill "$child" 2>/dev/null; exit 0' TERM
    since=$every
    while is_alive "$main"; do
        if [ "$since" -ge "$every" ]; then
            since=0
            heartbeat &
            child=$!
            wait "$child" || echo "the heartbeat of hook $hook failed" >&2
        fi
        sleep 1 &
        child=$!
        wait "$child"
        since=$((since + 1))
    done
}

# Ends a child once the main shell is gone, even if it was killed.
guard() {
    while is_alive "$main"; do
        is_alive "$1" || return 0
        sleep 1
    done
    kill -TERM "$1" 2>/dev/null
}

# Drains once; the exit code stands in $code.
drain() {
    "$exporter" drain "$@" &
    waiting=$!
    guard "$waiting" &
    # The signal may have come before there was anything to pass it on to.
    [ -z "$stopped" ] || kill -TERM "$waiting" 2>/dev/null
    reap "$waiting"
}

rest() {
    sleep "$1" &
    waiting=$!
    wait "$waiting"
}

if [ -z "${COMPLETE_COMMAND:-}" ]; then
    : "${GROUP:?give GROUP and INSTANCE, or COMPLETE_COMMAND and HEARTBEAT_COMMAND}" "${INSTANCE:?give INSTANCE too}"
fi
node=${1:-${INSTANCE:---self}}
[ $# -eq 0 ] || shift

trap 'stopped=yes; kill -TERM "$waiting" 2>/dev/null' TERM INT
beat &
beating=$!

attempt=1
while :; do
    drain "$node" --yes --wait --deadline "$deadline" ${DRAIN_TIMEOUT:+--timeout "$DRAIN_TIMEOUT"} "$@"
    # The codes that say how the drain stands, and 2 for wrong usage, which stays wrong.
    case $code in 0 | 2 | 3 | 4 | 5) break ;; esac
    if [ -n "$stopped" ] || [ "$attempt" -ge "$attempts" ]; then break; fi
    echo "the drain failed (attempt $attempt of $attempts); trying again in $pause s" >&2
    attempt=$((attempt + 1))
    rest "$pause"
    [ -z "$stopped" ] || break
done
kill -TERM "$beating" 2>/dev/null
wait "$beating" 2>/dev/null

case $code in
0 | 4)
    attempt=1 pause=1
    while :; do
        complete_hook &
        waiting=$!
        wait "$waiting" && exit "$code"
        if [ -n "$stopped" ] || [ "$attempt" -ge "$completions" ]; then
            echo "hook $hook could not be completed: the machine stays until the hook times out" >&2
            exit 6
        fi
        echo "hook $hook could not be completed (attempt $attempt of $completions); trying again in $pause s" >&2
        attempt=$((attempt + 1))
        rest "$pause"
        [ "$pause" -ge 30 ] || pause=$((pause * 2))
    done
    ;;
3) echo "hook $hook is left alone: the client still drains" >&2 ;;
5) echo "hook $hook is left alone: somebody cancelled the drain" >&2 ;;
*) echo "hook $hook is left alone: the drain failed" >&2 ;;
esac
exit "$code"
