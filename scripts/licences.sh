#!/usr/bin/env bash
# Prints the licenses of everything that is linked into the exporter, with their authors, each text once:
# licences.sh TARGET, such as x86_64-unknown-linux-gnu.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C
sources=${CARGO_HOME:-$HOME/.cargo}/registry/src

crates() {
    cargo tree --locked --package nomad-exporter --edges normal,no-proc-macro --target "$1" --prefix none \
        --format '{p}|{l}' | grep -v '(/' | sed 's/ (\*)//' | sort -u
}

declare -A users
texts=()
echo "nomad-exporter is licensed under Apache-2.0, see LICENSE. It holds these crates, and Rust's standard library,"
echo "which is licensed under MIT OR Apache-2.0:"
echo
while IFS='|' read -r package licence; do
    read -r name version _ <<<"$package"
    folder=("$sources"/*/"$name-${version#v}")
    if [ ! -d "${folder[0]}" ]; then
        echo "the sources of $name $version are not in $sources: run cargo fetch" >&2
        exit 1
    fi
    echo "  $name ${version#v}: $licence"
    own=$(find "${folder[0]}" -maxdepth 2 -type f ! -name '*.rs' \
        \( -iname 'licen[sc]e*' -o -iname 'copying*' -o -iname 'copyright*' -o -iname 'unlicense*' -o -iname 'notice*' \) | sort)
    # A crate without a license text must have our license; otherwise its text is in scripts/licences, written from its
    # manifest.
    if [ -z "$own" ] && [[ $licence != *Apache-2.0* ]] && [ -f "scripts/licences/$name" ]; then
        own=scripts/licences/$name
    fi
    if [ -z "$own" ] && [[ $licence != *Apache-2.0* ]]; then
        echo "$name $version has no text of its license, $licence" >&2
        exit 1
    fi
    while read -r file; do
        if [ -z "$file" ]; then continue; fi
        hash=$(sha256sum <"$file")
        if [ -z "${users[$hash]:-}" ]; then texts+=("$file"); fi
        users[$hash]+="${users[$hash]:+, }$name ${version#v}"
    done <<<"$own"
done < <(crates "$1")
for file in "${texts[@]}"; do
    printf '\n%s\n%s:\n\n' "$(printf -- '-%.0s' {1..100})" "${users[$(sha256sum <"$file")]}" | fold -s -w 118
    cat "$file"
done
