#!/bin/sh
# Makes the keys that development images and bundles are signed with. Usage: dev-keys.sh FOLDER
# FOLDER gets ca.pem and ca.key, signer.pem and signer.key. What is there already is kept.
set -eu
dir=$1
umask 077
mkdir -p "$dir"
dir=$(readlink -f "$dir")
if git -C "$dir" rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    echo "dev-keys: $dir lies in a git work tree. Keys do not belong there: give another one with KEYS=" >&2
    exit 1
fi
if [ -f "$dir/signer.pem" ]; then
    echo "dev-keys: $dir holds keys already"
    exit 0
fi

new="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
# shellcheck disable=SC2086
openssl req -x509 $new -days 3650 -subj "/O=Plenum/CN=Plenum development CA" -keyout "$dir/ca.key" -out "$dir/ca.pem" \
    -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
# shellcheck disable=SC2086
openssl req $new -subj "/O=Plenum/CN=Plenum development signer" -keyout "$dir/signer.key" -out "$dir/signer.csr" 2>/dev/null
cat >"$dir/signer.ext" <<'EXT'
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=critical,codeSigning
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
EXT
openssl x509 -req -in "$dir/signer.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 1825 \
    -extfile "$dir/signer.ext" -out "$dir/signer.new" 2>/dev/null
rm -f "$dir/signer.csr" "$dir/signer.ext"
mv "$dir/signer.new" "$dir/signer.pem"
echo "dev-keys: made in $dir. They are for development only: a prod image refuses them."
