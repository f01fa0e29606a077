#!/usr/bin/env bash
# Builds release programs into target/release: release-binary.sh [PACKAGE…]. `make bench` builds the simulator and the
# benchmark together with the exporter, whose binary is the same either way.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/reproducible.sh

packages=()
for package in "$@"; do packages+=(--package "$package"); done
cargo build --release --locked "${packages[@]}"
holds_no_path target/release/nomad-exporter
