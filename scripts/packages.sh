#!/bin/sh
# Installs the Debian packages named, if any is missing. Elsewhere it says what is needed and goes on.
set -eu
missing=""
if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "This is not Debian: make sure the equivalents of these are installed: $*" >&2
    exit 0
fi
for p in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

echo "Installing Debian packages:$missing"
as_root=""
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || { echo "Run as root: apt-get install$missing" >&2; exit 1; }
    as_root=sudo
fi
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq || echo "apt-get update failed, going on with the package lists that are here" >&2
# shellcheck disable=SC2086
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null || { echo "These Debian packages could not be installed:$missing" >&2; exit 1; }
