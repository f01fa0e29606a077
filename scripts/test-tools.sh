#!/usr/bin/env bash
# Makes the programs that the tests use available, in target/tools, and prints the folder that holds them.
# As little as can be is installed into the system: Debian's packages are only unpacked, Python's go into a venv, cargo's
# stay in target/tools, and only what works nowhere else goes where it must be.
set -euo pipefail
cd "$(dirname "$0")/.."
tools="$PWD/target/tools"
mkdir -p "$tools/bin" "$tools/deb"

say() { echo "$*" >&2; }

# unpack PACKAGE PROGRAM…: links programs of a Debian package unless they are on the PATH already.
unpack() {
    local package=$1 program missing=()
    shift
    for program in "$@"; do
        if [ ! -x "$tools/bin/$program" ] && ! command -v "$program" >/dev/null; then missing+=("$program"); fi
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if ! command -v apt-get >/dev/null; then
        say "The tests need ${missing[*]}: install them so that they are on the PATH."
        exit 1
    fi
    say "unpacking ${missing[*]} of Debian's package $package into target/tools"
    if ! (cd "$tools/deb" && apt-get download -qq "$package" >/dev/null 2>&1); then
        # The lists of packages may never have been fetched.
        apt-get update -qq >/dev/null 2>&1 || sudo -n apt-get update -qq >/dev/null 2>&1 || true
        if ! (cd "$tools/deb" && apt-get download -qq "$package" >&2); then
            say "The tests need ${missing[*]}: run 'sudo apt-get update && sudo apt-get install $package'."
            exit 1
        fi
    fi
    dpkg-deb -x "$tools/deb/${package}"_*.deb "$tools/deb/$package"
    for program in "${missing[@]}"; do
        ln -sf "$(cd "$tools/deb" && find "$package" -path "*bin/$program" | sed 's|^|../deb/|')" "$tools/bin/$program"
    done
}

unpack prometheus prometheus promtool
unpack prometheus-alertmanager prometheus-alertmanager amtool
# Judges of manual pages and of completions.
unpack mandoc mandoc
unpack zsh zsh
unpack shellcheck shellcheck
# Debian's Alertmanager looks for its templates at this place and nowhere else.
templates=/usr/share/prometheus/alertmanager
if [ ! -e "$templates/default.tmpl" ]; then
    say "copying Alertmanager's templates to $templates"
    copy=(cp -r "$tools/deb/prometheus-alertmanager$templates" "$(dirname "$templates")/")
    if ! { mkdir -p "$(dirname "$templates")" && "${copy[@]}"; } 2>/dev/null &&
        ! { sudo -n mkdir -p "$(dirname "$templates")" && sudo -n "${copy[@]}"; } 2>/dev/null; then
        say "The tests need Alertmanager's templates: run 'sudo apt-get install prometheus-alertmanager'."
        exit 1
    fi
fi

# installed PACKAGE PROGRAM: installs a Debian package for good, where it cannot work from a folder of its own.
installed() {
    if command -v "$2" >/dev/null; then return 0; fi
    local install=(apt-get install -qq -y --no-install-recommends "$1")
    [ "$(id -u)" = 0 ] || install=(sudo -n "${install[@]}")
    say "installing Debian's package $1"
    if ! DEBIAN_FRONTEND=noninteractive "${install[@]}" >/dev/null 2>&1; then
        say "The tests need $2: run 'sudo apt-get update && sudo apt-get install $1'."
        exit 1
    fi
}

# A browser needs its many libraries; the others theirs, at places that are fixed.
installed chromium chromium
installed systemd systemd-analyze
installed dpkg-dev dpkg-shlibdeps

# An OpenMetrics parser and a JSON Schema validator of someone else's making.
pythons=(openmetrics-python jsonschema-python)
if [ ! -x "$tools/bin/${pythons[0]}" ] || [ ! -x "$tools/bin/${pythons[1]}" ]; then
    packages=(prometheus_client==0.22.1 jsonschema==4.26.0)
    if command -v python3 >/dev/null && python3 -m venv "$tools/venv" >/dev/null 2>&1 &&
        "$tools/venv/bin/python" -m pip install --quiet --disable-pip-version-check "${packages[@]}" >&2; then
        for python in "${pythons[@]}"; do
            # Not a link: Python finds its venv by the path that it is called by.
            printf '#!/bin/sh\nexec "%s" "$@"\n' "$tools/venv/bin/python" >"$tools/bin/$python"
            chmod +x "$tools/bin/$python"
        done
    else
        say "no Python with venv and pip here: tests with Python's OpenMetrics and JSON Schema will be skipped"
    fi
fi

# What judges deploy/. Where one cannot be had, its test says what it skips.

# wrap NAME COMMAND…: a program of this name that runs the command.
wrap() {
    local name=$1
    shift
    printf '#!/bin/sh\nexec %s "$@"\n' "$*" >"$tools/bin/$name"
    chmod +x "$tools/bin/$name"
}

# Helm's own engine, and the schemas of Kubernetes.
if [ ! -x "$tools/bin/helm-python" ]; then
    if [ -x "$tools/venv/bin/python" ] && "$tools/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        helm-python-sdk==0.2.2 kubernetes-validate==1.37.0 >&2; then
        wrap kubernetes-validate "$tools/venv/bin/kubernetes-validate"
        wrap helm-python "$tools/venv/bin/python"
    else
        say "no Python with venv and pip here: tests of deploy/kubernetes and deploy/helm will be skipped"
    fi
fi

# The Prometheus Operator's types, and a compiler that knows an unknown field.
if [ ! -x "$tools/bin/operator-types" ]; then
    if command -v npm >/dev/null && npm install --prefix "$tools/npm" --silent --ignore-scripts --no-audit --no-fund \
        typescript@5.9.3 @kubernetes-models/prometheus-operator@6.0.0 >&2; then
        wrap operator-types "$tools/npm/node_modules/.bin/tsc" --noEmit --strict --skipLibCheck --target esnext \
            --module nodenext
    else
        say "no npm here: the test of the Prometheus Operator's objects will be skipped"
    fi
fi

if [ ! -x "$tools/bin/kustomize" ] && ! command -v kustomize >/dev/null; then
    say "building kustomize (a minute or two)"
    if ! { command -v go >/dev/null && GOBIN="$tools/bin" go install sigs.k8s.io/kustomize/kustomize/v5@v5.7.1 >&2; }; then
        say "no Go here: tests of deploy/kubernetes will be skipped"
    fi
fi

# Buildah needs its libraries and its configuration, so it is installed for good.
if ! command -v buildah >/dev/null; then
    install=(apt-get install -qq -y --no-install-recommends buildah)
    [ "$(id -u)" = 0 ] || install=(sudo -n "${install[@]}")
    say "installing Debian's package buildah"
    if ! DEBIAN_FRONTEND=noninteractive "${install[@]}" >/dev/null 2>&1; then
        say "no buildah here: the test that runs the image will be skipped"
    fi
fi

# Cargo's own helpers. Built without optimizations, and together, since they share most of what they are made of.
crates=()
crate() {
    if [ ! -x "$tools/bin/$1" ] && ! command -v "$1" >/dev/null; then crates+=("$1@$2"); fi
}
crate cargo-deny 0.20.2
crate cargo-deb 3.8.0
crate cargo-cyclonedx 0.5.9
if [ ${#crates[@]} -gt 0 ]; then
    say "building ${crates[*]} into target/tools, which takes some minutes"
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR="$tools/build" \
        cargo install --debug --locked --quiet --root "$tools" "${crates[@]}" >&2
    rm -rf "$tools/build"
fi
echo "$tools/bin"
