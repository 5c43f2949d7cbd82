#!/bin/sh
# SPDX-License-Identifier: ISC
# Starts mxhelmd as the peer bench asks for it: BENCH_SMTP, BENCH_DNS, BENCH_DNS_PORT, BENCH_SPOOL in
# the environment. Usage: engine.sh PATH-TO-MXHELMD
# Durability is the engine's own, always on; nothing is tuned but what the bench's world needs
# (loopback targets, special-use names) and, unless BENCH_VARIANT=default, connections as its peers have.
set -eu
conf=$BENCH_SPOOL/mxhelm.conf
# The tuned peers may open a hundred connections to one destination.
delivery=
[ "${BENCH_VARIANT:-tuned}" = default ] || delivery='[delivery]
connections = 100
site-connections = 100'
cat >"$conf" <<EOF
[identity]
hostname = bench.example.com
sender = mailer@example.com
[listen]
smtp = $BENCH_SMTP
[store]
path = $BENCH_SPOOL/store
[dns]
servers = $BENCH_DNS:$BENCH_DNS_PORT
$delivery
[lab]
special-use = yes
loopback-targets = yes
EOF
exec "$1" -c "$conf"
