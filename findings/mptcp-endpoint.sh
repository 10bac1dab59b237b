#!/bin/bash
# An MPTCP endpoint with a port (`ip mptcp endpoint add ... port N`) is a socket in LISTEN without a process. The port
# cannot be bound, and every connection to it is refused, by TCP and by MPTCP alike, as if nothing listened: the
# kernel accepts only further subflows of existing connections.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 0; }
endpoint='ip link set lo up && ip mptcp endpoint add 127.0.0.1 dev lo signal port 7777'
unshare --net sh -c "$endpoint" 2>/dev/null || { echo "skipped: no MPTCP"; exit 0; }
packages psutil==7.2.2
printf 'version: %s, Linux %s\n' "$(ip -V)" "$(uname -r)"
start unshare --net sh -c "$endpoint && exec sleep 600"
pid=$STARTED
inside() { nsenter --target "$pid" --net "$@"; }
own=$(readlink /proc/self/ns/net)
ready() { [ "$(readlink "/proc/$pid/ns/net")" != "$own" ] && inside ip mptcp endpoint show | grep -q 7777; }
until_true 30 ready
row=$(inside ss -Hltnp 'sport = :7777')
printf 'ss: %s\n' "$row"
holds "the endpoint's port is a socket in LISTEN, without a process" grep -q '^LISTEN.*127.0.0.1:7777' <<<"$row"
pids=$(inside python3 -c 'import psutil; print([(c.status, c.pid) for c in psutil.net_connections("tcp") if c.laddr.port == 7777])')
holds "psutil reports the same: $pids" test "$pids" = "[('LISTEN', None)]"
connect() {
    inside python3 - "$1" <<'PYTHON'
import socket, sys
try:
    socket.socket(socket.AF_INET, socket.SOCK_STREAM, int(sys.argv[1])).connect(("127.0.0.1", 7777))
    print("connected")
except ConnectionRefusedError:
    print("refused")
PYTHON
}
holds "a TCP connection to it is refused" test "$(connect 0)" = refused
holds "an MPTCP connection to it is refused" test "$(connect 262)" = refused
binds() { inside python3 -c 'import socket; socket.socket().bind(("127.0.0.1", 7777))' 2>/dev/null; }
holds "the port cannot be bound" not binds
inside ip mptcp endpoint delete id 1
holds "it can once the endpoint is deleted" until_true 5 binds
