#!/usr/bin/env bash
# Builds and packs a release of the commit that is checked out, into target/dist. docs/releasing.md tells what comes before
# and after.
#   release.sh          builds and packs
#   release.sh --check  does that twice, in two clones in two folders, and compares the checksums
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -n "$(git status --porcelain)" ]; then
    echo "The working tree has changes that are in no commit; a release is made of a commit." >&2
    exit 1
fi
scripts/test-tools.sh >/dev/null
PATH="$PATH:$PWD/target/tools/bin"

# release FOLDER: builds and packs what is checked out there. The name of the target folder is part of nothing.
release() (
    cd "$1"
    . scripts/reproducible.sh
    CARGO_TARGET_DIR="$PWD/target/reproducible" cargo build --release --locked --package nomad-exporter
    holds_no_path target/reproducible/release/nomad-exporter
    rm -rf target/dist
    scripts/pack.sh target/reproducible/release/nomad-exporter target/dist
)

if [ "${1:-}" != --check ]; then
    release .
    exit
fi
folders=$(mktemp -d)
trap 'rm -rf "$folders"' EXIT
# Both clones first: a commit that is made meanwhile must not come between.
names=("$folders/one" "$folders/another-with-a-longer-name")
for folder in "${names[@]}"; do git clone --quiet . "$folder"; done
for folder in "${names[@]}"; do
    release "$folder"
    cat "$folder/target/dist/SHA256SUMS"
done
cmp "$folders"/*/target/dist/SHA256SUMS
echo "Both builds are the same."
