#!/bin/sh
# servers.sh [tests]: installs from the Debian or Ubuntu archive, where they are absent, Kamailio with its modules, rtpengine, SIPp and openssl; for
# tests also promtool (of Prometheus), coturn, baresip, PostgreSQL, Chromium, and what examples that they run need: PHP, Go, Python, curl, jq.
set -eu
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/snap/bin
packages="kamailio kamailio-websocket-modules kamailio-autheph-modules kamailio-tls-modules kamailio-outbound-modules
  kamailio-sqlite-modules kamailio-json-modules kamailio-utils-modules rtpengine-daemon sip-tester openssl"
programs="sipp openssl kamailio rtpengine"
if [ "${1:-}" = tests ]; then
  packages="$packages prometheus coturn baresip-core postgresql php-cli golang-go python3 curl jq"
  # Ubuntu has Chromium under its older name alone.
  if grep -qs '^ID=ubuntu' /etc/os-release; then packages="$packages chromium-browser"; else packages="$packages chromium"; fi
  programs="$programs promtool turnserver baresip pg_ctlcluster chromium php go python3 curl jq"
fi
modules="websocket auth_ephemeral tls outbound db_sqlite json utils rtpengine"

# Looks at what is there, not at the package list: a Kamailio built by hand serves as well.
missing() {
  for program in $programs; do
    command -v "$program" >/dev/null || { echo "$program"; return; }
  done
  dir=$(kamailio -I 2>/dev/null | sed -n 's/^ *Default paths to modules: *//p' | cut -d: -f1)
  for module in $modules; do
    [ -e "$dir/$module.so" ] || { echo "Kamailio's module $module"; return; }
  done
}

what=$(missing)
[ -n "$what" ] || exit 0
wanted=$(echo $packages)
fail() { echo "postern: $what is missing and $1; as root: apt-get install $wanted" >&2; exit 1; }

command -v apt-get >/dev/null || fail "this is neither Debian nor Ubuntu"
if [ "$(id -u)" = 0 ]; then sudo=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo="sudo -n"
else fail "neither root nor sudo without a password is at hand"
fi

echo "postern: installing with apt-get: $wanted" >&2
# The packages would start their own Kamailio, rtpengine, Prometheus, coturn and PostgreSQL, now and at every boot. policy-rc.d is Debian's way to say no.
status=0
$sudo env DEBIAN_FRONTEND=noninteractive sh -eu -c '
  policy=/usr/sbin/policy-rc.d
  new=
  for service in kamailio rtpengine-daemon prometheus coturn postgresql; do
    case $service in rtpengine-daemon) program=rtpengine ;; coturn) program=turnserver ;; postgresql) program=pg_ctlcluster ;; *) program=$service ;; esac
    if ! command -v "$program" >/dev/null; then new="$new $service"; fi
  done
  if [ ! -e "$policy" ]; then
    trap "rm -f $policy" EXIT
    trap "exit 1" HUP INT TERM
    printf "#!/bin/sh\nexit 101\n" >"$policy"
    chmod 755 "$policy"
  fi
  apt-get update -q
  apt-get install -q -y --no-install-recommends -o Dpkg::Options::=--force-confold "$@"
  for service in $new; do
    update-rc.d "$service" disable
    if [ -d /run/systemd/system ]; then systemctl stop "$service.service"; fi
  done
' servers $wanted </dev/null >&2 || status=$?
[ $status = 0 ] || fail "apt-get failed (see above)"

what=$(missing)
[ -z "$what" ] || fail "apt-get did not bring it"
