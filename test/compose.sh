#!/bin/sh
# compose.sh: builds the images of docker-compose.yml, starts them with the demo trunk, places calls from this machine
# through the published port, looks at how the containers are shut in, and takes away all that it made.
#   --can       only says whether it could run here: exit 0, or 77 and one line why not
#   --install   as root on Debian: installs docker.io, docker-compose and debootstrap where there is no Docker
# Without a running daemon, root starts one of its own in a temporary folder, without touching the packet filter. Where
# no registry answers, the base image is made by debootstrap. Exit 0 all well, 1 not, 77 could not run.
set -eu
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
root=$(cd "$(dirname "$0")/.." && pwd)
mode=${1:-run}
cd "$root"

cannot() { echo "containers: not run here: $1" >&2; exit 77; }
fail() { echo "containers: FAILED: $1" >&2; exit 1; }
say() { echo "containers: $1" >&2; }

if [ "$mode" = --install ] && ! command -v dockerd >/dev/null && ! docker info >/dev/null 2>&1; then
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || cannot "--install needs root and apt-get"
  say "installing docker.io, docker-compose and debootstrap with apt-get"
  apt-get update -q >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends docker.io docker-compose debootstrap >&2
fi

command -v docker >/dev/null || cannot "no docker"
if docker compose version >/dev/null 2>&1; then compose="docker compose"
elif command -v docker-compose >/dev/null; then compose=docker-compose
else cannot "neither docker compose nor docker-compose"
fi
own_daemon=no
if ! docker info >/dev/null 2>&1; then
  command -v dockerd >/dev/null || cannot "no Docker daemon answers and no dockerd is installed"
  [ "$(id -u)" = 0 ] || cannot "no Docker daemon answers, and only root can start one"
  own_daemon=yes
fi
[ "$mode" != --can ] || exit 0

work=$(mktemp -d "${TMPDIR:-/tmp}/postern-compose-XXXXXX")
name=postern-test-$$
daemon=
made_base=
made_key=

run_compose() { $compose -p "$name" --profile demo "$@"; }

