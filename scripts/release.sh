#!/usr/bin/env bash
# Builds and packs a release of the checked out commit into target/dist. docs/releasing.md has the steps before and
# after.
#   release.sh          builds and packs
#   release.sh --check  does that twice, in two clones in two folders, and compares the checksums
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -n "$(git status --porcelain)" ]; then
    echo "The working tree has uncommitted changes; commit them, because a release is built from a commit." >&2
    exit 1
fi
PATH="$(scripts/tools.sh cargo-deb cargo-cyclonedx dpkg-shlibdeps):$PATH"

# release FOLDER: builds and packs the checkout in this folder.
release() (
    cd "$1"
    scripts/release-binary.sh nomad-exporter
    rm -rf target/dist
    scripts/pack.sh target/release/nomad-exporter target/dist
)

if [ "${1:-}" != --check ]; then
    release .
    exit
fi
folders=$(mktemp -d)
trap 'rm -rf "$folders"' EXIT
# Clones both first, so that a commit in the meantime does not make them different.
names=("$folders/one" "$folders/another-with-a-longer-name")
for folder in "${names[@]}"; do git clone --quiet . "$folder"; done
for folder in "${names[@]}"; do
    release "$folder"
    cat "$folder/target/dist/SHA256SUMS"
done
cmp "$folders"/*/target/dist/SHA256SUMS
echo "Both builds are identical."
