#!/bin/bash
# Exit 0 where a worker of Kamailio answers on the address for gateways: any answer comes from one that runs the configuration.
set -eu
listen=$(sed -n 's/^listen=tcp://p' "${KAMAILIO_RUN:-/run/postern-kamailio}/local.cfg")
exec 3<>"/dev/tcp/${listen%:*}/${listen##*:}"
printf 'GET / HTTP/1.1\r\nHost: health\r\n\r\n' >&3
IFS= read -r -t 3 line <&3
[[ $line == HTTP/1.1\ * ]]
