#!/bin/sh
# Says what is missing before anything fails halfway, all at once. Usage: tools.sh GO [debian12] [root] [disk=GB]
go=${1:-go}
[ $# = 0 ] || shift
missing=0
say() { echo "$*" >&2; missing=1; }

need() { # name, found version, least version, what to do
    if [ -z "$2" ]; then
        say "missing: $1 $3 or newer. $4"
    elif [ "$(printf '%s\n%s\n' "$3" "$2" | sort -V | head -n 1)" != "$3" ]; then
        say "too old: $1 is $2, $3 or newer is needed. $4"
    fi
}

# What is written goes to the tree, to the temporary folder and to Go's cache: which may be three disks or one.
room() { # gigabytes
    for place in . "${TMPDIR:-/tmp}" "$("$go" env GOCACHE 2>/dev/null)"; do
        while [ -n "$place" ] && [ ! -d "$place" ]; do place=$(dirname "$place"); done
        place=$(cd "${place:-.}" && pwd)
        free=$(df -k --output=avail "$place" 2>/dev/null | tail -n 1 | tr -d ' ')
        case $free in
        '' | *[!0-9]*) continue ;; # a file system that does not tell: no reason to stop
        esac
        if [ $((free / 1048576)) -lt "$1" ]; then
            case $place in
            "${TMPDIR:-/tmp}"*) what="Make room, or set TMPDIR to a folder on a larger disk," ;;
            *) what="Make room (make clean removes what was built here, go clean -cache Go's cache)" ;;
            esac
            say "too little disk: $place has $((free / 1048576)) GB free, $1 GB are needed. $what and run it again."
            return
        fi
    done
}

# The lab's guest is made of the machine's own packages.
debian12() {
    # shellcheck disable=SC1090
    system=$(. "${OS_RELEASE:-/etc/os-release}" 2>/dev/null && echo "${PRETTY_NAME:-Linux}, ${ID:-}-${VERSION_ID:-}")
    case $system in
    *", debian-12") ;;
    *) say "not Debian 12 but ${system%, *}: the virtual machine is made of the machine's own packages. Run it in a container or a virtual machine with Debian 12 (amd64)." ;;
    esac
    machine=$(uname -m)
    [ "$machine" = x86_64 ] || say "not amd64 but $machine: the virtual machine is made of the machine's own packages. Run it on an amd64 machine with Debian 12."
}

[ -z "${TMPDIR:-}" ] || [ -d "$TMPDIR" ] || say "TMPDIR names $TMPDIR, which is no folder: make it, or unset TMPDIR."
need Go "$("$go" env GOVERSION 2>/dev/null | sed 's/^go//; s/[ -].*//')" 1.26.0 "Install it from go.dev/dl and put its bin folder on PATH."
need Node.js "$(node --version 2>/dev/null | sed 's/^v//')" 20.19.0 "Install it from nodejs.org (Debian 12's own package is too old)."
need npm "$(npm --version 2>/dev/null)" 9.0.0 "It comes with Node.js."
for wanted in "$@"; do
    case $wanted in
    root) [ "$(id -u)" = 0 ] || say "not root: the virtual machine's file system and its packages need root. Run it as root in a container, or with: sudo env PATH=\"\$PATH\" make …" ;;
    debian12) debian12 ;;
    disk=*) room "${wanted#disk=}" ;;
    esac
done
exit $missing
