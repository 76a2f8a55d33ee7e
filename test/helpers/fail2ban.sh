#!/bin/sh
# fail2ban.sh PROGRAM ARG…: runs fail2ban-regex or fail2ban-client, the one that is installed, else Debian's, unpacked under
# .cache: nothing is installed, no daemon can start. fail2ban.sh config: where its configuration lies. Exit 69
# (EX_UNAVAILABLE) with a sentence on stderr where neither can be had.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
if command -v fail2ban-regex >/dev/null; then
  if [ "$1" = config ]; then echo /etc/fail2ban; exit; fi
  exec "$@"
fi

cache=$root/.cache/fail2ban
fail() { echo "fail2ban: $1" >&2; exit 69; }

# With lists of its own where the system has none: this asks for no rights.
fetch() {
  apt-get download -q fail2ban >&2 && return
  mkdir -p state/lists/partial cache
  set -- -q -o "Dir::State=$PWD/state" -o "Dir::State::status=/var/lib/dpkg/status" -o "Dir::Cache=$PWD/cache" -o APT::Sandbox::User=
  apt-get "$@" update >&2 && apt-get "$@" download fail2ban >&2
}

if [ ! -x "$cache/usr/bin/fail2ban-regex" ]; then
  [ -x /usr/bin/python3 ] || fail "python3 is missing"
  command -v apt-get >/dev/null && command -v dpkg >/dev/null || fail "this is neither Debian nor Ubuntu"
  work=$root/.cache/fail2ban.$$
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work"
  (cd "$work" && fetch && dpkg -x fail2ban_*.deb "$work/unpacked") >&2 || fail "apt-get could not bring the package"
  # A link that the package sets right when it is installed; dangling, it troubles what walks this tree.
  rm -f "$work/unpacked/usr/bin/fail2ban-python"
  rm -rf "$cache" && mv "$work/unpacked" "$cache" && rm -rf "$work"
fi
if [ "$1" = config ]; then echo "$cache/etc/fail2ban"; exit; fi
program=$1; shift
PYTHONPATH=$cache/usr/lib/python3/dist-packages exec /usr/bin/python3 "$cache/usr/bin/$program" "$@"
