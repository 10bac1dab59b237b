#!/bin/bash
# A vxlan interface that is moved to another network namespace keeps its UDP port in the namespace in which it was
# made, even if it is brought up only after the move. There ss and psutil show a socket without a process, and no
# interface explains it; where the interface is, the port can be bound.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 0; }
unshare --net ip link add vx0 type vxlan id 42 dstport 4789 2>/dev/null || { echo "skipped: no vxlan"; exit 0; }
packages psutil==7.2.2
printf 'version: %s, Linux %s\n' "$(ip -V)" "$(uname -r)"
start unshare --net sh -c 'ip link set lo up && exec sleep 600'
old=$STARTED
start unshare --net sh -c 'ip link set lo up && exec sleep 600'
new=$STARTED
own=$(readlink /proc/self/ns/net)
ready() { [ "$(readlink "/proc/$old/ns/net")" != "$own" ] && [ "$(readlink "/proc/$new/ns/net")" != "$own" ]; }
until_true 30 ready
in_old() { nsenter --target "$old" --net "$@"; }
in_new() { nsenter --target "$new" --net "$@"; }
binds() { "$@" python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(("0.0.0.0", 4789))' 2>/dev/null; }
in_old ip link add vx0 type vxlan id 42 dstport 4789
holds "down, it has no socket" binds in_old
in_old ip link set vx0 netns "$new"
in_new ip link set vx0 up
row=$(in_old ss -Hlunp 'sport = :4789')
printf 'ss, in the namespace that it was made in: %s\n' "$row"
holds "up in the other namespace, its socket is in the one that it was made in" test -n "$row"
holds "where the interface is, there is none" test -z "$(in_new ss -Hlun 'sport = :4789')"
holds "and a bind succeeds there" binds in_new
holds "while it fails where no interface shows why" not binds in_old
holds "no vxlan interface is left there" test -z "$(in_old ip -o link show type vxlan)"
pids=$(in_old python3 -c 'import psutil; print([c.pid for c in psutil.net_connections("udp4") if c.laddr.port == 4789])')
holds "psutil names no process, as it does for another user's: $pids" test "$pids" = "[None]"
holds "the interface names the namespace by a number of its own" grep -q 'link-netnsid' <<<"$(in_new ip link show vx0)"
