#!/bin/bash
# A certificate authority with a signer, and a second pair that no box knows. They live in the cache, never in git.
# Usage: keys.sh OUT      OUT gets ca.pem, signer.pem, signer.key, foreign.pem, foreign.key
set -euo pipefail
cd "$1"
for name in ca foreign-ca; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/O=Plenum/CN=Lab $name" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign -keyout $name.key -out $name.pem
done
while read -r name ca; do
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/O=Plenum/CN=Lab $name" -keyout "$name.key" -out "$name.csr"
    openssl x509 -req -in "$name.csr" -CA "$ca.pem" -CAkey "$ca.key" -CAcreateserial -days 3650 -out "$name.pem" -extfile <(
        printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=critical,codeSigning\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n')
done <<'PAIRS'
signer ca
foreign foreign-ca
PAIRS
