#!/bin/bash
# Two servers share a port by SO_REUSEPORT, one of them bound to an interface. The kernel does not distribute clients
# over them: over IPv4 the later server gets all of them, over IPv6 the earlier one. It does not matter which of the
# two is bound to the interface. Without an interface the clients are distributed.
. "$(dirname "$0")/lib.sh"
printf 'version: %s\n' "Linux $(uname -r)" "$(python3 --version)"
cat >"$TMP/share.py" <<'PYTHON'
import socket, sys

def server(family, port, on_lo):
    s = socket.socket(family)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if on_lo: s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    s.bind(("", port))
    s.listen(64)
    s.setblocking(False)
    return s

def accepted(s):
    count = 0
    while True:
        try: s.accept()[0].close()
        except BlockingIOError: return count
        count += 1

family, peer = (socket.AF_INET, "127.0.0.1") if sys.argv[1] == "4" else (socket.AF_INET6, "::1")
first = server(family, 0, sys.argv[2] == "lo")
port = first.getsockname()[1]
second = server(family, port, sys.argv[3] == "lo")
for _ in range(40): socket.create_connection((peer, port)).close()
print(accepted(first), accepted(second))
PYTHON
share() { python3 "$TMP/share.py" "$@"; }
for family in 4 6; do
    for order in "any any" "any lo" "lo any"; do
        # shellcheck disable=SC2086
        printf 'IPv%s, first %s, second %s: %s of 40 clients\n' "$family" ${order/ / } "$(share "$family" $order)"
    done
done
spread() { read -r first second < <(share "$@") && ((first > 0 && second > 0)); }
holds "without an interface clients are spread, over IPv4" spread 4 any any
holds "and over IPv6" spread 6 any any
for order in "any lo" "lo any"; do
    # shellcheck disable=SC2086
    holds "over IPv4 the second server gets all (${order/ /, then })" test "$(share 4 $order)" = "0 40"
    # shellcheck disable=SC2086
    holds "over IPv6 the first server gets all (${order/ /, then })" test "$(share 6 $order)" = "40 0"
done
