#!/bin/sh
# Says which tools are missing or too old, all at once, before anything fails halfway.
go=${1:-go}
missing=0

need() { # name, found version, least version, what to do
    if [ -z "$2" ]; then
        echo "missing: $1 $3 or newer. $4" >&2
        missing=1
    elif [ "$(printf '%s\n%s\n' "$3" "$2" | sort -V | head -n 1)" != "$3" ]; then
        echo "too old: $1 is $2, $3 or newer is needed. $4" >&2
        missing=1
    fi
}

need Go "$("$go" env GOVERSION 2>/dev/null | sed 's/^go//; s/[ -].*//')" 1.26.0 "Install it from go.dev/dl and put its bin folder on PATH."
need Node.js "$(node --version 2>/dev/null | sed 's/^v//')" 20.19.0 "Install it from nodejs.org (Debian 12's own package is too old)."
need npm "$(npm --version 2>/dev/null)" 9.0.0 "It comes with Node.js."
exit $missing
