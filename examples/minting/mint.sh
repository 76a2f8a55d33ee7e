#!/bin/sh
# Mints an ephemeral credential and a JWT, by openssl alone. Secrets come from the environment, never from argv:
#   SIP_SECRET=… JWT_SECRET=… JWT_KEY_ID=k2 sh mint.sh alice@acme.example 1893456000 [sha1|sha256|sha384|sha512]
set -eu
LC_ALL=C
export LC_ALL

# --- shown in docs/minting.md
# RFC 2104 by hand, for openssl's own HMAC takes the secret in argv, where ps shows it to everybody.
hmac() ( # HASH SECRET TEXT: the raw bytes of HMAC(secret, text)
  case $1 in sha1 | sha256) block=64 ;; *) block=128 ;; esac
  key=$(printf %s "$2" | od -An -v -tu1)
  [ "$(printf %s "$2" | wc -c)" -le $block ] || key=$(printf %s "$2" | openssl dgst "-$1" -binary | od -An -v -tu1)
  { padded $block 92 $key; { padded $block 54 $key; printf %s "$3"; } | openssl dgst "-$1" -binary; } |
    openssl dgst "-$1" -binary
)

padded() ( # BLOCK PAD BYTE…: the key, filled up to the block, each byte xor the pad
  left=$1 pad=$2
  shift 2
  while [ "$left" -gt 0 ]; do
    byte=$((${1:-0} ^ pad)) left=$((left - 1))
    [ $# = 0 ] || shift
    printf "\\$((byte / 64))$((byte / 8 % 8))$((byte % 8))"
  done
)

password() { # USERNAME HASH: the username is <expiry>:<user>@<domain>
  hmac "${2:-sha1}" "$SIP_SECRET" "$1" | openssl base64 -A # or sha256, where the secret's algorithm is sha256
}

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

token() { # USER EXPIRY: both have been checked, so that nothing needs escaping in JSON
  header=$(printf '{"alg":"HS256","typ":"JWT","kid":"%s"}' "$JWT_KEY_ID" | base64url)
  claims=$(printf '{"sub":"%s","exp":%s,"jti":"%s"}' "$1" "$2" "$(openssl rand -hex 16)" | base64url)
  printf %s "$header.$claims.$(hmac sha256 "$JWT_SECRET" "$header.$claims" | base64url)"
}
# --- end

fail() { echo "$1" >&2; exit 2; }
user=${1:-} expiry=${2:-} algorithm=${3:-sha1}
# What passes here needs no escaping in JSON: no quote, backslash, control.
case $user in *[!A-Za-z0-9_.!~*\'\(\)\&=+\$,@-]* | *@*@* | @* | *@) fail "the user is not <user>@<domain>" ;; *@*) ;; *) fail "the user is not <user>@<domain>" ;; esac
case $expiry in 0* | *[!0-9]*) fail "the expiry is not Unix seconds" ;; ??????????) ;; *) fail "the expiry is not Unix seconds" ;; esac
case $algorithm in sha1 | sha256 | sha384 | sha512) ;; *) fail "the algorithm is not sha1, sha256, sha384 or sha512" ;; esac
[ -n "${SIP_SECRET:-}" ] && [ -n "${JWT_SECRET:-}" ] || fail "SIP_SECRET and JWT_SECRET are not both set"
case ${JWT_KEY_ID:-} in '' | *[!A-Za-z0-9_.-]*) fail "JWT_KEY_ID is not the id of a key" ;; esac

username=$expiry:$user
password=$(password "$username" "$algorithm")
printf '{"username":"%s","password":"%s","token":"%s"}\n' "$username" "$password" "$(token "$user" "$expiry")"
