#!/usr/bin/env bash
# Tries the alert rules on many generated histories, and times rules and dashboards in a cluster of 10,000 nodes.
set -euo pipefail
cd "$(dirname "$0")/.."

PATH="$(scripts/tools.sh promtool prometheus):$PATH"
BENCH_HISTORIES=${BENCH_HISTORIES:-200} cargo test --locked --test integration rules_bench:: -- --include-ignored --nocapture
BENCH_SIZE=L cargo test --locked --test integration alerting::cost:: -- --include-ignored --nocapture
