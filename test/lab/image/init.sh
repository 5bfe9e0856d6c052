#!/bin/busybox sh
# shellcheck shell=dash
# First program of the initrd: mounts root= (a disk, or a partition by its PARTUUID) and goes on there.
b=/bin/busybox
$b mkdir -p /proc /dev /sys
$b mount -t proc proc /proc
$b mount -t devtmpfs dev /dev
for m in /modules/*; do $b insmod "$m"; done
for a in $($b cat /proc/cmdline); do
    case $a in root=*) root=${a#root=} ;; esac
done

# partition PARTUUID: its node, read from the GPT, since nothing else here knows PARTUUIDs.
partition() {
    n=0
    $b dd if=/dev/vda bs=512 skip=2 count=32 2>/dev/null | $b hexdump -v -e '128/1 "%02x" "\n"' |
        $b sed -E 's/^.{32}(..)(..)(..)(..)(..)(..)(..)(..)(.{16}).*/\4\3\2\1-\6\5-\8\7-\9/; s/-(....)(.{12})$/-\1-\2/' | while read -r id; do
        n=$((n + 1))
        if [ "$id" = "$1" ]; then echo /dev/vda$n; fi
    done
}

n=0
while [ ! -b /dev/vda ] && [ $n -lt 6000 ]; do $b usleep 20000; n=$((n + 1)); done
case $root in
PARTUUID=*) root=$(partition "$(echo "${root#PARTUUID=}" | $b tr A-Z a-z)") ;;
esac
$b mount -t squashfs -o ro "$root" /sysroot 2>/dev/null || $b mount -t ext4 "$root" /sysroot
$b mount --move /dev /sysroot/dev
$b umount /proc
exec $b switch_root /sysroot /sbin/init
