#!/bin/sh
# Finishes the root file system. Buildroot calls: post-build.sh TARGET_DIR BOARD
# Environment: PLENUM_CHANNEL dev (default) or prod, PLENUM_CA the channel's certificate, KEYS the folder of "make dev-keys".
set -eu
target=$1 board=$2
top=$(readlink -f "$(dirname "$0")/../../..")
env=$top/board/plenum/$board/board.env
channel=${PLENUM_CHANNEL:-dev}
keys=${KEYS:-$HOME/.plenum-keys}
value() { sed -n "s/^$1=//p" "$2"; }

# One slot is one file: the kernel is in it, where GRUB and U-Boot look for it.
for image in bzImage Image; do
    [ ! -f "$target/boot/$image" ] || mv "$target/boot/$image" "$target/boot/kernel"
done
[ -f "$target/boot/kernel" ] || { echo "post-build: there is no kernel in the root file system" >&2; exit 1; }

# What GRUB compares it with before it starts it.
(cd "$target/boot" && sha256sum kernel >SHA256SUMS)
mkdir -p "$target/etc/rauc" "$target/usr/lib/plenum"
: >"$target/etc/machine-id"
: >"$target/etc/hostname" # a name in there could not be changed: the box is told its name at boot
ln -sfn /run/systemd/resolve/stub-resolv.conf "$target/etc/resolv.conf"

cat >"$target/usr/lib/plenum/release" <<RELEASE
VERSION=${PLENUM_VERSION:-$(value VERSION "$top/release.env")}
BUILD=$(date -u -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}" +%Y-%m-%dT%H:%M:%SZ)
COMPATIBLE=$(value COMPATIBLE "$env")
SUPPORT_UNTIL=$(value SUPPORT_UNTIL "$top/release.env")
RELEASE

ca=${PLENUM_CA:-}
[ -n "$ca" ] || [ "$channel" = prod ] || ca=$keys/ca.pem
if [ ! -f "$ca" ]; then
    echo "post-build: no certificate to check updates with: $([ "$channel" = prod ] && echo "give PLENUM_CA=" || echo "run make dev-keys")" >&2
    exit 1
fi
install -m 644 "$ca" "$target/etc/rauc/ca.pem"
"$top/keys/gate.sh" "$channel" "$target/etc/rauc/ca.pem" "$keys/ca.pem"
"$top/rauc/render.sh" product "$env" "$top/rauc/system.conf.in" >"$target/etc/rauc/system.conf"
