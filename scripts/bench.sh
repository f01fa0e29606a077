#!/usr/bin/env bash
# Measures the release binary with clusters of each size: bench.sh [--quick] [SIZE…]. Event stream: bench.sh --events [SIZE…].
# Micro-benchmarks: bench.sh micro.
# Builds like a release, because measurements without optimization mean nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/release-binary.sh nomad-exporter nomad-simulator nomad-benches
if [ "${1:-}" = micro ]; then
    . scripts/reproducible.sh
    cargo bench --locked --package nomad-benches --bench micro
else
    target/release/load "$@"
fi
