#!/bin/sh
# SPDX-License-Identifier: ISC
# See mxhelm at work: build it, put a scripted internet and the engine into two network namespaces of
# their own, send mail that ends in every way, and open the console on it.
#
#   sh tests/try.sh                      with the console; everything is gone when it is left
#   sh tests/try.sh --headless SECONDS   without: prints the state, and exits 0 only when every
#                                        ending was seen within SECONDS
#
# Needs root or sudo (for the namespaces). Touches nothing outside the build directory and a temporary
# one; no packet leaves the two namespaces. Several may run at the same time.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
build=${MXHELM_TRY_BUILD:-$root/build-try}
headless=
seconds=0
tab=$(printf '\t')

usage() {
    echo 'usage: sh tests/try.sh [--headless SECONDS]' >&2
    exit 2
}
say() { printf 'try: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
die_with_log() {
    tail -n 30 "$tmp/engine.log" >&2
    die "$@"
}

[ $# -eq 0 ] || [ "$1" = --headless ] || usage
if [ $# -gt 0 ]; then
    [ $# -eq 2 ] || usage
    case $2 in '' | *[!0-9]*) usage ;; esac
    headless=yes
    seconds=$2
fi

# --- build, as the user who asked for it ---

if [ -z "${MXHELM_TRY_IS_BUILT:-}" ]; then
    cd "$root"
    sh tests/deps.sh
    mkdir -p "$build"
    (
        # Two runs at once build one after the other.
        flock 9
        say "building in $build"
        {
            [ -f "$build/build.ninja" ] || meson setup --buildtype=debugoptimized "$build"
        } >"$build/try.log" 2>&1 &&
            meson compile -C "$build" mxhelmd mxhelm worldd >>"$build/try.log" 2>&1 ||
            { tail -n 60 "$build/try.log" >&2; exit 1; }
    ) 9>"$build/try.lock" || die 'the build failed'
fi
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || die 'network namespaces need root, and there is no sudo'
    exec sudo env MXHELM_TRY_IS_BUILT=1 MXHELM_TRY_BUILD="$build" TERM="${TERM:-dumb}" \
        LANG="${LANG:-}" LC_ALL="${LC_ALL:-}" NO_COLOR="${NO_COLOR:-}" sh "$root/tests/try.sh" "$@"
fi

find_program() {
    p=$(find "$build" -type f -name "$1" -perm -u+x | head -n 1)
    [ -n "$p" ] || die "$1 was not built"
    printf '%s\n' "$p"
}
mxhelmd=$(find_program mxhelmd)
mxhelm=$(find_program mxhelm)
worldd=$(find_program worldd)
world_file=$root/tests/world/endings.world
unset MXHELM_CONFIG

# --- what must go away again ---

tmp=
world_ns=
engine_ns=
pids=

stop_all() {
    status=$?
    trap - EXIT INT TERM HUP
    set +e
    for p in $pids; do kill "$p" 2>/dev/null; done
    # Ten seconds are enough to drain; after that a process of ours is not asked again.
    n=0
    for p in $pids; do
        while kill -0 "$p" 2>/dev/null && [ $n -lt 100 ]; do
            sleep 0.1
            n=$((n + 1))
        done
        kill -9 "$p" 2>/dev/null
        wait "$p" 2>/dev/null
    done
    [ -z "$world_ns" ] || ip netns del "$world_ns" 2>/dev/null
    [ -z "$engine_ns" ] || ip netns del "$engine_ns" 2>/dev/null
    [ -z "$tmp" ] || rm -rf "$tmp"
    exit "$status"
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

tmp=$(mktemp -d "${TMPDIR:-/tmp}/mxhelm-try.XXXXXX")
chmod 755 "$tmp"

# --- two namespaces ---

in_world() { ip netns exec "$world_ns" "$@"; }
in_engine() { ip netns exec "$engine_ns" "$@"; }

make_namespaces() {
    ip netns add "mxw$$" || die 'no network namespace can be made here'
    world_ns=mxw$$
    ip netns add "mxe$$"
    engine_ns=mxe$$
    ip link add world netns "$world_ns" type veth peer name engine netns "$engine_ns"
    in_world sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv6/conf/all/forwarding'
    ip -n "$world_ns" addr add 198.51.100.254/24 dev world
    ip -n "$engine_ns" addr add 198.51.100.1/24 dev engine
    ip -n "$world_ns" -6 addr add 2001:db8:ff::254/64 dev world nodad
    ip -n "$engine_ns" -6 addr add 2001:db8:ff::1/64 dev engine nodad
    for ns in "$world_ns" "$engine_ns"; do ip -n "$ns" link set lo up; done
    ip -n "$world_ns" link set world up
    ip -n "$engine_ns" link set engine up
    # Whatever the world does not have is routed to it all the same, and dropped there in silence:
    # it does not forward. That is a real time-out.
    ip -n "$engine_ns" route add default via 198.51.100.254
    ip -n "$engine_ns" -6 route add default via 2001:db8:ff::254
}

# family ADDRESS, host_route ADDRESS
family() { case $1 in *:*) echo -6 ;; *) echo -4 ;; esac; }
host_route() { case $1 in *:*) echo "$1/128" ;; *) echo "$1/32" ;; esac; }

