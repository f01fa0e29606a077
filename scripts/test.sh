#!/usr/bin/env bash
# Installs what the tests need where it is missing, then runs every check.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$(scripts/test-tools.sh)
export PATH="$tools:$PATH"
# A missing tool then fails its test instead of skipping it.
export NOMAD_EXPORTER_TEST_TOOLS=required

scripts/lint.sh
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet
cargo test --workspace --locked
# Two minutes beside a cluster that never rests; `make soak` takes longer.
scripts/soak.sh 120
# That the benchmark works, and the release binary with it, which is built as it is for a release; its figures are for people.
. scripts/reproducible.sh
cargo build --release --package nomad-simulator --locked
cargo bench --locked --bench load -- --quick S M
holds_no_path target/release/nomad-exporter
