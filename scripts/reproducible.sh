# shellcheck shell=bash
# To be sourced in the project's root: what keeps the machine and the moment out of a build.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
sysroot=$(rustc --print sysroot)
export RUSTFLAGS="--remap-path-prefix=$PWD=/nomad-exporter --remap-path-prefix=$cargo_home=/cargo --remap-path-prefix=$sysroot=/rust"
# For what is written in C, without debugging information as in .cargo/config.toml.
export CFLAGS="-g0 -ffile-prefix-map=$PWD=/nomad-exporter -ffile-prefix-map=$cargo_home=/cargo"
# The moment of everything that is packed is that of the commit.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH

# holds_no_path BINARY: fails where it names a folder of this machine.
holds_no_path() {
    local folder
    for folder in "$PWD" "$cargo_home" "$sysroot"; do
        if grep --quiet --text --fixed-strings "$folder" "$1"; then
            echo "$1 names $folder, so that another machine would build another one" >&2
            return 1
        fi
    done
}
