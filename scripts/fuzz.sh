#!/bin/sh
# Runs every fuzz target of the tree for a while. Usage: scripts/fuzz.sh [TIME]
set -eu
time=${1:-20s}
grep -rl --include='*_test.go' '^func Fuzz' device hal media | xargs -n 1 dirname | sort -u | while read -r dir; do
    grep -rhoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go | sed 's/func //' | while read -r target; do
        echo "== $dir $target"
        go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 10x "./$dir"
    done
done
