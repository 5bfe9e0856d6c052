#!/bin/sh
# Installs the Debian packages named, if any is missing. Elsewhere it says what is needed and goes on.
set -eu
if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "This is not Debian: make sure the equivalents of these are installed: $*" >&2
    exit 0
fi
absent() {
    for p in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || printf ' %s' "$p"
    done
}
[ -n "$(absent "$@")" ] || exit 0
# Parts that run at the same time ask for packages one after the other: the second one may find them there.
lock=${TMPDIR:-/tmp}/plenum-packages.$(id -u).lock
if command -v flock >/dev/null 2>&1 && : 2>/dev/null >>"$lock"; then
    exec 9>>"$lock"
    flock 9
fi
missing=$(absent "$@")
[ -n "$missing" ] || exit 0

echo "Installing Debian packages:$missing"
as_root=""
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || { echo "These Debian packages are missing and only root can install them. Run as root: apt-get install$missing" >&2; exit 1; }
    as_root=sudo
fi
export DEBIAN_FRONTEND=noninteractive
# Waits for another apt, tries a download again that broke off, and shows what it says only when it fails.
said=$(mktemp)
trap 'rm -f "$said"' EXIT
apt() { $as_root env LC_ALL=C apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" >"$said" 2>&1; }
reached=yes
apt update || reached=no
# shellcheck disable=SC2086
if ! apt install -y --no-install-recommends $missing; then
    cat "$said" >&2
    # apt-get update calls an archive that it did not reach a warning.
    if [ $reached = no ] || grep -qE 'Temporary failure resolving|Could not (resolve|connect)|Unable to connect|Network is unreachable|Connection (refused|timed out)' "$said"; then
        echo "The Debian packages$missing could not be installed: the package archive was not reached. Check the network and the package sources, then run it again." >&2
    else
        echo "The Debian packages$missing could not be installed: see what apt says above, then run it again (apt-get -f install mends a half-made one)." >&2
    fi
    exit 1
fi
