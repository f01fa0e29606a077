#!/usr/bin/env bash
# Runs the exporter with a real Nomad, once for each program in NOMAD (default: the `nomad` on the PATH). CLIENT_NOMAD
# is the program of the clients, if it differs. An argument selects tests by name, such as `what_the_exporter_costs`.
set -euo pipefail
cd "$(dirname "$0")/.."

nomads=${NOMAD:-$(command -v nomad || true)}
if [ -z "$nomads" ]; then
    echo "skipped: the tests with a real Nomad: NOMAD is not set, and there is no nomad on the PATH"
    exit 0
fi
if [ ! -d /proc/self ]; then
    echo "skipped: the tests with a real Nomad: they need /proc to find their processes"
    exit 0
fi

folder='' child=''

# Ends everything that runs in the folder (agents, executors, tasks), and removes its files.
clean_up() {
    local signal process mount
    if [ -n "$child" ]; then
        kill -TERM -- "-$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
        child=''
    fi
    [ -n "$folder" ] || return 0
    for signal in TERM KILL; do
        for process in /proc/[0-9]*; do
            case $(readlink "$process/cwd" 2>/dev/null || true) in
            "$folder" | "$folder"/*) kill -s "$signal" "${process#/proc/}" 2>/dev/null || true ;;
            esac
        done
        sleep 1
    done
    # Only Nomad as root has mounts.
    awk -v folder="$folder/" 'index($2, folder) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mount; do
        umount "$mount" || true
    done
    rm -rf --one-file-system "$folder"
    folder=''
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cargo test --locked --test nomad --no-run
failed=0
for nomad in $nomads; do
    folder=$(mktemp -d "${TMPDIR:-/tmp}/test-nomad.XXXXXX")
    chmod 755 "$folder"
    export TEST_NOMAD="$nomad" TEST_NOMAD_FOLDER="$folder"
    if [ -n "${CLIENT_NOMAD:-}" ]; then
        export TEST_CLIENT_NOMAD="$CLIENT_NOMAD"
    fi
    # In a process group of its own, so that a signal reaches all processes.
    set -m
    cargo test --quiet --locked --test nomad -- --ignored --nocapture --test-threads 1 "$@" &
    child=$!
    set +m
    wait "$child" || failed=1
    child=''
    clean_up
done
exit "$failed"
