#!/bin/bash
# granian's main process is in no list of listeners, because its worker listens. But it keeps a bound socket: without
# a listener the port is still taken for every program that does not set SO_REUSEADDR. Without --respawn-failed-
# workers the end of one worker ends the whole server; with it the main process starts another worker.
. "$(dirname "$0")/lib.sh"
packages granian==2.8.9
cd "$TMP"
one=$(free_port) other=$(free_port)
start granian --interface asgi app:app --port "$one"
main=$STARTED
start granian --interface asgi app:app --port "$other" --respawn-failed-workers
respawning=$STARTED
until_true 60 answers "$one"
until_true 60 listens "$other"
first=$(ask "$one")
# No connection is made to this one: what is left of it would block a bind too.
second=$(holders "$other" | grep -o '[0-9]*$')
# binds PORT REUSE: binds with SO_REUSEADDR or without.
binds() {
    python3 -c 'import socket, sys; s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(sys.argv[2])); s.bind(("127.0.0.1", int(sys.argv[1])))' "$1" "$2" 2>/dev/null
}
echo "listeners: $(holders "$one")"
holds "the worker ($first) listens, the main process ($main) does not" test "$(holders "$one")" = "\"granian\",pid=$first"
kill -KILL "$first"
holds "without the option the main process ends with its worker" until_true 30 gone "$main"
holds "and the port is available" until_true 10 binds "$one" 1
# Stopped, it cannot start another worker yet.
kill -STOP "$respawning"
kill -KILL "$second"
holds "nothing listens at the other port any more" until_true 30 not listens "$other"
holds "and a bind without SO_REUSEADDR fails all the same: the main process ($respawning) has bound it" not binds "$other" 0
holds "with SO_REUSEADDR it succeeds" binds "$other" 1
kill -CONT "$respawning"
holds "with the option another worker has the port" until_true 30 other_answers "$other" "$second"
echo "listeners: $(holders "$other")"
