#!/usr/bin/env bash
# Runs the exporter beside a cluster that never rests, with faults and scrapers: soak.sh [SECONDS] [--release].
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$(scripts/test-tools.sh)
export PATH="$tools:$PATH" NOMAD_EXPORTER_TEST_TOOLS=required
export SOAK_SECONDS=${1:-1200}
exec cargo test --locked --test integration "${@:2}" -- --ignored --nocapture soak::
