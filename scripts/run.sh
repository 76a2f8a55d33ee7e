#!/bin/sh
# run.sh [--with-servers | --with-test-parts] SCRIPT [ARG…]: runs a TypeScript file of this checkout under Node 24 after its own
# set-up: the npm packages of the lock file and, with --with-servers, Kamailio and SIPp, or with --with-test-parts all that tests run.
# What is done is not done again. Words go to stderr.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
servers=no
case "${1:-}" in
  --with-servers) servers=yes; shift ;;
  --with-test-parts) servers=tests; shift ;;
esac
[ $# -gt 0 ] || { echo "usage: run.sh [--with-servers | --with-test-parts] SCRIPT [ARG…]" >&2; exit 2; }
script=$1; shift

fail() { echo "postern: $1" >&2; exit 1; }

# The stamp is a copy of the lock file, so that a branch with other packages is noticed.
stamp=$root/node_modules/.postern-lock.json
fresh() { cmp -s "$root/package-lock.json" "$stamp"; }

install_packages() (
  command -v npm >/dev/null || fail "npm is missing: install Node 20 or later with npm"
  mkdir -p "$root/.cache"
  exec 9>"$root/.cache/setup.lock"
  if command -v flock >/dev/null; then flock 9; fi
  if fresh; then exit 0; fi
  echo "postern: installing the npm packages of package-lock.json" >&2
  cd "$root"
  npm ci --include=dev --include=optional --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null >&2 9>&- ||
    fail "npm ci failed: see above; a network or a registry mirror is needed once"
  cp package-lock.json "$stamp"
)

fresh || install_packages
PATH=$root/node_modules/.bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin
# As deploy/systemd/postern.service has it: Node reads it before any script can set it.
UV_THREADPOOL_SIZE=${UV_THREADPOOL_SIZE:-8}
export PATH UV_THREADPOOL_SIZE
major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null) || major=0
[ "$major" -ge 24 ] || fail "no Node package exists for this machine: install Node 24 or later"
[ $servers = no ] || sh "$root/scripts/servers.sh" "$servers" </dev/null

case $script in /*) ;; *) script=$root/$script ;; esac
exec node "$script" "$@"
