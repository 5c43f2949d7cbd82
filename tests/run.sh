#!/bin/sh
# SPDX-License-Identifier: ISC
# Build with the sanitizers and run the tests.
#
#   sh tests/run.sh          every suite but the long ones (bench, and whatever is in suite "long")
#   sh tests/run.sh NAME...  only tests whose "suite/name" contains one of the NAMEs, long or not
#
# Installs what is missing first. Ends with a line "N passed, N failed", and exits 1 when something
# failed, when the build failed, or when nothing ran. MXHELM_BUILD names another build directory.
set -u

root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
cd "$root" || exit 1
build=${MXHELM_BUILD:-$root/build-asan}
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM HUP

# Tests see the same machine everywhere: no time zone, no language, no configuration of the user's.
export LC_ALL=C.UTF-8 TZ=UTC
unset MXHELM_CONFIG
export ASAN_OPTIONS="halt_on_error=1:detect_leaks=1:print_stacktrace=1:detect_stack_use_after_return=1:strict_string_checks=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
export UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}"

# give_up WHAT: nothing could be run, and that is a failure.
give_up() {
    printf '%s\n0 passed, 1 failed\n' "$1"
    exit 1
}

quietly() {
    "$@" >"$log" 2>&1 && return
    tail -n 60 "$log"
    return 1
}

options='-Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false -Dwerror=true'

configure() {
    # shellcheck disable=SC2086 # a list
    if [ -f "$build/build.ninja" ]; then
        # A directory of another meson or compiler cannot be reconfigured, only made again.
        meson setup --reconfigure $options "$build" || meson setup --wipe $options "$build"
    else
        meson setup $options "$build"
    fi
}

# The names of the tests that match the words given, one a line, for "meson test".
chosen_tests() {
    for word in "$@"; do
        meson test -C "$build" --no-rebuild --list 2>/dev/null |
            sed -n 's|^\(.*:\)*\(.*\) / \(.*\)$|\2/\3|p' | grep -F -- "$word"
    done | sed 's,.*/,,' | sort -u
}

sh tests/deps.sh || give_up 'tests/deps.sh failed: not everything that is needed is there'
quietly configure || give_up 'meson setup failed'
quietly ninja -C "$build" || give_up 'the build failed'

rm -f "$build/meson-logs/testlog.json"
if [ $# -gt 0 ]; then
    names=$(chosen_tests "$@")
    [ -n "$names" ] || give_up "no test matches: $*"
    set -f
    IFS='
'
    # shellcheck disable=SC2086 # a list, of names that may hold blanks
    set -- $names
else
    set -- --no-suite bench --no-suite long
fi
meson test -C "$build" --no-rebuild -t 2 "$@" >"$log" 2>&1
status=$?
python3 tests/summary.py "$build/meson-logs/testlog.json" "$status"
