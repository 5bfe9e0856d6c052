#!/bin/bash
# Makes the lab's guest in three stages, each kept in CACHE under the hash of what went into it:
#
#   kernel   Debian's stock kernel, the modules wanted, gpio-sim and vicodec built beside it, an initrd
#   rootfs   Debian packages, nothing of ours
#   image    rootfs + modules + guest/ + our binaries, as a file system (about 1 s when only a binary changed)
#
# Usage: build.sh CACHE BINARIES    BINARIES is a folder with plenumd, plenumctl and agent
# The last line on stdout is the folder with vmlinuz, initrd.gz and root.img. Progress goes to stderr.
# The caller sees to it that nobody else builds in CACHE at the same time.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
cache=$(readlink -f "${1:?folder of the cache}")
bin=$(readlink -f "${2:?folder of the binaries}")
mkdir -p "$cache/logs"
began=$SECONDS

say() { echo "lab: [$((SECONDS - began)) s] $*" >&2; }
die() { echo "lab: $*" >&2; exit 1; }
key() { sha256sum | cut -c 1-16; }

# shellcheck disable=SC1091
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
[ "$suite" = bookworm ] || die "the lab is built from Debian 12 packages and needs a Debian 12 machine, this one is ${suite:-something else}"
[ "$(dpkg --print-architecture)" = amd64 ] || die "the lab's guest is amd64 and so must be the machine that builds it"
[ "$(id -u)" = 0 ] || die "making the guest's file system needs root: run make as root"
for tool in qemu-system-x86_64 mmdebstrap mkfs.ext4 debugfs depmod cpio xz gcc make; do
    command -v "$tool" >/dev/null || die "$tool is missing: run make lab-packages"
done

# Newest kernel that the machine's package sources know: its name is part of the hash.
apt-cache show --no-all-versions linux-image-amd64 >/dev/null 2>&1 || apt-get update -qq >&2 || die "apt-get update failed: no package lists to take the kernel from"
depends=$(apt-cache show --no-all-versions linux-image-amd64 | sed -n 's/^Depends: //p' | head -n 1)
release=$(sed -E 's/^linux-image-([^ ,]+).*/\1/' <<<"$depends")
version=$(sed -E 's/^[^(]*\(= ?([^)]+)\).*/\1/' <<<"$depends")
[ -n "$release" ] && [ -n "$version" ] || die "apt knows no linux-image-amd64: are Debian's package sources configured?"

# stage NAME KEY SCRIPT ARGUMENTS...: runs SCRIPT into a folder that gets its name only when it is whole.
stage() {
    local name=$1 out=$cache/$1-$2 script=$3 log=$cache/logs/$1.log
    shift 3
    if [ -d "$out" ]; then touch "$out"; return 0; fi
    rm -rf "$out.new"
    mkdir -p "$out.new"
    if ! "$script" "$out.new" "$@" >"$log" 2>&1; then
        rm -rf "$out.new"
        echo "lab: the $name of the guest could not be made: $(grep -v '^ *$' "$log" | tail -n 1) (all of it: $log)" >&2
        return 1
    fi
    mv "$out.new" "$out"
    say "$name made"
}

kernel=$(cat "$here/kernel.sh" "$here/modules.txt" <(echo "$release $version") | key)
rootfs=$(cat "$here/rootfs.sh" "$here/packages.txt" | key)
image=$( (echo "$kernel $rootfs"; cat "$here/image.sh"; cd "$here/guest" && find . -type f -printf '%p %m\n' -exec cat {} + ; cat "$bin"/*) | key)

stage kernel "$kernel" "$here/kernel.sh" "$release" "$version" & first=$!
failed=0
stage rootfs "$rootfs" "$here/rootfs.sh" || failed=1
wait "$first" || failed=1
[ "$failed" = 0 ] || exit 1
stage image "$image" "$here/image.sh" "$cache/kernel-$kernel" "$cache/rootfs-$rootfs" "$bin" || exit 1

# What has not been used for a day goes, so that the cache does not grow with every change.
find "$cache" -mindepth 1 -maxdepth 1 -type d \( -name 'kernel-*' -o -name 'rootfs-*' -o -name 'image-*' \) -mmin +1440 -exec rm -rf {} +
find "$cache/logs" -type f -mtime +7 -delete
echo "$cache/image-$image"
