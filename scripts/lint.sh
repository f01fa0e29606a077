#!/usr/bin/env bash
# Checks the format, clippy with warnings denied, and cargo-deny where it is installed.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings
if cargo deny --version >/dev/null 2>&1; then
    # The database of advisories may be out of reach; licences, bans and sources need nothing from outside.
    cargo deny --offline --all-features check bans licenses sources
else
    echo "skipped: cargo-deny is not installed (cargo install --locked cargo-deny)"
fi
