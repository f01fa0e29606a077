#!/usr/bin/env bash
# Runs everything that a change must pass: format, clippy, documentation, tests, and promtool's tests of the rules.
set -euo pipefail
cd "$(dirname "$0")/.."

PATH="$(scripts/tools.sh promtool):$PATH"
scripts/lint.sh
cargo test --workspace --locked
scripts/ignored-tests.sh test
echo "The ignored tests need other programs or take minutes: run \`make check\`."
