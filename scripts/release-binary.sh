#!/usr/bin/env bash
# Builds programs as they are released, into target/release: release-binary.sh [PACKAGE…].
# `make bench` builds the simulator and itself along with the exporter, which is the same whether it is built alone or not.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/reproducible.sh

packages=()
for package in "$@"; do packages+=(--package "$package"); done
cargo build --release --locked "${packages[@]}"
holds_no_path target/release/nomad-exporter
