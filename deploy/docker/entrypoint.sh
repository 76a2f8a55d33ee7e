#!/bin/sh
# Becomes postern. Where POSTERN_PRIVATE_NAME is set, POSTERN_PRIVATE_ADDRESS is the address that this container has under
# it: admin.listen takes no name, and must not be open on the network of the published port.
set -eu
if [ -n "${POSTERN_PRIVATE_NAME:-}" ]; then
  POSTERN_PRIVATE_ADDRESS=$(getent ahostsv4 "$POSTERN_PRIVATE_NAME" | sed -n '1s/ .*//p')
  if [ -z "$POSTERN_PRIVATE_ADDRESS" ]; then
    echo "postern: the name $POSTERN_PRIVATE_NAME in POSTERN_PRIVATE_NAME is not known here" >&2
    exit 1
  fi
  export POSTERN_PRIVATE_ADDRESS
fi
exec postern "$@"
