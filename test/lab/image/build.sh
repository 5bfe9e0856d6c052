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
# shellcheck source=test/lab/image/stages.sh
. "$here/stages.sh"

kernel=$(kernel_key)
rootfs=$(cat "$here/rootfs.sh" "$here/packages.txt" | key)
image=$( (echo "$kernel $rootfs"; cat "$here/image.sh" "$bin"/*; tree "$here/guest" "$here/../../../systemd") | key)

both "$kernel" stage rootfs "$rootfs" "$here/rootfs.sh" "$here/packages.txt" || exit $?
stage image "$image" "$here/image.sh" "$cache/kernel-$kernel" "$cache/rootfs-$rootfs" "$bin"

tidy
echo "$cache/image-$image"
