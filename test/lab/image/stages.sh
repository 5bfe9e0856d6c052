#!/bin/bash
# What build.sh and the appliance's build.sh have in common: stages that are kept under the hash of what went into them.
# To be sourced, with cache set to the folder of the cache.
shared=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
mkdir -p "${cache:?folder of the cache}/logs"
began=$SECONDS

say() { echo "lab: [$((SECONDS - began)) s] $*" >&2; }
die() { echo "lab: $*" >&2; exit 1; }
key() { sha256sum | cut -c 1-16; }
# tree FOLDER...: names, rights and contents of all files, for a key.
tree() {
    for folder in "$@"; do (cd "$folder" && find . \( -type f -o -type l \) -printf '%p %m %l\n' -type f -exec cat {} +); done
}

# shellcheck disable=SC1091
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
[ "$suite" = bookworm ] || die "the lab is built from Debian 12 packages and needs a Debian 12 machine, this one is ${suite:-something else}"
[ "$(dpkg --print-architecture)" = amd64 ] || die "the lab's guest is amd64 and so must be the machine that builds it"
[ "$(id -u)" = 0 ] || die "making the guest's file system needs root: run make as root"
need() {
    for tool in "$@"; do command -v "$tool" >/dev/null || die "$tool is missing: run make lab-packages"; done
}
need qemu-system-x86_64 mmdebstrap mkfs.ext4 debugfs depmod cpio xz gcc make

# The kernel that all parts exist of (package kernel): its name is part of the hash.
read -r release parts <<<"${LAB_KERNEL:?release and parts of the kernel, chosen by Workshop.Guest}"

# stage NAME KEY SCRIPT ARGUMENTS...: runs SCRIPT into a folder that gets its name only when it is whole. Ends as SCRIPT does:
# with 75 when the package lists are older than the archive.
stage() {
    local name=$1 out=$cache/$1-$2 script=$3 log=$cache/logs/$1.log code=0
    shift 3
    if [ -d "$out" ]; then touch "$out"; return 0; fi
    rm -rf "$out.new"
    mkdir -p "$out.new"
    "$script" "$out.new" "$@" >"$log" 2>&1 || code=$?
    if [ $code != 0 ]; then
        rm -rf "$out.new"
        echo "lab: the $name of the guest could not be made: $(grep -v '^ *$' "$log" | tail -n 1) (all of it: $log)" >&2
        return $code
    fi
    mv "$out.new" "$out"
    say "$name made"
}

kernel_key() { cat "$shared/kernel.sh" "$shared/init.sh" "$shared/modules.txt" <(echo "$release $parts") | key; }

# both KERNEL COMMAND...: the kernel stage and beside it another one.
both() {
    local kernel=$1 first failed=0
    shift
    # shellcheck disable=SC2086 # one word per part
    stage kernel "$kernel" "$shared/kernel.sh" "$release" $parts & first=$!
    "$@" || failed=$?
    wait "$first" || failed=$?
    return $failed
}

# tidy removes what has not been used for a day, so that the cache does not grow with every change.
tidy() {
    find "$cache" -mindepth 1 -maxdepth 1 -type d -regextype posix-extended -regex '.*/[a-z]+-[0-9a-f]{16}' -mmin +1440 -exec rm -rf {} +
    find "$cache/logs" -type f -mtime +7 -delete
}
