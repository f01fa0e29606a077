#!/usr/bin/env bash
# Soak test: runs the exporter with a cluster that changes all the time, faults and scrapers: soak.sh [SECONDS]
# [--release].
set -euo pipefail
cd "$(dirname "$0")/.."

PATH="$(scripts/tools.sh prometheus):$PATH"
export SOAK_SECONDS=${1:-1200}
if [ "${2:-}" = --release ]; then
    scripts/release-binary.sh nomad-exporter
    export NOMAD_EXPORTER_TEST_BINARY="$PWD/target/release/nomad-exporter"
fi
exec scripts/ignored-tests.sh check-soak --nocapture
