#!/usr/bin/env bash
# Builds and runs the exporter against a simulated cluster until it is interrupted.
set -euo pipefail
cd "$(dirname "$0")/.."
nomad_port=${NOMAD_PORT:-4646}
port=${PORT:-9441}

cargo build --release --workspace --locked
prometheus_port=${PROMETHEUS_PORT:-9090}
simulator= exporter= prometheus=
stop() {
    trap - EXIT INT TERM
    for process in $prometheus $exporter $simulator; do kill "$process" 2>/dev/null || true; done
    wait 2>/dev/null || true
}
trap stop EXIT
trap 'exit 0' INT TERM

# What is shown. How often it is read is short, so that a watcher sees things move.
case ${SCENARIO:=farm} in
farm)
    story=(--speed 3) intervals=(--collect.interval 2s --collect.history-interval 10s --collect.client-interval 5s)
    note="Builds come in bursts, so that a backlog grows and clears every 40 seconds, and alerts with it."
    # An alert fires and ends as soon as its condition does.
    quick() { sed -E 's/^( +(for|keep_firing_for):) .*/\1 0s/' "$1"; }
    ;;
ci)
    story=(--scenario ci --speed 20 --nomad-version 1.11.3 --servers 5)
    intervals=(--collect.interval 1s --collect.history-interval 2s --collect.client-interval 5s)
    note="An hour of a CI system passes in three minutes: docs/circleci-server.md says what to see when. Then it begins anew."
    quick() { awk -v FASTER=20 -f scripts/quicker-rules.awk "$1"; }
    ;;
*)
    echo "SCENARIO is farm or ci." >&2
    exit 1
    ;;
esac
target/release/nomad-simulator --listen "127.0.0.1:$nomad_port" "${story[@]}" &
simulator=$!
target/release/nomad-exporter --nomad.address "http://127.0.0.1:$nomad_port" --web.listen-address "127.0.0.1:$port" \
    "${intervals[@]}" &
exporter=$!

ready() {
    for _ in $(seq 100); do
        if curl -sf "http://127.0.0.1:$port/-/ready" >/dev/null; then return 0; fi
        kill -0 "$simulator" "$exporter" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}
if ! ready; then
    echo "The demo did not come up. Is one of the ports $nomad_port and $port taken? Set NOMAD_PORT and PORT." >&2
    exit 1
fi
# With the shipped rules, which are quicker here so that a newcomer sees an alert fire and end.
start_prometheus() {
    local folder
    folder=$(mktemp -d)
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
    prometheus=$!
}
PATH="$PATH:$PWD/target/tools/bin"
if command -v prometheus >/dev/null; then
    start_prometheus
    alerts="http://127.0.0.1:$prometheus_port/alerts"
else
    alerts="(Prometheus is not installed; \`scripts/test-tools.sh\` makes it available)"
fi
cat <<EOF

  Nomad's API (simulated)   http://127.0.0.1:$nomad_port/v1/jobs?namespace=*
  the exporter              http://127.0.0.1:$port/
  its metrics               http://127.0.0.1:$port/metrics
  Prometheus' alerts        $alerts

Watch jobs, nodes and utilization move, on a screen or as metrics:

  target/release/nomad-exporter status --watch --collect.interval 2s --nomad.address http://127.0.0.1:$nomad_port
  watch -n 2 "curl -s http://127.0.0.1:$port/metrics | grep -E '^nomad_(jobs|nodes|queued_allocations|node_allocated_cpu_hertz)\{' | grep -v ' 0$'"

$note
Press ctrl-C to end the demo.
EOF
wait -n "$simulator" "$exporter"
echo "The simulator or the exporter ended by itself." >&2
exit 1
