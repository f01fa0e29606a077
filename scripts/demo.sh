#!/usr/bin/env bash
# Builds and runs the exporter with a simulated cluster until it is interrupted. Installs nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
nomad_port=${NOMAD_PORT:-4646}
port=${PORT:-9441}
prometheus_port=${PROMETHEUS_PORT:-9090}
PATH="$PATH:$PWD/target/tools/bin"

folder=$(mktemp -d)
processes=()
stop() {
    trap '' INT TERM
    trap - EXIT
    if [ ${#processes[@]} -gt 0 ]; then
        kill "${processes[@]}" 2>/dev/null || true
        wait "${processes[@]}" 2>/dev/null || true
    fi
    rm -rf "$folder"
}
trap stop EXIT
trap 'printf "\nThe demo has ended.\n"; exit 0' INT TERM

# Settings of the scenario. Intervals are short, so that changes are visible.
case ${SCENARIO:=farm} in
farm)
    story=(--speed 3) intervals=(--collect.interval 2s --collect.history-interval 10s --collect.client-interval 5s)
    note="Builds come in bursts, so that a backlog grows and clears every 40 seconds, and alerts with it."
    # Removes the delays of alerts, so that they fire and resolve with their condition.
    quick() { sed -E 's/^( +(for|keep_firing_for):) .*/\1 0s/' "$1"; }
    ;;
ci)
    story=(--scenario ci --speed 20 --nomad-version 1.11.3 --servers 5)
    intervals=(--collect.interval 1s --collect.history-interval 5s --collect.client-interval 5s --collect.duty-cycle 0.5)
    note="An hour of a CI system takes three minutes, and then starts again. docs/circleci-server.md lists its events."
    quick() { awk -v FASTER=20 -f scripts/quicker-rules.awk "$1"; }
    ;;
*)
    echo "SCENARIO is farm or ci." >&2
    exit 1
    ;;
esac

# Checked before the build, which takes minutes the first time.
taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
for variable in NOMAD_PORT:$nomad_port PORT:$port; do
    if taken "${variable#*:}"; then
        echo "Port ${variable#*:} is in use: choose another one with ${variable%:*}=…" >&2
        exit 1
    fi
done

# The same packages as in `make test`: see tests/workspace-hack.
packages=(--package nomad-exporter --package nomad-simulator --package workspace-hack)
# progress TOTAL: shows the number of built crates, as reported by cargo on stdin.
progress() {
    local line crate done=0 seen=" "
    while read -r line; do
        [[ $line == '{"reason":"compiler-artifact","package_id":"'* ]] || continue
        crate=${line#*'"package_id":"'}
        crate=${crate%%'"'*}
        [[ $seen != *" $crate "* ]] || continue
        seen+="$crate " done=$((done + 1))
        if [ -t 1 ]; then
            printf '\r\033[KBuilding: %d of %d crates, %d s' "$done" "$1" "$SECONDS"
        elif ((done % 50 == 0)); then
            echo "Building: $done of $1 crates, $SECONDS s"
        fi
    done
    if [ -t 1 ]; then printf '\r\033[K'; fi
}
echo "Building the exporter and a simulated Nomad cluster. The first time, this takes about two minutes."
total=$(cargo tree --locked --edges normal,build --prefix none --format '{p}' "${packages[@]}" | sed 's/ (\*)$//' | sort -u | grep -c .)
cargo build --quiet --locked --message-format json-render-diagnostics "${packages[@]}" | progress "$total"

# up COMMAND…: waits until the command succeeds, as long as all processes run.
up() {
    for _ in $(seq 300); do
        if "$@" >/dev/null 2>&1; then return; fi
        kill -0 "${processes[@]}" 2>/dev/null || break
        sleep 0.1
    done
    echo "The demo did not start." >&2
    exit 1
}
target/debug/nomad-simulator --listen "127.0.0.1:$nomad_port" "${story[@]}" &
processes+=($!)
up taken "$nomad_port"
exporter=(target/debug/nomad-exporter --web.listen-address "127.0.0.1:$port" --log.level warn)
"${exporter[@]}" --nomad.address "http://127.0.0.1:$nomad_port" "${intervals[@]}" &
processes+=($!)
up "${exporter[@]}" healthcheck --ready

# With the shipped rules, but faster, so that alerts fire and resolve within minutes.
start_prometheus() {
    for rules in alerts/nomad.rules.yml alerts/nomad.alerts.yml; do
        quick "$rules" >"$folder/$(basename "$rules")"
    done
    cat >"$folder/prometheus.yml" <<EOF
global: {scrape_interval: 2s, evaluation_interval: 2s}
rule_files: ['$folder/nomad.*.yml']
scrape_configs:
  - job_name: nomad-exporter
    honor_labels: true
    static_configs: [{targets: ['127.0.0.1:$port']}]
EOF
    prometheus --config.file="$folder/prometheus.yml" --storage.tsdb.path="$folder/data" \
        --web.listen-address="127.0.0.1:$prometheus_port" >"$folder/log" 2>&1 &
    processes+=($!)
}
if ! command -v prometheus >/dev/null; then
    alerts="not here, since no Prometheus is installed; the demo goes without it"
elif taken "$prometheus_port"; then
    alerts="not here, since port $prometheus_port is in use: choose another one with PROMETHEUS_PORT=…"
else
    start_prometheus
    alerts="http://127.0.0.1:$prometheus_port/alerts"
fi
cat <<EOF

Open http://127.0.0.1:$port/ to see the cluster.

  the exporter's metrics    http://127.0.0.1:$port/metrics
  Prometheus and alerts     $alerts
  Nomad's API (simulated)   http://127.0.0.1:$nomad_port/v1/jobs?namespace=*

Watch jobs, nodes and utilization move, on a screen or as metrics:

  target/debug/nomad-exporter status --watch --collect.interval 2s --nomad.address http://127.0.0.1:$nomad_port
  watch -n 2 "curl -s http://127.0.0.1:$port/metrics | grep -E '^nomad_(jobs|nodes|queued_allocations|node_allocated_cpu_hertz)\{' | grep -v ' 0$'"

$note
Press ctrl-C to end the demo.
EOF
wait -n "${processes[@]:0:2}"
echo "The simulator or the exporter has exited." >&2
exit 1
