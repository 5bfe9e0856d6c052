#!/bin/sh
# Makes the medium's image and the update bundle. Buildroot calls: post-image.sh BINARIES_DIR BOARD
# Environment: as post-build.sh; PLENUM_CERT and PLENUM_KEY sign the bundle (a file or a PKCS#11 URI). Without them the dev
# channel takes the development signer, and the prod channel leaves the bundle's contents in bundle/ for signing elsewhere.
set -eu
images=$1 board=$2
top=$(readlink -f "$(dirname "$0")/../../..")
dir=$top/board/plenum/$board
channel=${PLENUM_CHANNEL:-dev}
keys=${KEYS:-$HOME/.plenum-keys}
release=$TARGET_DIR/usr/lib/plenum/release
value() { sed -n "s/^$1=//p" "$release"; }

# Again, on what really went into the image.
"$top/keys/gate.sh" "$channel" "$TARGET_DIR/etc/rauc/ca.pem" "$keys/ca.pem"

if [ "$board" = x86_64 ]; then
    mkdir -p "$images/plenum"
    cp "$dir/grub.cfg" "$images/plenum/grub.cfg"
    "$top/board/plenum/x86_64/grubenv.sh" "$images/plenum/grubenv"
fi

empty=$(mktemp -d)
trap 'rm -rf "$empty"' EXIT
rm -rf "$BUILD_DIR/genimage.tmp"
genimage --rootpath "$empty" --tmppath "$BUILD_DIR/genimage.tmp" --inputpath "$images" --outputpath "$images" --config "$dir/genimage.cfg"

version=$(value VERSION)
rm -rf "$images/bundle"
mkdir -p "$images/bundle"
cp "$images/rootfs.squashfs" "$images/bundle/rootfs.img"
"$top/rauc/render.sh" product "$dir/board.env" "$top/rauc/manifest.raucm.in" \
    "VERSION=$version" "BUILD=$(value BUILD)" "NOTES=${PLENUM_NOTES:-Plenum $version}" >"$images/bundle/manifest.raucm"

cert=${PLENUM_CERT:-} key=${PLENUM_KEY:-}
if [ "$channel" = dev ] && [ -z "$cert" ]; then cert=$keys/signer.pem key=$keys/signer.key; fi
if [ -z "$cert" ]; then
    echo "post-image: not signed: $images/bundle is what rauc bundle takes"
    exit 0
fi
bundle=$images/$(value COMPATIBLE)-$version.raucb
rm -f "$bundle"
rauc --conf "$TARGET_DIR/etc/rauc/system.conf" --keyring "$TARGET_DIR/etc/rauc/ca.pem" --cert "$cert" --key "$key" \
    bundle "$images/bundle" "$bundle"
rm -rf "$images/bundle"
