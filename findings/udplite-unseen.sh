#!/bin/bash
# The usual guess: `ss --all` and psutil list every socket that has a port, and a port of UDP-Lite is a port of UDP.
# What happens: neither ss (iproute2) nor psutil 7.2.2 lists a UDP-Lite server in any of its lists, and a UDP server
#   can have the same port at the same time. /proc/net/udplite has it. (Kernels without that file have no UDP-Lite.)
# Consequence: allears reads that table separately, as a protocol of its own, and never confuses the ports of the
#   two.
. "$(dirname "$0")/lib.sh"

packages psutil==7.2.2
printf 'version: %s\nversion: Linux %s\n' "$(ss -V)" "$(uname -r)"
[ -e /proc/net/udplite ] || { echo "this kernel has no UDP-Lite"; exit 0; }

cat >"$TMP/server.py" <<'EOF'
import socket, time
lite = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDPLITE)
lite.bind(("127.0.0.1", 0))
print(lite.getsockname()[1], flush=True)
time.sleep(60)
EOF
start python3 "$TMP/server.py"
log=$TMP/log.0
until_true 10 test -s "$log"
port=$(cat "$log")

by_ss=$(ss --all --numeric --no-header 2>/dev/null | grep -c "127.0.0.1:$port " || true)
by_psutil=$(python3 -c '
import psutil, sys
print(sum(1 for one in psutil.net_connections("all") if one.laddr and one.laddr[1:] == (int(sys.argv[1]),)))' "$port")
by_proc=$(grep -c ":$(printf %04X "$port") " /proc/net/udplite || true)
echo "lines about the UDP-Lite server: ss $by_ss, psutil $by_psutil, /proc/net/udplite $by_proc"
udp=$(python3 -c '
import socket, sys
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(("127.0.0.1", int(sys.argv[1])))
print("bound")' "$port")
echo "a UDP server at the same address and port: $udp"

holds "ss --all does not list it" test "$by_ss" = 0
holds "psutil does not list it" test "$by_psutil" = 0
holds "/proc/net/udplite lists it" test "$by_proc" = 1
holds "a UDP server gets the same port" test "$udp" = bound
