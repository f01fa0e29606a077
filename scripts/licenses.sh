#!/usr/bin/env bash
# Copies the licences of everything that is linked into the exporter to a folder: licenses.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:?"licenses.sh FOLDER"}
mkdir -p "$folder"
cp LICENSE "$folder/nomad-exporter"

# Where cargo unpacked the sources, whichever registry they came from.
sources=${CARGO_HOME:-$HOME/.cargo}/registry/src
cargo tree --locked --package nomad-exporter --edges normal --prefix none --format '{p}|{l}' | sort -u |
    while IFS='|' read -r package license; do
        name=${package%% v*} version=${package#* v}
        version=${version%% *}
        [ "$name" != nomad-exporter ] || continue
        crate=$(find "$sources" -maxdepth 2 -type d -name "$name-$version" -print -quit)
        # What it says of itself, then its files; some have none.
        {
            echo "$name $version: ${license%% (\**}"
            find "$crate" -maxdepth 1 -type f \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'notice*' \) | sort |
                while read -r file; do
                    printf '\n---- %s\n\n' "$(basename "$file")"
                    cat "$file"
                done
        } >"$folder/$name-$version"
    done
