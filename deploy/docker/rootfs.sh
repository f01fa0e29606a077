#!/usr/bin/env bash
# Lays out the root of the image: rootfs.sh BINARY FOLDER
# The binary with the C library that it is linked with, the authorities that it trusts, and licences; nothing else.
set -euo pipefail
binary=$1 root=$2
here=$(cd "$(dirname "$0")" && pwd)

mkdir -p "$root/usr/bin" "$root/etc/ssl/certs"
install -m 755 "$binary" "$root/usr/bin/nomad-exporter"
# Each library at the path where the binary looks for it. What is without a path is the kernel's.
ldd "$binary" | grep -o '/[^ ]*' | while read -r library; do
    install -D -m 755 "$(readlink -f "$library")" "$root$library"
done
install -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
licences="$root/usr/share/licenses/nomad-exporter"
install -D -m 644 "$here/../../LICENSE" "$licences/LICENSE"
# A release has the list beside it; a clone makes it.
if [ -e "$here/../../THIRD-PARTY-LICENCES.txt" ]; then
    install -m 644 "$here/../../THIRD-PARTY-LICENCES.txt" "$licences"
else
    "$here/../../scripts/licences.sh" "$(rustc --version --verbose | sed -n 's/^host: //p')" \
        >"$licences/THIRD-PARTY-LICENCES.txt"
fi
