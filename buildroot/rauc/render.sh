#!/bin/sh
# Renders a template. Usage: render.sh FLAVOUR BOARD_ENV TEMPLATE [KEY=VALUE...]
#   FLAVOUR    product, or lab for RAUC 1.8 (its COMPATIBLE then begins with plenum-lab-)
#   BOARD_ENV  board/plenum/*/board.env
# @KEY@ is filled from BOARD_ENV, ../release.env and the arguments, the last one counting. Lines "word|text" are kept as
# text where word is the flavour or the boot loader; comments are dropped.
set -eu
flavour=$1 board=$2 template=$3
shift 3
release=$(dirname "$0")/../release.env
case $flavour in product | lab) ;; *) echo "render.sh: no such flavour: $flavour" >&2; exit 1 ;; esac

values() {
    grep -hE '^[A-Z_]+=' "$release" "$board"
    [ "$flavour" != lab ] || sed -n 's/^COMPATIBLE=plenum-/COMPATIBLE=plenum-lab-/p' "$board"
    for pair in "$@"; do printf '%s\n' "$pair"; done
}
values "$@" | awk -v flavour="$flavour" -v template="$template" '
    { at = index($0, "="); value[substr($0, 1, at - 1)] = substr($0, at + 1) }
    END {
        while ((getline line < template) > 0) {
            if (line ~ /^#/) continue
            if (match(line, /^[a-z]+\|/)) {
                word = substr(line, 1, RLENGTH - 1)
                if (word != flavour && word != value["BOOTLOADER"]) continue
                line = substr(line, RLENGTH + 1)
            }
            out = ""
            while (match(line, /@[A-Z_]+@/)) {
                key = substr(line, RSTART + 1, RLENGTH - 2)
                if (!(key in value)) { print "render.sh: nothing known for " key > "/dev/stderr"; exit 1 }
                out = out substr(line, 1, RSTART - 1) value[key]
                line = substr(line, RSTART + RLENGTH)
            }
            print out line
        }
    }'
