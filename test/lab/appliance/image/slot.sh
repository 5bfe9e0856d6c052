#!/bin/bash
# What is written into a slot: the box as a squashfs, with its version and, where a test wants one, a flaw.
# Usage: slot.sh OUT BOX RELEASE EXTRA FLAW    RELEASE is a file, EXTRA a folder with more files; OUT gets slot.img
set -euo pipefail
out=$(readlink -f "$1") box=$2 release=$3 extra=$4 flaw=$5
root=$box/../$(basename "$out").root

# Hard links: no time, no space. So files are never written into below, only replaced.
rm -rf "$root"
trap 'rm -rf "$root"' EXIT
cp -al "$box/root" "$root"
mkdir -p "$root/usr/lib/plenum"
install -m 644 "$release" "$root/usr/lib/plenum/release"
cp -r --remove-destination "$extra/." "$root/"
case $flaw in
'') ;;
daemon) # it does not start
    mkdir -p "$root/etc/systemd/system/plenumd.service.d"
    printf '[Service]\nExecStart=\nExecStart=/bin/false\n' >"$root/etc/systemd/system/plenumd.service.d/flaw.conf" ;;
kernel) # GRUB finds no kernel in it
    rm "$root/boot/kernel"
    head -c 4M /dev/zero | tr '\0' x >"$root/boot/kernel" ;;
panic) # the first program ends at once
    mkdir "$root.initrd"
    (cd "$root.initrd" && zcat "$box/root/boot/initrd" | cpio -i --quiet && printf '#!/bin/busybox sh\nexit 1\n' >init &&
        find . | cpio -o -H newc --quiet | gzip -1 >"$root.cpio")
    rm -r "$root.initrd"
    mv -f "$root.cpio" "$root/boot/initrd" ;;
hollow) # nothing is in it but its version, and a megabyte that does not shrink: RAUC makes no bundle of next to nothing
    rm -r "$root"
    install -D -m 644 "$release" "$root/usr/lib/plenum/release"
    head -c 1M /dev/urandom >"$root/fill" ;;
mount) # it ends in emergency mode
    sed -i '$a /dev/nowhere /mnt ext4 x-systemd.device-timeout=3s 0 0' "$root/etc/fstab" ;; # a new file: sed -i does not write into the old one
*) echo "no flaw $flaw"; exit 1 ;;
esac
# gzip is what every GRUB reads; its lowest level takes 2 s instead of 18 s for a tenth more.
mksquashfs "$root" "$out/slot.img" -quiet -no-progress -no-xattrs -comp gzip -Xcompression-level 1