add_world_address() {
    case $1 in
    *:*) ip -n "$world_ns" -6 addr add "$1/128" dev lo nodad ;;
    *) ip -n "$world_ns" addr add "$1/32" dev lo ;;
    esac
}

# connect(2) shall give what the world file says: see "connect" in tests/world/README.md.
follow_plan() {
    add_world_address 192.0.2.53
    "$worldd" --plan "$world_file" >"$tmp/plan"
    while read -r act address _; do
        case $act in
        listen | refuse) add_world_address "$address" ;;
        no-route) ip -n "$engine_ns" "$(family "$address")" route add unreachable "$(host_route "$address")" ;;
        no-net) ip -n "$engine_ns" "$(family "$address")" route add throw "$(host_route "$address")" ;;
        eacces) ip -n "$engine_ns" "$(family "$address")" route add prohibit "$(host_route "$address")" ;;
        timeout) ;;
        *) die "worldd --plan says $act" ;;
        esac
    done <"$tmp/plan"
}

# --- the two programs ---

start_world() {
    # Not by the function: $! shall be the program itself.
    ip netns exec "$world_ns" "$worldd" --dns 192.0.2.53:53 "$world_file" >"$tmp/world.log" 2>&1 &
    world_pid=$!
    pids="$world_pid $pids"
    wait_for 10 grep -qx ready "$tmp/world.log" ||
        { cat "$tmp/world.log" >&2; die 'the world did not start'; }
}

# wait_for SECONDS COMMAND...
wait_for() {
    left=$(($1 * 10))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$left" -gt 0 ] || return 1
        left=$((left - 1))
        sleep 0.1
    done
}

write_config() {
    umask 077
    printf 'secret\n' >"$tmp/secret"
    umask 022
    cat >"$tmp/mxhelm.conf" <<CONFIG
[identity]
hostname     = mail.portal.test
sender       = mailer@portal.test
public-ip    = 198.51.100.1

[listen]
smtp         = 127.0.0.1:25 198.51.100.1:25
allow        = 127.0.0.0/8

[store]
path         = $tmp/store

[dns]
servers      = 192.0.2.53

[delivery]
# short, so that a time-out is seen soon
connect-timeout = 4s

[retry]
# short, so that greylisting is seen to end
first        = 5s
max          = 20s

# answers "Relay access denied"
[relay "denied"]
host         = denied.relay.test:25
tls          = opportunistic

# knows the login, and that the sender is not its own
[relay "login"]
host         = login.relay.test:25
tls          = required
user         = mailer
password-file = $tmp/secret

# offers no mechanism that we have
[relay "exchange"]
host         = sasl.relay.test:25
tls          = required
user         = mailer
password-file = $tmp/secret

[route "denied.test"]
via          = relay denied
[route "login.test"]
via          = relay login
[route "sasl.test"]
via          = relay exchange

[lab]
# the scripted internet lives under .test
special-use  = yes
CONFIG
}

start_engine() {
    write_config
    ip netns exec "$engine_ns" "$mxhelmd" -c "$tmp/mxhelm.conf" >"$tmp/engine.log" 2>&1 &
    engine_pid=$!
    pids="$engine_pid $pids"
    wait_for 20 in_engine "$mxhelm" -c "$tmp/mxhelm.conf" status ||
        die_with_log 'the engine did not start'
}

