#!/bin/bash
# A Debian 12 root file system with the packages of a list, from the machine's own package sources. Usage: rootfs.sh OUT LIST
set -euo pipefail
out=$(readlink -f "$1")
packages=$(grep -v '^#' "$2" | xargs | tr ' ' ,)

# Only Debian's own suites: the machine may have others that do not belong into the guest.
sources=$(apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' \
    | awk '$2 ~ /^bookworm(-updates|-security)?$/ && $3 == "main" { print "deb", $0 }' | sort -u)
[ -n "$sources" ] || { echo "no package source for Debian 12 (bookworm main) in /etc/apt"; exit 1; }

# Containers without CAP_SYS_ADMIN cannot mount; everything in the lists installs without /proc and /sys too.
more=()
unshare --mount true 2>/dev/null || more+=(--skip=check/canmount,chroot/mount)
proxy=$(apt-config dump | grep -E '^Acquire::(http|https|Retries)' || true)
[ -z "$proxy" ] || more+=(--aptopt="$proxy")

mmdebstrap --mode=root --variant=apt "${more[@]}" --include="$packages" \
    --aptopt='Apt::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --customize-hook='rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/*' \
    bookworm "$out/root" - <<<"$sources" || {
    echo "Debian's packages could not be fetched or installed: check the network, the package sources and the room on the disk, then run it again"
    exit 1
}
