#!/usr/bin/env bash
# A listener seems to be gone once its only descriptor is closed, and a listener that no process has open seems to
# belong to the kernel or to a process that may not be inspected. But a thread that waits in accept(2), poll(2) or
# select(2) keeps it listening after another thread closed the descriptor, until the call returns; one in
# epoll_wait(2) does not. psutil and lsof, even as root, report no process for it.
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
packages psutil==7.2.2
debs lsof lsof
debs ss iproute2
printf 'version: Linux %s\n' "$(uname -r)"

cat >"$TMP/closes.py" <<'PYTHON'
import select, socket, sys, threading, time
how, port = sys.argv[1], int(sys.argv[2])
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", port))
listener.listen(16)

def serve():
    if how == "epoll":
        poll = select.epoll()
        poll.register(listener, select.EPOLLIN)
        poll.poll()
    elif how == "poll":
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        poll.poll()
    elif how == "select":
        select.select([listener], [], [])
    else:
        peer, _ = listener.accept()
        peer.sendall(b"accepted after close")
        peer.close()

threading.Thread(target=serve, daemon=True).start()
time.sleep(0.5)
listener.close()
print("closed", flush=True)
time.sleep(600)
PYTHON

psutil_pids() {
    python3 - "$1" <<'PYTHON'
import psutil, sys
rows = [row for row in psutil.net_connections("tcp") if row.laddr and row.laddr.port == int(sys.argv[1]) and row.status == "LISTEN"]
print([row.pid for row in rows])
PYTHON
}

# stage HOW: starts it, and waits until the descriptor is closed. Its port is in PORT.
stage() {
    PORT=$(free_port)
    local log=$TMP/log.${#PIDS[@]}
    start python3 -u "$TMP/closes.py" "$1" "$PORT"
    until_true 20 grep -q closed "$log"
    sleep 0.2
}

bind_works() {
    python3 - "$1" <<'PYTHON'
import socket, sys
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", int(sys.argv[1])))
PYTHON
}

for how in accept poll select; do
    stage "$how"
    echo "output: $how: $(ss -Hltnp "sport = :$PORT"); psutil: $(psutil_pids "$PORT"); lsof: $(lsof -nP -iTCP:"$PORT" -sTCP:LISTEN 2>&1 | tail -n 1)"
    holds "with a thread in $how, the closed listener still listens" listens "$PORT"
    holds "with a thread in $how, a new server cannot bind the port, not even with SO_REUSEADDR" not bind_works "$PORT" 2>"$TMP/bind"
    holds "psutil lists the listener without a process" test "$(psutil_pids "$PORT")" = "[None]"
    holds "lsof lists nothing" test -z "$(lsof -nP -iTCP:"$PORT" -sTCP:LISTEN -t 2>/dev/null || true)"
done

stage accept
reply=$(ask "$PORT")
echo "output: a client after the close: $reply"
holds "the next client is still accepted" test "$reply" = "accepted after close"
holds "then the listener is gone" until_true 5 not listens "$PORT"

stage epoll
holds "with a thread in epoll_wait, the listener is gone with its descriptor" not listens "$PORT"
holds "and a new server binds the port" bind_works "$PORT"