# --- the mail ---

letter() {
    printf 'From: %s\nTo: %s\nSubject: %s\n\nHello,\n\nthis letter was written by tests/try.sh.\n' \
        "$1" "$2" "$3"
}

# by_command FROM TO SUBJECT
by_command() {
    letter "$1" "$2" "$3" | in_engine "$mxhelm" -c "$tmp/mxhelm.conf" send -f "$1" "$2" >/dev/null ||
        die_with_log "mxhelm send to $2 failed"
}

# by_smtp: lines of "FROM TO SUBJECT" on standard input, one message each over one session
by_smtp() {
    in_engine python3 -c '
import smtplib, sys
with smtplib.SMTP("127.0.0.1", 25, timeout=20) as s:
    for line in sys.stdin:
        sender, to, subject = line.rstrip("\n").split(" ", 2)
        s.sendmail(sender, [to], "From: %s\r\nTo: %s\r\nSubject: %s\r\n\r\n"
            "Hello,\r\n\r\nthis letter was written by tests/try.sh.\r\n" % (sender, to, subject))
' || die_with_log 'handing mail over by SMTP failed'
}

# From the world, where nobody may hand mail in.
by_stranger() {
    in_world python3 -c '
import smtplib
s = smtplib.SMTP("198.51.100.1", 25, timeout=20, local_hostname="stranger.test")
try:
    s.sendmail("evil@stranger.test", ["carl@sent.test"], "Subject: x\r\n\r\nx\r\n")
except (smtplib.SMTPException, OSError):
    pass
' >/dev/null 2>&1 || true
}

feed() {
    by_smtp <<'LETTERS'
anna@portal.test carl@timeout.test Behind a firewall
anna@portal.test carl@greylist.test Your file is ready
anna@portal.test carl@tls.test Over TLS
anna@portal.test carl@six.test Over IPv6
bert@portal.test carl@unknown.test To one who has left
anna@portal.test carl@refused.test Nobody is in
anna@portal.test carl@lookup.test Its name server is ill
no-reply@portal.test carl@denied.test The relay does not know us
no-reply@portal.test carl@login.test The relay knows the login
no-reply@portal.test carl@sender.test Who are we
LETTERS
    by_command anna@portal.test carl@sent.test 'Minutes of the meeting'
    by_command anna@portal.test carl@second.test 'The second MX takes it'
    by_command anna@portal.test carl@implicit.test 'No MX at all'
    by_command bert@portal.test carl@full.test 'Photos of the feast'
    by_command anna@portal.test carl@noroute.test 'No way there'
    by_command anna@portal.test carl@nonet.test 'No network there'
    by_command anna@portal.test carl@nowhere.test 'A domain that is not'
    by_command anna@portal.test carl@null.test 'Takes no mail'
    by_command anna@portal.test carl@eacces.test 'Our own firewall'
    by_command anna@portal.test carl@blocklist.test 'We are on a list'
    by_command anna@portal.test carl@needtls.test 'Wants TLS, has none'
    by_command anna@portal.test carl@sasl.test 'No mechanism in common'
    by_stranger
}

# In the console something shall move.
keep_feeding() {
    n=0
    while sleep 7; do
        n=$((n + 1))
        case $((n % 4)) in
        0) to=carl@sent.test ;;
        1) to=dora$n@greylist.test ;;
        2) to=emil$n@tls.test ;;
        *) to=frida$n@unknown.test ;;
        esac
        by_command anna@portal.test "$to" "Letter number $n"
    done
}

# --- the endings: name, what a line of the log must match (extended regular expressions) ---

