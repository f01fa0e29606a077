#!/bin/sh
# Drains a client that its autoscaling group wants to terminate, waits until nothing lives on it, and completes the
# lifecycle hook: lifecycle-hook.sh [NODE [FLAG…]]. Without NODE it is the client on this machine; flags go to the drain.
#
# All that is asked of Nomad goes through `nomad-exporter drain`, which reads Nomad's own variables (NOMAD_ADDR,
# NOMAD_TOKEN and so on). The hook is AWS's by default: set GROUP and INSTANCE, and HOOK if it is not nomad-drain. For
# another cloud set HEARTBEAT_COMMAND and COMPLETE_COMMAND instead.
#
# It ends as the drain does: 0 drained, 4 gone (both complete the hook); 3 still draining, 5 cancelled by somebody, and
# everything else leave the hook alone. Start it again at any time: it joins the drain that goes on.
set -u

exporter=${EXPORTER:-nomad-exporter}
hook=${HOOK:-nomad-drain}
# Shorter than the hook can be kept alive, and longer than the longest build.
deadline=${DRAIN_DEADLINE:-2h}
# Several times within the hook's own timeout.
every=${HEARTBEAT_SECONDS:-60}

aws_hook() {
    aws autoscaling "$@" --auto-scaling-group-name "${GROUP:?the autoscaling group}" \
        --lifecycle-hook-name "$hook" --instance-id "${INSTANCE:?the instance}"
}

heartbeat() {
    if [ -n "${HEARTBEAT_COMMAND:-}" ]; then sh -c "$HEARTBEAT_COMMAND"; else aws_hook record-lifecycle-action-heartbeat; fi
}

complete_hook() {
    if [ -n "${COMPLETE_COMMAND:-}" ]; then
        sh -c "$COMPLETE_COMMAND"
    else
        aws_hook complete-lifecycle-action --lifecycle-action-result CONTINUE
    fi
}

if [ -z "${COMPLETE_COMMAND:-}" ]; then
    : "${GROUP:?give GROUP and INSTANCE, or COMPLETE_COMMAND and HEARTBEAT_COMMAND}" "${INSTANCE:?give INSTANCE too}"
fi

# A heartbeat that fails is said and tried again: the drain matters more.
(
    nap=
    trap 'kill "$nap" 2>/dev/null; exit 0' TERM
    while :; do
        heartbeat || echo "the heartbeat of hook $hook failed" >&2
        sleep "$every" &
        nap=$!
        wait "$nap"
    done
) &
beating=$!

node=${1:---self}
[ $# -eq 0 ] || shift
"$exporter" drain "$node" --yes --wait --deadline "$deadline" \
    ${DRAIN_TIMEOUT:+--timeout "$DRAIN_TIMEOUT"} "$@" &
draining=$!
trap 'kill -TERM "$draining" 2>/dev/null' TERM INT
wait "$draining"
code=$?
# A signal ends the first wait, and the drain says how it stands before it ends.
while kill -0 "$draining" 2>/dev/null; do
    wait "$draining"
    code=$?
done
kill -TERM "$beating" 2>/dev/null
wait "$beating" 2>/dev/null

case $code in
0 | 4)
    complete_hook || {
        echo "hook $hook could not be completed: the machine stays until it times out" >&2
        exit 1
    }
    ;;
3) echo "hook $hook is left alone: the client still drains" >&2 ;;
5) echo "hook $hook is left alone: somebody wants the client back" >&2 ;;
*) echo "hook $hook is left alone: the drain failed" >&2 ;;
esac
exit "$code"
