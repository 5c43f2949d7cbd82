#!/bin/sh
# SPDX-License-Identifier: ISC
# tmux_smoke.sh CONSOLE TMUX: the console in tmux, a second emulator; Ctrl-Z and fg; q leaves the shell's screen.
set -eu
console=$1
tmux="$2 -L mxhelm-smoke-$$ -f /dev/null"
dir=$(mktemp -d)
trap '$tmux kill-server 2>/dev/null || :; rm -rf "$dir"' EXIT

# The shell that job control needs, with a prompt that can be waited for.
LC_ALL=C.UTF-8 $tmux new-session -d -x 80 -y 24 'exec bash --norc --noprofile -i'

until_seen() {
    n=0
    while ! $tmux capture-pane -p | grep -qF -- "$1"; do
        n=$((n + 1))
        if [ $n -gt 100 ]; then
            echo "\"$1\" did not come; the screen is:"
            $tmux capture-pane -p
            exit 1
        fi
        sleep 0.1
    done
}

$tmux send-keys "PS1='shell'\\> ; clear" Enter
until_seen 'shell>'
$tmux send-keys "$console busy" Enter
until_seen 'group 1 of 6'
$tmux send-keys j
until_seen 'group 2 of 6'
$tmux resize-window -x 160 -y 50
until_seen '421 4.7.28 Our system has detecte'
$tmux resize-window -x 80 -y 24
$tmux send-keys C-z
until_seen 'Stopped'
$tmux send-keys 'fg' Enter
until_seen 'group 2 of 6'
$tmux send-keys 2
until_seen 'FOLLOW'
$tmux send-keys q
until_seen 'shell>'
$tmux send-keys 'echo left with $?' Enter
until_seen 'left with 0'
echo ok
