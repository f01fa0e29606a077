#!/usr/bin/env bash
# Tries the alert rules on many generated histories, and times rules and dashboards in a cluster of 10,000 nodes.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$(scripts/test-tools.sh)
export PATH="$tools:$PATH" NOMAD_EXPORTER_TEST_TOOLS=required
BENCH_HISTORIES=${BENCH_HISTORIES:-200} cargo test --locked --test integration rules_bench:: -- --nocapture
BENCH_SIZE=L cargo test --locked --test integration alerting::cost:: -- --nocapture
