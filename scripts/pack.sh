#!/usr/bin/env bash
# Packs a release of a binary: pack.sh BINARY DIRECTORY writes a tarball, a Debian package and their checksums. The same
# binary, commit and SOURCE_DATE_EPOCH result in the same bytes.
set -euo pipefail
umask 022
export LC_ALL=C TZ=UTC
binary=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
cd "$(dirname "$0")/.."
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
export SOURCE_DATE_EPOCH
version=$("$binary" --version | cut -d' ' -f2)
target=$(rustc -vV | sed -n 's/^host: //p')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The layout of cargo's target directory, which cargo-deb expects: see [package.metadata.deb] in Cargo.toml.
name="nomad-exporter-$version-$target"
stage="$work/release/$name"
mkdir -p "$stage/completions" "$stage/man/man1"
install -m 755 "$binary" "$stage/nomad-exporter"
cp "$stage/nomad-exporter" "$work/release/nomad-exporter"
cp README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md LICENSE "$stage"
cp -r alerts deploy docs "$stage"
mkdir "$stage/dashboards"
cp dashboards/README.md dashboards/kustomization.yaml dashboards/*.json "$stage/dashboards"
"$binary" completions bash >"$stage/completions/nomad-exporter.bash"
"$binary" completions fish >"$stage/completions/nomad-exporter.fish"
"$binary" completions zsh >"$stage/completions/_nomad-exporter"
"$binary" man --directory "$stage/man/man1"
scripts/licences.sh "$target" >"$stage/THIRD-PARTY-LICENCES.txt"

# The bill of materials. cargo-cyclonedx writes beside the manifests, so this uses a copy of them; its path is removed.
mkdir -p "$work/manifests/tests"
cp -r Cargo.toml Cargo.lock build.rs src benches simulator dashboards "$work/manifests"
cp -r tests/workspace-hack "$work/manifests/tests"
for test in tests/*/main.rs; do cp -r "$(dirname "$test")" "$work/manifests/tests"; done
(cd "$work/manifests" && cargo cyclonedx --quiet --format json --spec-version 1.5 --target "$target")
sed "s|path+file://$work/manifests|path+file:///nomad-exporter|" "$work/manifests/nomad-exporter.cdx.json" \
    >"$stage/nomad-exporter.cdx.json"

tar --create --directory "$work/release" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --format=ustar \
    --owner=0 --group=0 --numeric-owner --mode=u+rw,go+r,go-w "$name" | gzip --no-name >"$out/$name.tar.gz"
# Cargo.toml names the files of the package by a folder without a version.
mv "$stage" "$work/release/package"
CARGO_TARGET_DIR="$work" cargo deb --quiet --locked --no-build --no-strip --compress-system \
    --package nomad-exporter --output "$out" >/dev/null
(cd "$out" && sha256sum "$name.tar.gz" nomad-exporter_"$version"-*.deb >SHA256SUMS)
ls "$out"