# Whatever happened: containers, volumes, networks, images, the daemon, its folder.
tear_down() {
  status=$?
  trap - EXIT HUP INT TERM
  if [ -S "${socket:-/nowhere}" ] || [ $own_daemon = no ]; then
    [ $status = 0 ] || run_compose logs --tail=60 >&2 || true
    run_compose down -v --remove-orphans -t 3 >"$work/down.log" 2>&1 || say "compose down failed: $(tail -n 3 "$work/down.log")"
    for image in postern postern-kamailio postern-rtpengine; do docker image rm -f "$image:$name" >/dev/null 2>&1 || true; done
    [ -z "$made_base" ] || docker image rm -f "$made_base" >/dev/null 2>&1 || true
  fi
  if [ -n "$daemon" ]; then
    kill "$daemon" 2>/dev/null || true
    wait "$daemon" || true
    umount "$work"/exec/netns/* 2>/dev/null || true
    [ -z "$made_key" ] || rm -f "$made_key"
  fi
  rm -rf "$work"
  exit $status
}
trap tear_down EXIT
trap 'exit 1' HUP INT TERM

start_daemon() {
  say "starting a Docker daemon of its own"
  socket=$work/docker.sock
  [ -e /etc/docker/key.json ] || made_key=/etc/docker/key.json
  # Not what the machine's own is set to, which may contradict the options.
  echo '{}' >"$work/daemon.json"
  dockerd --config-file "$work/daemon.json" --data-root "$work/data" --exec-root "$work/exec" --pidfile "$work/docker.pid" -H "unix://$socket" \
    --bridge=none --iptables=false --ip6tables=false --ip-masq=false ${POSTERN_STORAGE_DRIVER:+-s "$POSTERN_STORAGE_DRIVER"} \
    >"$work/dockerd.log" 2>&1 &
  daemon=$!
  export DOCKER_HOST="unix://$socket"
  # Its networks lead nowhere, so that builds use the machine's.
  export POSTERN_BUILD_NETWORK=host
  tries=0
  until docker info >/dev/null 2>&1; do
    tries=$((tries + 1))
    kill -0 "$daemon" 2>/dev/null && [ $tries -lt 120 ] || cannot "dockerd does not start: $(tail -n 1 "$work/dockerd.log")"
    sleep 0.25
  done
}

# The image that all others begin with: what there is, or what the registry gives, or one made here.
find_base() {
  base=${POSTERN_BASE:-debian:bookworm-slim}
  if docker image inspect "$base" >/dev/null 2>&1; then return; fi
  if timeout 120 docker pull -q "$base" >/dev/null 2>&1; then return; fi
  command -v debootstrap >/dev/null && [ "$(id -u)" = 0 ] || cannot "no registry gives $base, and debootstrap or root is missing"
  say "no registry gives $base: making it by debootstrap"
  debootstrap --variant=minbase bookworm "$work/base" >"$work/debootstrap.log" 2>&1 ||
    cannot "debootstrap failed: $(tail -n 1 "$work/debootstrap.log")"
  # How this machine reaches archives and registries: whom it trusts beside the usual authorities, and apt's settings.
  mkdir -p "$work/base/usr/local/share/ca-certificates"
  cp /usr/local/share/ca-certificates/*.crt "$work/base/usr/local/share/ca-certificates/" 2>/dev/null || true
  for file in $(grep -l '^Acquire::' /etc/apt/apt.conf.d/* 2>/dev/null); do cp "$file" "$work/base/etc/apt/apt.conf.d/"; done
  rm -rf "$work"/base/var/cache/apt/archives/*.deb "$work"/base/var/lib/apt/lists/*
  made_base=postern-base:$name
  tar -C "$work/base" -c . | docker import - "$made_base" >/dev/null
  rm -rf "$work/base"
  base=$made_base
}

# Polls: Docker tells no other way when a service can serve.
wait_until() {
  tries=0
  until "$@" >"$work/last.log" 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 120 ] || { cat "$work/last.log" >&2; fail "not within a minute: $*"; }
    sleep 0.5
  done
}
postern() { sh scripts/run.sh src/cli/main.ts "$@"; }
container() { run_compose ps -a -q "$1"; }
inspect() { docker inspect --format "$2" "$(container "$1")"; }
expect() { [ "$2" = "$3" ] || fail "$1: expected $3, got $2"; say "ok: $1"; }
healthy() { [ "$(inspect "$1" '{{.State.Health.Status}}')" = healthy ]; }

[ $own_daemon = no ] || start_daemon
find_base
export POSTERN_BASE="$base" POSTERN_TAG="$name" POSTERN_PUBLISH=127.0.0.1:0
say "building"
run_compose build >"$work/build.log" 2>&1 || { tail -n 40 "$work/build.log" >&2; fail "the build"; }
say "starting"
run_compose up -d --no-build >"$work/up.log" 2>&1 || { cat "$work/up.log" >&2; fail "compose up"; }
wait_until run_compose exec -T postern postern health
say "ok: the gateway can serve"

url=ws://$(run_compose port postern 8088)
credential=$work/credential.json
umask 077
run_compose exec -T postern postern mint --secret file:/run/secrets/customers/acme --user alice@acme.example >"$credential"
client() { postern client "$@" --url "$url" --uri sip:alice@acme.example --json; }
trunk_log() { docker logs "$(container trunk)" 2>&1; }

# A credential under another secret first: it must be refused, and nobody behind the gateway may hear of it.
POSTERN_WRONG=$(head -c 32 /dev/urandom | base64) postern mint --secret env:POSTERN_WRONG --user alice@acme.example >"$work/wrong.json"
if client call +3225887123 --credentials "$work/wrong.json" >"$work/refused.json" 2>/dev/null; then fail "a credential under a foreign secret was taken"; fi
grep -q '"code":"credential-rejected"' "$work/refused.json" || { cat "$work/refused.json" >&2; fail "a foreign credential was refused otherwise"; }
if trunk_log | grep -q '^INVITE '; then fail "the trunk heard of a refused call"; fi
say "ok: a credential under a foreign secret is refused"

client register --credentials "$credential" >"$work/register.json" || { cat "$work/register.json" >&2; fail "client register"; }
say "ok: a client registers through the published port"
client call +3225887123 --duration 4 --credentials "$credential" >"$work/call.json" || { cat "$work/call.json" >&2; fail "client call"; }
grep -q '"status":200' "$work/call.json" || fail "the call was not answered by 200"
grep -q '"tone":[1-9][0-9]' "$work/call.json" || { cat "$work/call.json" >&2; fail "the tone did not come back from the echo trunk"; }
trunk_log >"$work/trunk.log"
grep -q '^INVITE sip:+3225887123@' "$work/trunk.log" || fail "the trunk saw no INVITE to the number"
grep -q '^From: <sip:+3225887000@' "$work/trunk.log" || fail "the trunk saw another caller"
grep -q '^BYE ' "$work/trunk.log" || fail "the trunk saw no BYE"
say "ok: a call to a number reaches the trunk under the caller id, is heard there and back, and ends"

published() { docker inspect --format '{{range $port, $on := .NetworkSettings.Ports}}{{if $on}}{{$port}}@{{(index $on 0).HostIp}} {{end}}{{end}}' "$(container "$1")"; }
expect "the gateway publishes its port on loopback" "$(published postern)" "8088/tcp@127.0.0.1 "
expect "Kamailio publishes nothing" "$(published kamailio)" ""
expect "the trunk publishes nothing" "$(published trunk)" ""
case $(published rtpengine) in *" 22222"* | 22222*) fail "rtpengine publishes its control port" ;; *udp@127.0.0.1*) say "ok: rtpengine publishes media on loopback" ;; *) fail "rtpengine publishes no media" ;; esac
for service in postern kamailio rtpengine trunk; do
  run_compose exec -T "$service" cat /proc/1/status | tr -d '\r' >"$work/status"
  expect "$service has a read-only root" "$(inspect "$service" '{{.HostConfig.ReadonlyRootfs}}')" true
  expect "$service runs without any capability" "$(sed -n 's/^CapBnd:[[:space:]]*//p; s/^CapEff:[[:space:]]*//p' "$work/status" | sort -u)" 0000000000000000
  expect "$service cannot gain any" "$(sed -n 's/^NoNewPrivs:[[:space:]]*//p' "$work/status")" 1
  [ "$(sed -n 's/^Uid:[[:space:]]*\([0-9]*\).*/\1/p' "$work/status")" -ge 10001 ] || fail "$service runs as another user"
done

run_compose exec -T postern cat /run/secrets/chain/secret /run/secrets/customers/acme >"$work/secrets"
expect "there are two secrets" "$(sort -u "$work/secrets" | wc -l | tr -d ' ')" 2
{
  for service in secrets postern kamailio rtpengine trunk; do docker inspect "$(container "$service")"; done
  for image in postern postern-kamailio postern-rtpengine; do docker history --no-trunc "$image:$name"; done
  run_compose logs --no-color
} >"$work/visible.log" 2>&1
if grep -qFf "$work/secrets" "$work/visible.log"; then fail "a secret shows in inspect, history or logs"; fi
say "ok: no secret shows in inspect, history or logs"
if run_compose exec -T kamailio ls /run/secrets/customers >/dev/null 2>&1; then fail "Kamailio has the customers' secrets"; fi
say "ok: Kamailio has no customer's secret"
# 404: Kamailio may ask, and the number is nobody's. Anyone else would get 403.
asked=$(run_compose exec -T kamailio bash -c 'exec 3<>/dev/tcp/gateway-upstream/8089; printf "GET /v1/inbound?source=192.0.2.1&number=%%2B3225887000 HTTP/1.1\r\nHost: gateway-upstream\r\nConnection: close\r\n\r\n" >&3; head -n 1 <&3' | tr -d '\r')
expect "Kamailio may ask the gateway whose number it is" "$asked" "HTTP/1.1 404 Not Found"
wait_until healthy postern
wait_until healthy kamailio
say "ok: both health checks are good"

# Started anew: secrets and database stay, and the same credential is good.
run_compose up -d --no-build --force-recreate >"$work/up.log" 2>&1 || { cat "$work/up.log" >&2; fail "compose up, again"; }
wait_until run_compose exec -T postern postern health
run_compose exec -T postern cat /run/secrets/chain/secret /run/secrets/customers/acme | cmp -s - "$work/secrets" || fail "the secrets were replaced"
url=ws://$(run_compose port postern 8088)
client register --credentials "$credential" >"$work/register.json" || { cat "$work/register.json" >&2; fail "client register, after a restart"; }
say "ok: new containers work on with the same secrets"

started=$(date +%s)
run_compose stop -t 20 postern >/dev/null 2>&1
[ $(($(date +%s) - started)) -lt 15 ] || fail "the gateway did not end by SIGTERM"
expect "the gateway ends by SIGTERM" "$(inspect postern '{{.State.ExitCode}}')" 0
say "all well"
