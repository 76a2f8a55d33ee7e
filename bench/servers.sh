#!/bin/sh
# servers.sh: installs the peers of the benchmark, haproxy and nginx, from the Debian or Ubuntu archive where they are absent.
set -eu
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
missing=
command -v haproxy >/dev/null || missing=haproxy
command -v nginx >/dev/null || missing="$missing nginx-light"
[ -n "$missing" ] || exit 0

fail() { echo "postern: $1; as root: apt-get install $missing" >&2; exit 1; }
command -v apt-get >/dev/null || fail "this is neither Debian nor Ubuntu"
if [ "$(id -u)" = 0 ]; then sudo=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo="sudo -n"
else fail "neither root nor sudo without a password is at hand"
fi

echo "postern: installing $missing with apt-get, for the comparison" >&2
# The packages would start servers of their own now and at every boot. policy-rc.d is Debian's way to say no.
$sudo env DEBIAN_FRONTEND=noninteractive sh -eu -c '
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap "rm -f $policy" EXIT
    trap "exit 1" HUP INT TERM
    printf "#!/bin/sh\nexit 101\n" >"$policy"
    chmod 755 "$policy"
  fi
  apt-get update -q
  apt-get install -q -y --no-install-recommends "$@"
  for package; do
    service=${package%-light}
    update-rc.d "$service" disable
    if [ -d /run/systemd/system ]; then systemctl disable --now "$service.service"; fi
  done
' servers $missing </dev/null >&2 || fail "apt-get failed (see above)"
