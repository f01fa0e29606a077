#!/usr/bin/env bash
# Runs the ignored tests of a part: ignored-tests.sh PART [ARGUMENT…].
# The reason of a test names its part: `#[ignore = "needs amtool: make check-deploy"]` belongs to check-deploy.
# Arguments are passed to the test program.
set -euo pipefail
cd "$(dirname "$0")/.."
part=$1
shift

# names FOLDER: prints the names of the part's tests.
names() {
    find "$1" -name '*.rs' -print0 | xargs -0 awk -v reason=": make $part\"]" '
        index($0, "#[ignore = ") && index($0, reason) { found = 1; next }
        found && match($0, /fn [a-z0-9_]+/) { print substr($0, RSTART + 3, RLENGTH - 3); found = 0 }'
}

# Skipped parts of a test are in its output.
total=0
for target in nomad-exporter:integration:tests/integration nomad-dashboards:dashboards:dashboards/tests; do
    IFS=: read -r package test folder <<<"$target"
    mapfile -t names < <(names "$folder")
    [ ${#names[@]} -gt 0 ] || continue
    cargo test --quiet --locked --package "$package" --test "$test" -- --ignored --show-output "${names[@]}" "$@"
    total=$((total + ${#names[@]}))
done
if [ "$total" = 0 ]; then
    echo "no test belongs to make $part" >&2
    exit 1
fi
