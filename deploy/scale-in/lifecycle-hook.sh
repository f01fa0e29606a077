#!/bin/sh
# Drains a client that its autoscaling group wants to terminate, waits until no allocation is left on it, and completes
# the lifecycle hook: lifecycle-hook.sh [NODE [FLAG…]]. NODE is the instance INSTANCE by default, and without INSTANCE the
# client on this machine (--self). Flags are passed to the drain command.
#
# `nomad-exporter drain` sends all requests to Nomad and reads Nomad's own variables (NOMAD_ADDR, NOMAD_TOKEN and so on).
# The default hook is for AWS: set GROUP and INSTANCE, and HOOK if it is not nomad-drain. For another cloud, set
# HEARTBEAT_COMMAND and COMPLETE_COMMAND instead.
#
# Exit codes are those of the drain command. 0 (drained) and 4 (gone) complete the hook. 3 (still draining), 5 (cancelled)
# and all others do not change it. 6 means that the client is drained or gone but the hook could not be completed.
# The script can be started again at any time: it waits for a drain in progress.
set -u

exporter=${EXPORTER:-nomad-exporter}
hook=${HOOK:-nomad-drain}
# Must be shorter than the hook's maximum lifetime and longer than the longest build.
deadline=${DRAIN_DEADLINE:-2h}
# Must be several times shorter than the hook's own timeout.
every=${HEARTBEAT_SECONDS:-60}
# Retry a drain that fails, and keep sending heartbeats: without them, the machine is terminated with its builds.
attempts=${DRAIN_ATTEMPTS:-10} pause=${RETRY_SECONDS:-30}
# Timeout of the cloud's commands, and number of attempts for the last one.
limit=${COMMAND_TIMEOUT:-20} completions=${COMPLETE_ATTEMPTS:-8}
# The main shell, also in subshells.
main=$$
waiting='' beating='' stopped=''

# aws_hook ACTION [FLAG…] and the other cloud commands replace the subshell that they run in, so that a signal to the
# subshell reaches them.
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

# Waits for a child. Repeats `wait`, because a trapped signal interrupts it.
reap() {
    wait "$1"
    code=$?
    while is_alive "$1"; do
        wait "$1"
        code=$?
    done
}

# Sends heartbeats until it is stopped or the main shell is gone. A failed heartbeat is only reported, because the drain
# is more important.
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

# Stops a child once the main shell is gone, even if that was killed.
guard() {
    while is_alive "$main"; do
        is_alive "$1" || return 0
        sleep 1
    done
    kill -TERM "$1" 2>/dev/null
}

# Drains once. Sets $code to the exit code.
drain() {
    "$exporter" drain "$@" &
    waiting=$!
    guard "$waiting" &
    # The signal may have arrived before the child was started.
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
    # Codes with a definite result, and 2 (invalid usage), which a retry cannot fix.
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
