#!/bin/bash
# The usual guess: `ss --events` shows which listener went away, to root, with its owner.
# What happens: any user gets the messages. A socket that listened and one that was only bound have the same line, as the
# kernel has reset the state by then. A client whose connection was refused appears with the address 0.0.0.0 (or *) and
# without the peer's port, like a server on every address. No line has an inode or a user, whoever the owner was.
. "$(dirname "$0")/lib.sh"
debs ss iproute2
echo "kernel: $(uname -r)"
events=$TMP/events
as=()
[ "$(id -u)" != 0 ] || as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
chmod 711 "$TMP"
start "${as[@]}" stdbuf -oL ss --events --numeric --tcp --extended
log=$TMP/log.0
# Its first line comes with the first event.
begun() { free_port && test -s "$log"; }
until_true 10 begun
python3 - >"$events" <<'PYTHON'
import socket
def bound(listens):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        if listens:
            one.listen()
        return one.getsockname()[1]
print("listened", bound(True))
print("bound", bound(False))
closed = bound(False)
with socket.socket() as client:
    client.bind(("127.0.0.1", 0))
    port = client.getsockname()[1]
    try:
        client.connect(("127.0.0.1", closed))
    except ConnectionRefusedError:
        pass
print("bound-client", port)
with socket.socket() as client:
    try:
        client.connect(("127.0.0.1", closed))
    except ConnectionRefusedError:
        print("refused", closed)
PYTHON
port() { sed -n "s/^$1 //p" "$events"; }
line() { grep -F "127.0.0.1:$(port "$1") " "$log"; }
until_true 10 line bound-client
until_true 10 grep -q '0\.0\.0\.0:[0-9]* *127\.0\.0\.1:\*' "$log"
cat "$events" "$log"
# rest NAME: the line without its port and its socket's cookie.
rest() { line "$1" | sed "s/:$(port "$1") / /; s/sk:[0-9a-f]*//; s/  */ /g"; }
holds "a user without privileges reads the events" test -s "$log"
holds "a listener and a socket that was only bound have the same line: $(rest listened)" test "$(rest listened)" = "$(rest bound)"
holds "a refused client has no address of its own and no port of its peer" grep -q '0\.0\.0\.0:[0-9]* *127\.0\.0\.1:\*' "$log"
holds "no line has an inode" not grep -q 'ino:[1-9]' "$log"
holds "no line has a user" not grep -q 'uid:' "$log"
