#!/usr/bin/env bash
# Installs programs that tests and releases need, and prints the directory for the PATH:
#   tools.sh PROGRAM… [--optional PROGRAM…]
# Optional programs are not available everywhere: if one is missing, tests print what they skip.
# Programs on the PATH are used as they are. Others are installed into target/tools: Debian packages are only unpacked,
# Python packages are in a venv, and programs built by Go, npm and cargo stay there. Programs that work nowhere else are
# installed into the system. The script announces each step, and fails if a program is not available.
set -euo pipefail
cd "$(dirname "$0")/.."
tools="$PWD/target/tools"
mkdir -p "$tools/bin" "$tools/deb"

say() { echo "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

has() { [ -x "$tools/bin/$1" ] || command -v "$1" >/dev/null; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# wrap NAME COMMAND…: creates a program of this name that runs the command. A link does not work, because Python finds
# its venv by the path of the program.
wrap() {
    local name=$1
    shift
    printf '#!/bin/sh\nexec %s "$@"\n' "$*" >"$tools/bin/$name"
    chmod +x "$tools/bin/$name"
}

# unpack PACKAGE PROGRAM: links a program of a Debian package.
unpack() {
    local package=$1 program=$2
    if [ ! -d "$tools/deb/$package" ]; then
        command -v apt-get >/dev/null || fail "$program is missing: install it so that it is on the PATH."
        say "unpacking Debian's package $package into target/tools, for $program"
        if ! (cd "$tools/deb" && apt-get download -qq "$package" >/dev/null 2>&1); then
            # The package lists may be missing.
            as_root apt-get update -qq >/dev/null 2>&1 || true
            (cd "$tools/deb" && apt-get download -qq "$package" >&2) ||
                fail "$program is missing: run 'sudo apt-get update && sudo apt-get install $package'."
        fi
        dpkg-deb -x "$tools/deb/$package"_*.deb "$tools/deb/$package.new"
        mv "$tools/deb/$package.new" "$tools/deb/$package"
    fi
    local file
    file=$(cd "$tools/deb" && find "$package" -path "*bin/$program")
    ln -sf "../deb/$file" "$tools/bin/$program"
}

# installed PACKAGE PROGRAM: installs a Debian package into the system, if it does not work from another folder.
installed() {
    say "installing Debian's package $1 into the system, for $2"
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$1")
    as_root "${install[@]}" >/dev/null 2>&1 ||
        { as_root apt-get update -qq && as_root "${install[@]}"; } >/dev/null 2>&1 ||
        fail "$2 is missing: run 'sudo apt-get update && sudo apt-get install $1'."
}

# Debian's Alertmanager looks for its templates only here.
alertmanager_templates() {
    local templates=/usr/share/prometheus/alertmanager
    [ ! -e "$templates/default.tmpl" ] || return 0
    say "copying Alertmanager's templates to $templates, where it looks for them"
    { as_root mkdir -p "$(dirname "$templates")" &&
        as_root cp -r "$tools/deb/prometheus-alertmanager$templates" "$(dirname "$templates")/"; } 2>/dev/null ||
        fail "Alertmanager's templates are missing: run 'sudo apt-get install prometheus-alertmanager'."
}

# python PROGRAM PACKAGE…: installs packages from PyPI into a common venv.
python() {
    local program=$1
    shift
    say "installing $* into a venv in target/tools, for $program"
    if [ ! -x "$tools/venv/bin/python" ] && ! python3 -m venv "$tools/venv" >&2; then
        fail "$program is missing: it needs Python 3 with venv."
    fi
    "$tools/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@" >&2 ||
        fail "$program is missing: PyPI does not hand it out."
}

# go_install FOLDER ARGUMENTS…: runs `go install`.
go_install() {
    local folder=$1
    shift
    command -v go >/dev/null || fail "${!#} is missing: it needs Go."
    say "building ${!#} with Go into target/tools, which takes some minutes"
    GOBIN="$folder" go install "$@" >&2 || fail "${!#} is missing: Go cannot build it."
}

# Cargo's helpers are built together, because they share most dependencies, and without optimization.
crates=()

need() {
    if has "$1"; then return; fi
    case $1 in
    prometheus | promtool) unpack prometheus "$1" ;;
    amtool) unpack prometheus-alertmanager "$1" ;;
    prometheus-alertmanager) unpack prometheus-alertmanager "$1" ;;
    curl | jq | mandoc | shellcheck | zsh) unpack "$1" "$1" ;;
    # These need many libraries, or files at fixed paths.
    chromium | buildah | mmdebstrap) installed "$1" "$1" ;;
    systemd-analyze | systemd-socket-activate) installed systemd "$1" ;;
    dpkg-shlibdeps) installed dpkg-dev "$1" ;;
    openmetrics-python)
        python "$1" prometheus_client==0.22.1
        wrap "$1" "$tools/venv/bin/python"
        ;;
    jsonschema-python)
        python "$1" jsonschema==4.26.0
        wrap "$1" "$tools/venv/bin/python"
        ;;
    typos)
        python "$1" typos==1.52.0
        wrap "$1" "$tools/venv/bin/typos"
        ;;
    # Grafana's own types, in the oldest version that the dashboards support.
    grafana-python)
        python "$1" 'grafana-foundation-sdk==1769699734!11.0.0'
        wrap "$1" "$tools/venv/bin/python"
        ;;
    # Helm's own engine, and the Kubernetes schemas.
    helm-python)
        python "$1" helm-python-sdk==0.2.2
        wrap "$1" "$tools/venv/bin/python"
        ;;
    kubernetes-validate)
        python "$1" kubernetes-validate==1.37.0
        wrap "$1" "$tools/venv/bin/kubernetes-validate"
        ;;
    # Types of the Prometheus Operator, and a compiler that reports unknown fields.
    operator-types)
        command -v npm >/dev/null || fail "$1 is missing: it needs npm."
        say "installing TypeScript and the Prometheus Operator's types with npm into target/tools"
        npm install --prefix "$tools/npm" --silent --ignore-scripts --no-audit --no-fund \
            typescript@5.9.3 @kubernetes-models/prometheus-operator@6.0.0 >&2 || fail "$1 is missing: npm does not hand it out."
        wrap "$1" "$tools/npm/node_modules/.bin/tsc" --noEmit --strict --skipLibCheck --target esnext --module nodenext
        ;;
    kustomize) go_install "$tools/bin" sigs.k8s.io/kustomize/kustomize/v5@v5.7.1 ;;
    # Without web UI, and with only Nomad's service discovery in addition to the built-in ones.
    prometheus-3 | promtool-3)
        go_install "$tools/prometheus-3" -tags remove_all_sd,enable_nomad_sd "github.com/prometheus/prometheus/cmd/${1%-3}@v0.316.0"
        ln -sf "../prometheus-3/${1%-3}" "$tools/bin/$1"
        ;;
    cargo-deny) crates+=(cargo-deny@0.20.2) ;;
    cargo-deb) crates+=(cargo-deb@3.8.0) ;;
    cargo-cyclonedx) crates+=(cargo-cyclonedx@0.5.9) ;;
    *) fail "nothing is known of a program $1" ;;
    esac
}

optional=
for program in "$@"; do
    if [ "$program" = --optional ]; then
        optional=yes
    elif [ -n "$optional" ]; then
        # In a subshell, because a failure exits it.
        (need "$program") || say "tests that need $program are skipped"
    else
        need "$program"
    fi
    if [ "$program" = prometheus-alertmanager ]; then alertmanager_templates; fi
done
if [ ${#crates[@]} -gt 0 ]; then
    say "building ${crates[*]} with cargo into target/tools, which takes some minutes"
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR="$tools/build" \
        cargo install --debug --locked --quiet --root "$tools" "${crates[@]}" >&2
    rm -rf "$tools/build"
fi
echo "$tools/bin"
