#!/bin/bash
# Runs targets of the Makefile one after the other (those joined by + at the same time), stops at the first that fails, says
# how long each takes, and ends with one line that tells all of them. What a part prints is kept in run/log/PART.log.
# Usage: parts.sh NAME PART[+PART...]...
set -uo pipefail
cd "$(dirname "$0")/.." || exit
name=$1
shift
logs=$PWD/run/log
if ! { mkdir -p "$logs" && probe=$(mktemp "$logs/.probe.XXXXXX") && rm "$probe"; } 2>/dev/null ||
    [ -n "$(find "$logs" -name '*.log' ! -writable -print -quit)" ]; then
    echo "make $name: the logs cannot be written to $logs, perhaps because root ran it before. Run: sudo chown -R $(id -un) ${logs%/log}" >&2
    exit 1
fi
ends=$(mktemp -d) || exit
trap 'rm -rf "$ends"' EXIT
began=$SECONDS

# run PART PREFIX: its output on the screen, each line behind the prefix, and in its log; how it ended and its seconds in $ends/PART.
run() {
    local start=$SECONDS
    "${MAKE:-make}" --no-print-directory "$1" 2>&1 | tee "$logs/$1.log" | sed -u "s/^/$2/"
    echo "${PIPESTATUS[0]} $((SECONDS - start))" >"$ends/$1"
}

passed="" failed="" n=0
for group in "$@"; do
    n=$((n + 1))
    echo "== ${group//+/ and } ($n of $#, $((SECONDS - began)) s so far)"
    IFS=+ read -ra parts <<<"$group"
    if [ ${#parts[@]} = 1 ]; then
        run "$group" ""
    else
        # A shell of its own: what bash says of one that is killed comes when it likes, also behind the last line.
        (for part in "${parts[@]}"; do run "$part" "[$part] " 2>&3 & done; wait) 3>&2 2>/dev/null
    fi
    for part in "${parts[@]}"; do
        code=lost seconds='?' # of a part that was killed before it could tell
        [ ! -f "$ends/$part" ] || read -r code seconds <"$ends/$part"
        if [ "$code" = 0 ]; then
            passed="$passed${passed:+, }$part $seconds s"
            echo "== $part: passed in $seconds s"
        else
            failed="$failed${failed:+ and }$part after $seconds s; what it printed: $logs/$part.log"
        fi
    done
    if [ -n "$failed" ]; then
        shift "$n"
        rest=$*
        echo
        echo "make $name: FAILED in $failed"
        echo "make $name: passed: ${passed:-nothing}${rest:+; not run: ${rest//+/ }}"
        exit 1
    fi
done
echo
echo "make $name: all parts passed in $((SECONDS - began)) s: $passed"
