#!/usr/bin/env bash
# Runs everything that a change must pass: format, clippy, documentation, tests, and promtool's tests of the rules.
set -euo pipefail
cd "$(dirname "$0")/.."

PATH="$(scripts/tools.sh promtool):$PATH"
scripts/lint.sh
# Most integration tests wait for timers and processes, so run many more of them than there are CPUs.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((6 * $(nproc)))}
cargo test --workspace --locked
scripts/ignored-tests.sh test
echo "The ignored tests need other programs or take minutes: run \`make check\`."
