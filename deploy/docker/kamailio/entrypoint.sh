#!/bin/sh
# Writes local.cfg from the files and variables below, creates the database where there is none, and becomes Kamailio.
# The chain secret is read from its file into local.cfg (mode 0600): it is in no argument and no variable.
#   CHAIN_SECRET_FILE, CHAIN_SECRET_OLD_FILE   as chain.secret of the gateway; the second only while rotating
#   CHAIN_ALGORITHM   sha1, sha256, sha384 or sha512
#   LISTEN_WS         host:port for gateways; a name is looked up, so that every network has an alias of this container
#   LISTEN_SIP        host:port for trunks, UDP
#   ADVERTISE_SIP     host:port by which trunks reach LISTEN_SIP, behind NAT
#   POSTERN_ADMIN     http://host:port of the gateway's admin.listen, which knows whose number a call from a trunk is for
#   RTPENGINE         host:port where rtpengine takes commands; it has an interface for pages and one for trunks (docs/media.md)
#   SHARED_MEMORY     megabytes: 128 and another 35 for every 1,000 legs
set -eu
umask 077
config=${KAMAILIO_CONFIG:-/etc/kamailio/postern}
run=${KAMAILIO_RUN:-/run/postern-kamailio}
data=${KAMAILIO_DATA:-/var/lib/postern-kamailio}
secret=${CHAIN_SECRET_FILE:-/run/secrets/chain/secret}
old=${CHAIN_SECRET_OLD_FILE:-/run/secrets/chain/old}

fail() { echo "postern-kamailio: $1" >&2; exit 1; }

# host:port with the address in the place of a name.
address() {
  case $1 in ?*:?*) ;; *) fail "$2 takes host:port" ;; esac
  host=${1%:*} port=${1##*:}
  case $port in *[!0-9]*) fail "$2: the port is no number" ;; esac
  case $host in
    \[*\]) echo "$host:$port"; return ;;
  esac
  found=$(getent ahostsv4 "$host" | sed -n '1s/ .*//p')
  [ -n "$found" ] || fail "$2: the name $host is not known here"
  echo "$found:$port"
}

# The line of a file as a string of Kamailio's configuration. One newline at the end is dropped, as the gateway does.
quoted() {
  [ -r "$1" ] || fail "$1 is not there, or not for this user"
  [ "$(tr -d '\r\n' <"$1" | wc -c)" -ge 16 ] || fail "$1 has fewer than 16 bytes"
  controls=$(sed '$s/\r$//' "$1" | LC_ALL=C tr -cd '\000-\010\013-\037' | wc -c)
  [ "$controls" -eq 0 ] && [ "$(sed -n '$=' "$1")" -eq 1 ] || fail "$1 is not one line of text"
  sed -e 's/\r$//' -e 's/[\\"]/\\&/g' -e 's/.*/"&"/' "$1"
}

algorithm() {
  case $1 in
    sha1) echo 0 ;; sha256) echo 1 ;; sha384) echo 2 ;; sha512) echo 3 ;;
    *) fail "CHAIN_ALGORITHM is none of sha1, sha256, sha384, sha512" ;;
  esac
}

# Each value in a variable of its own, for a failure inside printf's arguments would go unnoticed.
ws=$(address "${LISTEN_WS:-kamailio-upstream:5080}" LISTEN_WS)
sip=$(address "${LISTEN_SIP:-kamailio-trunks:5060}" LISTEN_SIP)
hash=$(algorithm "${CHAIN_ALGORITHM:-sha256}")
new=$(quoted "$secret")
former=
if [ -e "$old" ]; then former=$(quoted "$old"); fi
advertise=
if [ -n "${ADVERTISE_SIP:-}" ]; then
  case $ADVERTISE_SIP in *[!][A-Za-z0-9.:-]*) fail "ADVERTISE_SIP takes host:port" ;; esac
  advertise=" advertise $ADVERTISE_SIP"
fi
admin=${POSTERN_ADMIN:-}
case $admin in *[!][A-Za-z0-9.:/-]*) fail "POSTERN_ADMIN takes http://host:port" ;; esac

relay=
if [ -n "${RTPENGINE:-}" ]; then relay=$(address "$RTPENGINE" RTPENGINE); fi

cd "$run"
rm -f local.cfg
{
  printf '#!define CHAIN_SECRET %s\n' "$new"
  [ -z "$former" ] || printf '#!define CHAIN_SECRET_OLD %s\n' "$former"
  printf '#!define CHAIN_ALGORITHM %s\n' "$hash"
  printf '#!define DATABASE "sqlite:///%s"\n' "$data/kamailio.sqlite"
  printf 'listen=tcp:%s\nlisten=udp:%s%s\n' "$ws" "$sip" "$advertise"
  [ -z "$admin" ] || printf '#!define POSTERN_ADMIN "%s"\n' "$admin"
  [ -z "$relay" ] || printf '#!define RTPENGINE "udp:%s"\n#!define MEDIA_NETWORKS\n' "$relay"
  printf 'children=%s\ntcp_children=%s\n' "${CHILDREN:-4}" "${CHILDREN:-4}"
} >local.cfg
unset new former

# Made aside and then renamed: half a database, where the container was stopped meanwhile, would never be mended.
if [ ! -e "$data/kamailio.sqlite" ]; then
  rm -f "$data"/new.sqlite*
  sh "$config/create-database.sh" "$data/new.sqlite"
  mv "$data/new.sqlite" "$data/kamailio.sqlite"
fi

exec kamailio -f "$config/kamailio.cfg" -w "$run" -Y "$run" -P "$run/kamailio.pid" \
  -DD -E -m "${SHARED_MEMORY:-256}" -M 8
