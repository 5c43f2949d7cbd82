#!/bin/sh
# SPDX-License-Identifier: ISC
# Install what building and testing mxhelm needs, on Debian 12 and its relatives.
#
#   sh tests/deps.sh            as root, or as somebody who may use sudo
#   sh tests/deps.sh --missing  only print what is missing; exit 1 when something is
#
# Does nothing, and asks no network, when everything is there. Starts no service: openssh-server is
# wanted for its sshd, which the screen tests run themselves on a port of loopback.
set -eu

# One a line, so that a change is a line.
PACKAGES='
build-essential
clang
debootstrap
libc-ares-dev
libcmocka-dev
libcurl4-openssl-dev
libidn2-dev
libjansson-dev
libncurses-dev
libsqlite3-dev
libssl-dev
libuv1-dev
libvterm-dev
meson
ncurses-term
ninja-build
nftables
openssh-server
openssl
iproute2
pflogsumm
pkg-config
procps
python3
tmux
zlib1g-dev
'

say() { printf 'deps: %s\n' "$*" >&2; }
one_line() { printf '%s\n' "$1" | tr '\n' ' '; }

missing() {
    # The status is asked for, because a removed package is still known by name.
    # shellcheck disable=SC2086 # a list
    have=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' $PACKAGES 2>/dev/null |
        sed -n 's/^installed //p' || true)
    for p in $PACKAGES; do
        printf '%s\n' "$have" | grep -qxF "$p" || printf '%s\n' "$p"
    done
}

if ! command -v dpkg-query >/dev/null 2>&1; then
    say 'no dpkg here. Install what these Debian packages hold, then build with meson:'
    say "$(one_line "$PACKAGES")"
    exit 1
fi

wanted=$(missing)
if [ "${1:-}" = --missing ]; then
    [ -z "$wanted" ] || { printf '%s\n' "$wanted"; exit 1; }
    exit 0
fi
[ -n "$wanted" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        say 'missing, and this is neither root nor a machine with sudo. As root, run:'
        say "apt-get install --no-install-recommends $(one_line "$wanted")"
        exit 1
    fi
    as_root=sudo
fi

# invoke-rc.d asks this file whether it may start a service; 101 is "no". One that is there already
# is the administrator's word, and stays.
policy=/usr/sbin/policy-rc.d
made_policy=
cleanup() {
    [ -z "$made_policy" ] || $as_root rm -f "$policy"
    made_policy=
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
if [ ! -e "$policy" ]; then
    made_policy=yes
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
fi

install() {
    # shellcheck disable=SC2086 # a list
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 \
        -o DPkg::Lock::Timeout=300 install --no-install-recommends $wanted
}

say "installing $(one_line "$wanted")"
# The lists on the machine may do; only when they do not are they fetched.
if ! install >/dev/null 2>&1; then
    $as_root apt-get -q update >&2
    install >&2
fi
left=$(missing)
[ -z "$left" ] || { say "still missing: $(one_line "$left")"; exit 1; }
