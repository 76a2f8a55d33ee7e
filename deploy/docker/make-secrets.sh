#!/bin/sh
# make-secrets.sh FILE…: writes 32 random bytes in base64 into each file that is not there yet, readable by owner and
# group. A file that is there is never touched: whoever was given its secret goes on working.
set -eu
umask 0337
for file in "$@"; do
  if [ -e "$file" ]; then
    echo "kept $file" >&2
    continue
  fi
  fresh=$file.new.$$
  trap 'rm -f "$fresh"' EXIT
  head -c 32 /dev/urandom | base64 >"$fresh"
  # A link, not a rename: it never replaces what another one has written meanwhile.
  ln "$fresh" "$file" 2>/dev/null || [ -e "$file" ] || { echo "cannot write $file" >&2; exit 1; }
  rm -f "$fresh"
  echo "made $file" >&2
done
