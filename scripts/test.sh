#!/usr/bin/env bash
# What every change must pass: format, clippy, documentation, tests, and the rules before promtool.
set -euo pipefail
cd "$(dirname "$0")/.."

PATH="$(scripts/tools.sh promtool):$PATH"
scripts/lint.sh
cargo test --workspace --locked
scripts/ignored-tests.sh test
echo "The tests that were ignored need programs of others or minutes: \`make check\` runs them."
