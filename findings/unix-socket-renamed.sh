#!/bin/bash
# A server publishes its Unix socket by rename(2), so that the public name appears when the server is ready. Clients
# connect. lsof, fuser and ss find nothing for that path; and after a restart of this kind they also name the earlier
# server, which no client reaches by the path. They compare names, and the kernel keeps the name that was bound.
. "$(dirname "$0")/lib.sh"

debs lsof lsof
debs fuser psmisc
ss -V | sed 's/^/version: /'
uname -r | sed 's/^/version: Linux /'

cat >"$TMP/server.py" <<'P'
import os, socket, sys, time
private, public = sys.argv[1:]
server = socket.socket(socket.AF_UNIX)
server.bind(private)
server.listen()
os.rename(private, public)
time.sleep(600)
P

# tools PATH: the pids that each tool names for a path.
tools() {
    printf 'lsof=%s fuser=%s ss=%s\n' \
        "$(lsof -t "$1" 2>/dev/null | sort -n | paste -sd ,)" \
        "$(fuser "$1" 2>/dev/null | tr -s ' ' '\n' | grep . | sort -n | paste -sd ,)" \
        "$(ss -Hxlp src "$1" | grep -o 'pid=[0-9]*' | cut -d= -f2 | sort -n | paste -sd ,)"
}
# reached PATH: the pid of the server that a client reaches.
reached() {
    python3 -c '
import socket, struct, sys
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
print(struct.unpack("iII", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])' "$1"
}

start python3 "$TMP/server.py" "$TMP/new" "$TMP/app.sock"
first=$STARTED
until_true 10 test -S "$TMP/app.sock"
echo "app.sock, renamed from new: a client reaches $(reached "$TMP/app.sock"); $(tools "$TMP/app.sock")"
[ "$(reached "$TMP/app.sock")" = "$first" ]
[ "$(tools "$TMP/app.sock")" = 'lsof= fuser= ss=' ]

# A later server binds the same private name and takes another public one: both have the name `new`.
start python3 "$TMP/server.py" "$TMP/new" "$TMP/next.sock"
until_true 10 test -S "$TMP/next.sock"
# A third one listens at that name itself.
start python3 -c 'import socket, sys, time; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); time.sleep(600)' "$TMP/new"
third=$STARTED
until_true 10 reached "$TMP/new"
echo "new: a client reaches $(reached "$TMP/new") alone; $(tools "$TMP/new")"
[ "$(reached "$TMP/new")" = "$third" ]
for tool in lsof fuser ss; do
    tools "$TMP/new" | tr ' ' '\n' | grep -q "^$tool=.*$first.*$third"
done
echo "as recorded"
