#!/bin/bash
# For a process in another network namespace, psutil and lsof report no connection at all, without an error, even to
# root and even for that one process. They look for the process's sockets in the table of their own namespace.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 0; }
packages psutil==7.2.2
debs lsof lsof
port=$(free_port)
start unshare --net sh -c "ip link set lo up && exec python3 $TMP/server.py $port"
pid=$STARTED
inside() { nsenter --target "$pid" --net ss -Hltn "sport = :$port" | grep -q LISTEN; }
holds "the process listens in its namespace" until_true 30 inside
found=$(python3 -c 'import psutil, sys; print(len(psutil.Process(int(sys.argv[1])).net_connections("all")))' "$pid")
holds "psutil finds none of its sockets (it reports $found)" test "$found" = 0
holds "lsof -i finds none of its sockets" test -z "$(lsof -nP -a -p "$pid" -i 2>&1)"
lsof -nP -p "$pid" 2>/dev/null | grep -i 'sock' | grep -v '\.so' || true
holds "though lsof lists the descriptor as a socket of TCP" grep -q 'protocol: TCP' <<<"$(lsof -nP -p "$pid" 2>/dev/null)"
