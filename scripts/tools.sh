#!/bin/sh
# Says what is missing before anything fails halfway, all at once. Usage: tools.sh GO [root] [disk=GB]
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
        free=$(df -Pk "${place:-.}" | awk 'END { print int($4 / 1048576) }')
        if [ "$free" -lt "$1" ]; then
            say "too little disk: $(cd "${place:-.}" && pwd) has $free GB free, $1 GB are needed. Make room (make clean removes what was built here, go clean -cache Go's cache) and run it again."
            return
        fi
    done
}

need Go "$("$go" env GOVERSION 2>/dev/null | sed 's/^go//; s/[ -].*//')" 1.26.0 "Install it from go.dev/dl and put its bin folder on PATH."
need Node.js "$(node --version 2>/dev/null | sed 's/^v//')" 20.19.0 "Install it from nodejs.org (Debian 12's own package is too old)."
need npm "$(npm --version 2>/dev/null)" 9.0.0 "It comes with Node.js."
for wanted in "$@"; do
    case $wanted in
    root) [ "$(id -u)" = 0 ] || say "not root: the virtual machine's file system and its packages need root. Run it with sudo, or as root in a container." ;;
    disk=*) room "${wanted#disk=}" ;;
    esac
done
exit $missing
