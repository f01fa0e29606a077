#!/usr/bin/env bash
# Runs the exporter beside a real Nomad, once for each program in NOMAD (or the `nomad` on the PATH); CLIENT_NOMAD is
# that of the clients, if it is another. With an argument, only tests whose name has it: `what_the_exporter_costs`.
set -euo pipefail
cd "$(dirname "$0")/.."

nomads=${NOMAD:-$(command -v nomad || true)}
if [ -z "$nomads" ]; then
    echo "skipped: the tests beside a real Nomad: NOMAD names none, and no nomad is on the PATH"
    exit 0
fi
if [ ! -d /proc/self ]; then
    echo "skipped: the tests beside a real Nomad: what they start is found again by /proc, which this system lacks"
    exit 0
fi

folder='' child=''

# Ends whatever works in the folder: agents, their executors, and tasks. Then removes what they left.
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
    # Only Nomad as root mounts something.
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
    # In a process group of its own, so that a signal ends all of it.
    set -m
    cargo test --quiet --locked --test nomad -- --ignored --nocapture --test-threads 1 "$@" &
    child=$!
    set +m
    wait "$child" || failed=1
    child=''
    clean_up
done
exit "$failed"
