#!/bin/sh
# Puts the SDP into the scenario and becomes SIPp. Every message that comes or goes is in the container's log.
set -eu
from=${TRUNK_FILES:-/usr/share/postern-trunk}
host=$(getent ahostsv4 "${TRUNK_HOST:-trunk}" | sed -n '1s/ .*//p')
cd "${TRUNK_RUN:-/tmp}"
sed -e "/@SDP@/{r $from/webrtc.sdp
d}" "$from/answer.xml" | sed -e "s/@MEDIA@/6000/g" >scenario.xml
exec sipp -sf scenario.xml -i "$host" -p "${TRUNK_PORT:-5060}" -mi "$host" -mp 6000 -nostdin \
  -trace_msg -message_file /proc/self/fd/2 -trace_err -error_file /proc/self/fd/2 >/dev/null
