#!/usr/bin/env bash
# Measures the release binary against clusters of each size: bench.sh [--quick] [SIZE…], and single steps: bench.sh micro.
# Built as for a release, and not as for tests: without optimization the figures would say nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/release-binary.sh nomad-exporter nomad-simulator nomad-benches
if [ "${1:-}" = micro ]; then
    . scripts/reproducible.sh
    cargo bench --locked --package nomad-benches --bench micro
else
    target/release/load "$@"
fi
