#!/usr/bin/env bash
# Checks the format, clippy with warnings denied, and cargo-deny where it is installed, as it is under `make test`.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PATH:$PWD/target/tools/bin"

cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings
if cargo deny --version >/dev/null 2>&1; then
    # It reads what the lock file names for any platform.
    cargo fetch --locked --quiet
    # The database of advisories may be out of reach; licences, bans and sources need nothing from outside.
    cargo deny --offline --all-features check --deny warnings bans licenses sources
elif [ -n "${NOMAD_EXPORTER_TEST_TOOLS:-}" ]; then
    echo "cargo-deny is not on the PATH" >&2
    exit 1
else
    echo "skipped: cargo-deny is not installed (\`scripts/test-tools.sh\` makes it available)"
fi