endings() {
    cat <<'ENDINGS'
sent	to=<carl@sent\.test>.*relay=mx\.sent\.test\[192\.0\.2\.10\]:25.*status=sent \(250
sent over TLS	to=<carl@tls\.test>.*tls=.*status=sent
sent over IPv6	to=<carl@six\.test>.*relay=mx\.six\.test\[2001:db8:2::12\]:25.*status=sent
sent by the second MX	to=<carl@second\.test>.*relay=up\.second\.test\[.*status=sent
sent without MX	to=<carl@implicit\.test>.*relay=implicit\.test\[.*status=sent
greylisted	to=<carl@greylist\.test>.*dsn=4\.2\.0.*status=deferred.*Greylisted
greylisted, then sent	to=<carl@greylist\.test>.*status=sent
mailbox full	to=<carl@full\.test>.*dsn=4\.2\.2.*status=deferred.*Mailbox full
unknown user	to=<carl@unknown\.test>.*dsn=5\.1\.1.*status=bounced.*User unknown
the sender is told	to=<bert@portal\.test>.*status=sent
connection timed out	to=<carl@timeout\.test>.*dsn=4\.4\.1.*status=deferred.*Connection timed out
connection refused	to=<carl@refused\.test>.*dsn=4\.4\.1.*status=deferred.*Connection refused
no route to host	to=<carl@noroute\.test>.*status=deferred.*No route to host
network unreachable	to=<carl@nonet\.test>.*status=deferred.*Network is unreachable
lookup error	to=<carl@lookup\.test>.*dsn=4\.4\.3.*status=deferred.*try again
no such domain	to=<carl@nowhere\.test>.*dsn=5\.1\.2.*status=bounced
null MX	to=<carl@null\.test>.*dsn=5\.1\.10.*status=bounced
relay access denied	to=<carl@denied\.test>.*status=deferred.*554 5\.7\.1 .*Relay access denied
sender is not the login	to=<carl@login\.test>.*status=deferred.*553 5\.7\.1 .*not owned by user
EACCES of our system	to=<carl@eacces\.test>.*status=deferred.*Permission denied
block list	to=<carl@blocklist\.test>.*status=deferred.*554 5\.7\.1 .*blocked using zen\.example
sender domain not found	to=<carl@sender\.test>.*dsn=4\.1\.8.*status=deferred.*Sender address rejected: Domain not found
TLS required	to=<carl@needtls\.test>.*530 5\.7\.0 Must issue a STARTTLS command first
no common SASL mechanism	to=<carl@sasl\.test>.*status=deferred.*SASL authentication failed.*mechanism
refused at intake	NOQUEUE: reject: .*198\.51\.100\.254
ENDINGS
}

read_log() {
    in_engine "$mxhelm" -c "$tmp/mxhelm.conf" log -n 100000 >"$tmp/log" 2>"$tmp/log.err" || true
}

all_seen() {
    read_log
    endings >"$tmp/endings"
    while IFS=$tab read -r name pattern; do
        grep -Eq -- "$pattern" "$tmp/log" || return 1
    done <"$tmp/endings"
}

# One line an ending; false when one is missing.
table() {
    missing=0
    endings >"$tmp/endings"
    while IFS=$tab read -r name pattern; do
        line=$(grep -E -- "$pattern" "$tmp/log" | head -n 1 || true)
        [ -n "$line" ] || missing=$((missing + 1))
        printf '%-24s %s\n' "$name" "${line:-NOT SEEN}"
    done <"$tmp/endings"
    [ "$missing" -eq 0 ]
}

run_headless() {
    until_time=$(($(date +%s) + seconds))
    until all_seen; do
        kill -0 "$engine_pid" 2>/dev/null || die_with_log 'the engine ended'
        [ "$(date +%s)" -lt "$until_time" ] || break
        sleep 1
    done
    echo '# mxhelm status --json'
    in_engine "$mxhelm" -c "$tmp/mxhelm.conf" status --json || true
    echo '# mxhelm queue --by cause'
    in_engine "$mxhelm" -c "$tmp/mxhelm.conf" queue --by cause || true
    echo '# endings, each with its first line of the log'
    rc=0
    table || rc=1
    if grep -q '^violation' "$tmp/world.log"; then
        echo '# the world saw the standards broken:'
        grep '^violation' "$tmp/world.log"
        rc=1
    fi
    if [ "$rc" -ne 0 ]; then
        say 'what the engine said at last:'
        tail -n 20 "$tmp/engine.log" >&2
    fi
    return "$rc"
}

make_namespaces
follow_plan
start_world
start_engine
feed
if [ -n "$headless" ]; then
    run_headless
else
    keep_feeding >/dev/null 2>&1 &
    pids="$! $pids"
    in_engine "$mxhelm" -c "$tmp/mxhelm.conf" || true
fi
