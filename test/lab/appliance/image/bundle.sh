#!/bin/bash
# A bundle for RAUC. Usage: bundle.sh OUT SLOT SIGNER TAMPER KEY=VALUE...
# SIGNER names .pem and .key; the values go into the manifest; OUT gets bundle.raucb.
set -euo pipefail
top=$(readlink -f "$(dirname "$0")/../../../../buildroot")
out=$(readlink -f "$1") slot=$2 signer=$3 tamper=$4
shift 4
mkdir "$out/content"
"$top/rauc/render.sh" lab "$top/board/plenum/x86_64/board.env" "$top/rauc/manifest.raucm.in" "$@" >"$out/content/manifest.raucm"
ca=$(dirname "$signer")/ca.pem
case $signer in */foreign) ca=$(dirname "$signer")/foreign-ca.pem ;; esac
rauc_conf=$out/system.conf
printf '[system]\ncompatible=any\nbootloader=noop\n[keyring]\npath=%s\ncheck-purpose=codesign\n' "$ca" >"$rauc_conf"
ln "$slot" "$out/content/rootfs.img"
said=$(rauc -c "$rauc_conf" --cert "$signer.pem" --key "$signer.key" --mksquashfs-args="-noD -no-progress" bundle "$out/content" "$out/bundle.raucb" 2>&1) ||
    { echo "$said" >&2; exit 1; }
rm -r "$out/content" "$rauc_conf"

flip() { # a byte at an offset
    local old
    old=$(dd if="$out/bundle.raucb" bs=1 skip="$1" count=1 status=none | od -An -tu1)
    # shellcheck disable=SC2059
    printf "\\x$(printf %x $((old ^ 255)))" | dd of="$out/bundle.raucb" bs=1 seek="$1" conv=notrunc status=none
}
size=$(stat -c %s "$out/bundle.raucb")
case $tamper in
'') ;;
payload) flip $((size / 2)) ;;
signature) flip $((size - 100)) ;;
cut) truncate -s $((size / 2)) "$out/bundle.raucb" ;;
*) echo "no way $tamper to tamper"; exit 1 ;;
esac
