#!/bin/sh
# SPDX-License-Identifier: ISC
# Make (once) a Debian root that holds real servers, and print where it is.
#
#   peer_root.sh NAME PACKAGE...       PACKAGE/backports: that one from Debian's backports
#
# Postfix, OpenSMTPD and Exim exclude each other as packages, and none of them shall be installed on the
# machine that tests: each lives in a root of its own and is started by chroot. All are copies of one that
# holds nothing but Debian. Roots are kept in $MXHELM_TEST_CACHE, $XDG_CACHE_HOME/mxhelm-tests or
# /var/cache/mxhelm-tests, outside of any tree, and shared by all runs; one is made anew when other
# packages are wanted in it. Exits 77, with a sentence, when one cannot be made here.
set -eu

name=$1
shift
skip() { printf 'peer_root: %s\n' "$*" >&2; exit 77; }

[ "$(id -u)" = 0 ] || skip 'making a root needs root'
command -v debootstrap >/dev/null 2>&1 || skip 'there is no debootstrap'
if [ -n "${MXHELM_TEST_CACHE:-}" ]; then
    cache=$MXHELM_TEST_CACHE
elif [ -n "${XDG_CACHE_HOME:-}" ]; then
    cache=$XDG_CACHE_HOME/mxhelm-tests
else
    cache=/var/cache/mxhelm-tests
fi
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
[ -n "$codename" ] || skip 'what Debian this is cannot be told'
mkdir -p "$cache" || skip "cannot write in $cache"
base=$cache/$codename-base
root=$cache/$codename-$name
log=$root.log

make_base() {
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'CREATED_BY: Packages' 2>/dev/null |
        awk -v c="$codename" '$2 == c { print $1; exit }')
    rm -rf "$base.new"
    # A root that a power cut spoils is made again: no sync for each file.
    mkdir -p "$base.new/etc/dpkg/dpkg.cfg.d"
    echo force-unsafe-io >"$base.new/etc/dpkg/dpkg.cfg.d/unsafe-io"
    # shellcheck disable=SC2086 # the mirror may be missing
    debootstrap --variant=minbase "$codename" "$base.new" $mirror >"$log" 2>&1 ||
        skip "debootstrap failed: $(tail -n 1 "$log")"
    printf '#!/bin/sh\nexit 101\n' >"$base.new/usr/sbin/policy-rc.d"
    chmod 755 "$base.new/usr/sbin/policy-rc.d"
    rm -f "$base.new"/var/cache/apt/archives/*.deb
    mv "$base.new" "$base"
}

make_root() {
    rm -rf "$root.new"
    cp -a "$base" "$root.new" || skip "cannot copy $base"
    # The way out of this machine is the machine's own.
    cp /etc/resolv.conf "$root.new/etc/resolv.conf"
    cp /etc/apt/apt.conf.d/*proxy* "$root.new/etc/apt/apt.conf.d/" 2>/dev/null || true
    echo peer.test >"$root.new/etc/mailname"
    case "$*" in
    */backports*) sed "s/ $codename / $codename-backports /" "$base/etc/apt/sources.list" \
        >"$root.new/etc/apt/sources.list.d/backports.list" ;;
    esac
    # shellcheck disable=SC2046 # a list of names
    DEBIAN_FRONTEND=noninteractive chroot "$root.new" sh -c \
        'apt-get -q update && apt-get -q -y install --no-install-recommends "$@"' sh \
        $(echo "$*" | sed "s,/backports,/$codename-backports,g") >"$log" 2>&1 || skip "the packages cannot be installed: $(tail -n 1 "$log")"
    rm -rf "$root.new"/var/cache/apt/archives/*.deb "$root.new"/var/lib/apt/lists/*
    # Nothing in here shall ask anybody from now on.
    echo 'nameserver 127.0.0.1' >"$root.new/etc/resolv.conf"
    printf '127.0.0.1 localhost\n' >"$root.new/etc/hosts"
    echo "$*" >"$root.new/.ready"
    rm -rf "$root"
    mv "$root.new" "$root"
}

exec 9>"$root.making"
flock 9
if [ "$(cat "$root/.ready" 2>/dev/null)" != "$*" ]; then
    exec 8>"$base.making"
    flock 8
    [ -d "$base" ] || make_base
    exec 8>&-
    make_root "$@"
fi
printf '%s\n' "$root"
