#!/bin/sh
# The state of the slots of a new box: both filled, A first. A GRUB environment block is text, filled up to 1024 bytes.
# Usage: grubenv.sh FILE [KEY=VALUE...]
set -eu
file=$1
shift
[ $# -gt 0 ] || set -- "ORDER=A B" A_OK=1 A_TRY=0 B_OK=1 B_TRY=0
{
    echo "# GRUB Environment Block"
    printf '%s\n' "$@"
    printf '%1024s' "" | tr ' ' '#'
} | head -c 1024 >"$file"
