#!/usr/bin/env bash
# Runs the tests that `make test` leaves out, because they need programs of others or minutes:
#   check.sh [PART…]   all parts unless some are named: prose deploy prometheus formats browser release soak bench deps
# Each part installs what it needs, and says so first. A test without its program fails, unless the program cannot be had
# everywhere: then the part says what is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== check-%s: %s\n' "$part" "$*"; }

run_tests() { scripts/ignored-tests.sh "check-$part"; }

check_deploy() {
    say "images, manifests, chart, units and scripts of deploy/, before the programs that read them"
    PATH="$(scripts/tools.sh promtool amtool shellcheck curl jq systemd-analyze systemd-socket-activate \
        --optional buildah kustomize helm-python kubernetes-validate operator-types):$PATH"
    run_tests
}

check_prometheus() {
    say "scrapes and alerts of real Prometheus servers, 2 and 3, and Alertmanager"
    PATH="$(scripts/tools.sh promtool prometheus prometheus-alertmanager --optional prometheus-3 promtool-3):$PATH"
    run_tests
}

check_formats() {
    say "OpenMetrics, JSON, completions and manual pages, before programs of other makers"
    PATH="$(scripts/tools.sh zsh mandoc --optional openmetrics-python jsonschema-python):$PATH"
    run_tests
}

check_browser() {
    say "the status page in Chromium"
    PATH="$(scripts/tools.sh chromium):$PATH"
    run_tests
}

check_release() {
    say "what a release hands out"
    PATH="$(scripts/tools.sh cargo-deb cargo-cyclonedx dpkg-shlibdeps systemd-analyze promtool \
        --optional mmdebstrap kustomize helm-python kubernetes-validate operator-types):$PATH"
    scripts/release-binary.sh nomad-exporter
    NOMAD_EXPORTER_TEST_BINARY="$PWD/target/release/nomad-exporter" run_tests
}

check_prose() {
    say "the spelling of all files"
    PATH="$(scripts/tools.sh --optional typos):$PATH" scripts/spelling.sh
}

check_soak() {
    say "two minutes beside a cluster that never rests; \`make soak\` takes longer"
    scripts/soak.sh 120
}

check_bench() {
    say "that the benchmark works; its figures are for people"
    scripts/bench.sh --quick S M
}

check_deps() {
    say "licences, sources and advisories of dependencies"
    PATH="$(scripts/tools.sh cargo-deny):$PATH"
    # It reads what the lock file names for any platform.
    cargo fetch --locked --quiet
    cargo deny --offline --all-features check --deny warnings bans licenses sources
    local said
    if said=$(cargo deny --all-features fetch db 2>&1); then
        cargo deny --offline --all-features check --deny warnings advisories
    else
        echo "skipped: advisories, because their database cannot be fetched: ${said##*$'\n'}"
    fi
}

parts=(prose deploy prometheus formats browser release soak bench deps)
if [ $# = 1 ]; then
    part=$1
    [[ " ${parts[*]} " == *" $part "* ]] || {
        echo "there is no part $part; there are ${parts[*]}" >&2
        exit 2
    }
    "check_$part"
    exit
fi
if [ $# -gt 0 ]; then parts=("$@"); fi
failed=()
for part in "${parts[@]}"; do scripts/check.sh "$part" || failed+=("check-$part"); done
if [ ${#failed[@]} -gt 0 ]; then
    echo "failed: ${failed[*]}" >&2
    exit 1
fi
