#!/usr/bin/env bash
# Runs each fuzz target for a short time: fuzz.sh [SECONDS]. Without cargo-fuzz or a nightly compiler, it prints that
# and runs nothing; the integration tests run the bodies of the targets in any case.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
export PATH="$PWD/target/tools/bin:$PATH"

skip() {
    echo "skipped: fuzzing: $1"
    exit 0
}
cargo fuzz --version >/dev/null 2>&1 || skip "cargo-fuzz is not installed (cargo install --locked cargo-fuzz)"
cargo +nightly --version >/dev/null 2>&1 || skip "there is no nightly compiler (rustup toolchain install nightly)"

# The same versions as in the exporter.
cp Cargo.lock fuzz/Cargo.lock

# Recorded responses are the seeds of the decoding targets.
for recorded in tests/fixtures/recordings/2.0.5*/*.json; do
    case $(head -c 1 "$recorded") in
        '[') target=lists before='@' ;;
        '{') target=objects before= ;;
        *) continue ;;
    esac
    mkdir -p "fuzz/corpus/$target"
    { printf '%s' "$before" && head -c 20000 "$recorded"; } >"fuzz/corpus/$target/$(basename "$(dirname "$recorded")")-$(basename "$recorded")"
done

log=$(mktemp)
trap 'rm -f "$log"' EXIT
for target in lists objects negotiation flags labels; do
    echo "fuzzing $target for $seconds s"
    if ! cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -max_len=20000 >"$log" 2>&1; then
        tail -n 40 "$log"
        echo "failed: $target; an input that fails again is in fuzz/artifacts/$target"
        exit 1
    fi
    grep -E '^Done ' "$log"
done
