#!/bin/sh
# Keeps the development key out of products. Usage: gate.sh CHANNEL CERTIFICATE [DEVELOPMENT_CERTIFICATE]
# CERTIFICATE, what an image trusts for updates, has to be one CA, and on the prod channel not one for development: neither
# the file DEVELOPMENT_CERTIFICATE where it exists, nor one whose name says so.
set -eu
channel=$1 ca=$2 dev=${3:-}
fail() { echo "gate: $*" >&2; exit 1; }
print() { openssl x509 -in "$1" -noout -fingerprint -sha256; }

case $channel in dev | prod) ;; *) fail "no such channel: $channel (dev or prod)" ;; esac
[ "$(grep -c 'BEGIN CERTIFICATE' "$ca")" = 1 ] || fail "$ca has to hold exactly one certificate"
grep -q 'PRIVATE KEY' "$ca" && fail "$ca holds a private key"
openssl x509 -in "$ca" -noout -text | grep -q 'CA:TRUE' || fail "$ca is no certificate authority"
[ "$channel" = prod ] || exit 0

if openssl x509 -in "$ca" -noout -subject | grep -qi development; then fail "this is a development certificate, and the channel is prod"; fi
if [ -n "$dev" ] && [ -f "$dev" ] && [ "$(print "$ca")" = "$(print "$dev")" ]; then
    fail "this is the certificate of make dev-keys, and the channel is prod"
fi
