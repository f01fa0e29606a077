#!/usr/bin/env bash
# Boots the systemd of another Debian in namespaces of its own, with its own root, processes and network, and no more
# rights on this machine than a container has: boot.sh make SUITE ROOT | boot.sh start ROOT NAME
#   make   unpacks a small system into ROOT, by mmdebstrap
#   start  boots it and stays until it is powered off or killed; its cgroup is NAME
# Needs root. For tests alone: nothing shields this machine from what runs in there as root.
set -euo pipefail
action=$1
case $action in
make)
    # Few machines have all of these files.
    mirror=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null || true; } |
        sed -nE 's/^(URIs: *|deb +(\[[^]]*\] +)?)(http[^ ]+debian\/?)( .*)?$/\3/p' | head -n 1)
    mmdebstrap --quiet --variant=minbase --include=systemd,systemd-sysv,dbus,init-system-helpers "$2" "$3" \
        "deb $mirror $2 main"
    ;;
start)
    root=$2 name=$3 groups=/sys/fs/cgroup
    [ -e "$groups/cgroup.procs" ] || groups=$groups/unified
    mkdir -p "$groups/$name"
    echo $$ >"$groups/$name/cgroup.procs"
    # shellcheck disable=SC2016 # the inner shell expands it
    exec unshare --mount --pid --net --uts --ipc --cgroup --fork --kill-child sh -euc '
        root=$1
        mount --make-rprivate /
        mount --bind "$root" "$root"
        cd "$root"
        mount -t proc proc proc
        mount -t sysfs -o ro sysfs sys
        mount -t cgroup2 cgroup2 sys/fs/cgroup
        mount -t tmpfs -o mode=755 tmpfs run
        mount -t tmpfs -o mode=755,nosuid tmpfs dev
        for device in null zero full random urandom tty; do
            touch "dev/$device"
            mount --bind "/dev/$device" "dev/$device"
        done
        mkdir dev/pts dev/shm
        mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
        ln -s pts/ptmx dev/ptmx
        ln -s /proc/self/fd dev/fd
        mount -t tmpfs tmpfs dev/shm
        mkdir -p mnt/old
        pivot_root . mnt/old
        umount -l /mnt/old
        # As on a machine: credentials reach a service by a mount that others see.
        mount --make-rshared /
        exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
            /lib/systemd/systemd --show-status=no --unit=multi-user.target
    ' sh "$root"
    ;;
esac
