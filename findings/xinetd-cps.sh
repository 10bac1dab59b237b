#!/bin/bash
# xinetd closes a service's socket when clients come too fast (cps), and opens it again after the configured seconds.
# In between every test finds the port free, and a program that takes it conflicts with xinetd.
. "$(dirname "$0")/lib.sh"
debs xinetd xinetd
port=$(free_port)
cat >"$TMP/xinetd.conf" <<CONFIG
service test
{
    type = UNLISTED
    port = $port
    bind = 127.0.0.1
    socket_type = stream
    protocol = tcp
    wait = no
    user = $(id -un)
    server = $(type -P true)
    cps = 3 6
}
CONFIG
start xinetd -dontfork -f "$TMP/xinetd.conf" -pidfile "$TMP/xinetd.pid" -filelog "$TMP/xinetd.log"
until_true 30 listens "$port"
flood() {
    python3 - "$port" <<'PYTHON'
import socket, sys
for _ in range(12):
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1).close()
    except OSError:
        break
PYTHON
    until_true 1 not listens "$port"
}
binds() {
    python3 -c 'import socket, sys; s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen()' "$port"
}
# The connections must come within one second, which a busy machine may miss.
holds "twelve connections in a second make xinetd close its socket" until_true 30 flood
begun=$SECONDS
holds "a bind succeeds meanwhile" binds
holds "xinetd still runs" kill -0 "$STARTED"
holds "it listens again without being asked" until_true 20 listens "$port"
echo "away for about $((SECONDS - begun)) s of the 6 that are configured"
grep -i deactivating "$TMP"/xinetd.log "$TMP"/log.* | head -n 1 || true
