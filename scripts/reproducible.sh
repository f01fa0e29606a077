# shellcheck shell=bash
# Makes a build independent of the machine and the time. Source it in the project's root.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
sysroot=$(rustc --print sysroot)
export RUSTFLAGS="--remap-path-prefix=$PWD=/nomad-exporter --remap-path-prefix=$cargo_home=/cargo --remap-path-prefix=$sysroot=/rust"
# C code too, without debug information as in .cargo/config.toml.
export CFLAGS="-g0 -ffile-prefix-map=$PWD=/nomad-exporter -ffile-prefix-map=$cargo_home=/cargo"
# Packed files have the time of the commit.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH

# holds_no_path BINARY: fails if it contains a path of this machine.
holds_no_path() {
    local folder
    for folder in "$PWD" "$cargo_home" "$sysroot"; do
        if grep --quiet --text --fixed-strings "$folder" "$1"; then
            echo "$1 contains the path $folder, so the build is not reproducible" >&2
            return 1
        fi
    done
}
