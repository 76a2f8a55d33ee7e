#!/bin/sh
# Becomes rtpengine, with the addresses that this container has under its names, one in each network.
#   CONTROL          host:port for Kamailio alone; a name is looked up
#   MEDIA            the name of the network where trunks are; pages come in by the same address, through published ports
#   ADVERTISE_MEDIA  the address by which pages reach the published ports
#   MEDIA_PORTS      first-last, as they are published
set -eu
fail() { echo "postern-rtpengine: $1" >&2; exit 1; }
address() {
  found=$(getent ahostsv4 "$1" | sed -n '1s/ .*//p')
  [ -n "$found" ] || fail "the name $1 is not known here"
  echo "$found"
}
control=${CONTROL:-rtpengine-control:22222}
ports=${MEDIA_PORTS:-30000-30039}
advertise=${ADVERTISE_MEDIA:-127.0.0.1}
case $control in ?*:?*) ;; *) fail "CONTROL takes host:port" ;; esac
case $ports in *[!0-9-]* | -* | *- | *-*-*) fail "MEDIA_PORTS takes first-last" ;; ?*-?*) ;; *) fail "MEDIA_PORTS takes first-last" ;; esac
case $advertise in *[!0-9A-Fa-f.:]*) fail "ADVERTISE_MEDIA takes an address" ;; esac
ng=$(address "${control%:*}"):${control##*:}
media=$(address "${MEDIA:-rtpengine-trunks}")
exec rtpengine --config-file="${RTPENGINE_CONFIG:-/etc/rtpengine/postern.conf}" --foreground --log-stderr --no-log-timestamps \
  --interface="pages/$media!$advertise" --interface="trunks/$media" --listen-ng="$ng" \
  --port-min="${ports%-*}" --port-max="${ports#*-}"
