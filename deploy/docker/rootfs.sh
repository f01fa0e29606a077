#!/usr/bin/env bash
# Assembles the root file system of the image: rootfs.sh BINARY FOLDER
# It contains the binary, the C library that it is linked with, CA certificates and licenses, and nothing else.
set -euo pipefail
binary=$1 root=$2
here=$(cd "$(dirname "$0")" && pwd)

mkdir -p "$root/usr/bin" "$root/etc/ssl/certs"
install -m 755 "$binary" "$root/usr/bin/nomad-exporter"
# Each library at the path where the binary looks for it. Entries without a path belong to the kernel.
ldd "$binary" | grep -o '/[^ ]*' | while read -r library; do
    install -D -m 755 "$(readlink -f "$library")" "$root$library"
done
install -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
licences="$root/usr/share/licenses/nomad-exporter"
install -D -m 644 "$here/../../LICENSE" "$licences/LICENSE"
# A release includes the list; in a clone, it is generated.
if [ -e "$here/../../THIRD-PARTY-LICENCES.txt" ]; then
    install -m 644 "$here/../../THIRD-PARTY-LICENCES.txt" "$licences"
else
    "$here/../../scripts/licences.sh" "$(rustc --version --verbose | sed -n 's/^host: //p')" \
        >"$licences/THIRD-PARTY-LICENCES.txt"
fi
