#!/bin/bash
# Makes what the appliance's disks and bundles are made of, in stages that are kept in CACHE under the hash of what went
# into them. The kernel stage is the plain guest's.
#
#   system   Debian packages, nothing of ours
#   keys     a certificate authority for signing bundles, and one that the box does not know
#   box      system + modules + kernel + systemd/ + RAUC's configuration + our binaries: the folder that slots are made of
#   loader   GRUB for EFI with its configuration: the files of the ESP
#
# Usage: build.sh CACHE BINARIES    BINARIES is a folder with plenumd, plenumctl and agent
# The last line on stdout is "BOX LOADER KEYS", three folders. Progress goes to stderr.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
top=$(readlink -f "$here/../../../..")
cache=$(readlink -f "${1:?folder of the cache}")
bin=$(readlink -f "${2:?folder of the binaries}")
lab=$top/test/lab/image
# shellcheck source=test/lab/image/stages.sh
. "$lab/stages.sh"
need grub-mkimage grub-editenv sgdisk mksquashfs rauc mcopy mkfs.vfat openssl
[ -f /usr/share/OVMF/OVMF_CODE.fd ] || die "OVMF is missing: run make lab-packages"

kernel=$(kernel_key)
system=$(cat "$lab/rootfs.sh" "$here/packages.txt" | key)
keys=$(key <"$here/keys.sh")
box=$( (echo "$kernel $system $keys"; cat "$here/box.sh" "$here/plenum.toml" "$bin"/*; tree "$lab/guest" "$here/box" "$top/systemd" "$top/buildroot") | key)
loader=$( (cat "$here/loader.sh"; tree "$top/buildroot"; dpkg-query -W grub-efi-amd64-bin) | key)

stage keys "$keys" "$here/keys.sh"
both "$kernel" stage system "$system" "$lab/rootfs.sh" "$here/packages.txt" || exit $?
stage box "$box" "$here/box.sh" "$cache/kernel-$kernel" "$cache/system-$system" "$bin" "$cache/keys-$keys"
stage loader "$loader" "$here/loader.sh"
tidy
echo "$cache/box-$box $cache/loader-$loader $cache/keys-$keys"
