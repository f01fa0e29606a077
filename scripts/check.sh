#!/usr/bin/env bash
# Runs the tests that `make test` omits, because they need other programs or take minutes:
#   check.sh [PART…]   parts: prose deploy prometheus formats browser release soak bench deps; default: all
# Each part announces and installs what it needs. A test without its program fails, unless the program is not available
# everywhere: then the part prints what is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== check-%s: %s\n' "$part" "$*"; }

run_tests() { scripts/ignored-tests.sh "check-$part"; }

check_deploy() {
    say "images, manifests, chart, units and scripts of deploy/, and dashboards, before the programs that read them"
    PATH="$(scripts/tools.sh promtool amtool shellcheck curl jq systemd-analyze systemd-socket-activate \
        --optional buildah grafana-python kustomize helm-python kubernetes-validate operator-types):$PATH"
    run_tests
}

check_prometheus() {
    say "scrapes and alerts with real Prometheus servers, 2 and 3, and Alertmanager"
    PATH="$(scripts/tools.sh promtool prometheus prometheus-alertmanager --optional prometheus-3 promtool-3):$PATH"
    run_tests
}

check_formats() {
    say "OpenMetrics, JSON, completions and manual pages, read by other programs"
    PATH="$(scripts/tools.sh zsh mandoc --optional openmetrics-python jsonschema-python):$PATH"
    run_tests
}

check_browser() {
    say "the status page in Chromium"
    PATH="$(scripts/tools.sh chromium):$PATH"
    run_tests
}

check_release() {
    say "the files of a release"
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
    say "five times the random cases of \`make test\`"
    # Fewer cases suffice for each change; the seeds of each run are new.
    TEST_CASES_TIMES=5 cargo test --quiet --locked --test integration -- mutation:: ledger::all_numbers properties::flags::any
    say "two minutes with a cluster that changes all the time; \`make soak\` takes longer"
    scripts/soak.sh 120
}

check_bench() {
    say "that the benchmark works; its results are not checked"
    scripts/bench.sh --quick S M
}

check_deps() {
    say "licences, sources and advisories of dependencies"
    PATH="$(scripts/tools.sh cargo-deny):$PATH"
    # It needs the dependencies of all platforms in the lock file.
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
        echo "unknown part $part; the parts are ${parts[*]}" >&2
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
