#!/bin/bash
# The usual guess: root sees which process listens, and a container needs only the host's network and processes for it
# (--network=host --pid=host).
# What happens: with the capabilities that Docker gives by default, root may signal root's other processes, but not read
# their descriptors: a process may be read only by one whose permitted capabilities include its own. ss lists the port
# without a process, psutil without a pid, lsof lists nothing. A server that was started with as few capabilities is seen.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 2; }
packages psutil==7.2.2
debs ss iproute2
debs lsof lsof
debs capsh libcap2-bin
printf 'version: %s\n' "Linux $(uname -r)"
# Docker's default, of which everything else is dropped.
kept=chown,dac_override,fowner,fsetid,kill,setgid,setuid,setpcap,net_bind_service,net_raw,sys_chroot,mknod,audit_write,setfcap
dropped=$(python3 - "$kept" <<'PYTHON'
import subprocess, sys
kept = {"cap_" + name for name in sys.argv[1].split(",")}
last = int(open("/proc/sys/kernel/cap_last_cap").read())
names = subprocess.run(["capsh", f"--decode={(1 << last + 1) - 1:x}"], capture_output=True, text=True).stdout
print(",".join(name for name in names.strip().split("=", 1)[1].split(",") if name not in kept))
PYTHON
)
contained() { capsh --drop="$dropped" -- -c 'exec "$@"' contained "$@"; }
export -f contained
export dropped
full=$(free_port)
start python3 "$TMP/server.py" "$full"
server=$STARTED
until_true 10 answers "$full"
few=$(free_port)
start bash -c 'contained python3 "$1" "$2"' server "$TMP/server.py" "$few"
until_true 10 answers "$few"

process() { contained ss -Hltnp "sport = :$1" | { grep -o '"[^"]*",pid=' || echo none; }; }
pid() {
    contained python3 -c 'import psutil, sys
port = int(sys.argv[1])
print([one.pid is not None for one in psutil.net_connections("tcp") if one.laddr and one.laddr.port == port and one.status == "LISTEN"])' "$1"
}
listed() { contained lsof -nP -iTCP:"$1" -sTCP:LISTEN -t 2>/dev/null | wc -l; }
echo "a server of root with all capabilities: ss $(process "$full"), psutil $(pid "$full"), lsof $(listed "$full") rows"
echo "a server of root with as few:           ss $(process "$few"), psutil $(pid "$few"), lsof $(listed "$few") rows"
holds "root may signal the first server" contained kill -0 "$server"
holds "ss lists its port without a process" test "$(process "$full")" = none
holds "psutil lists it without a pid" test "$(pid "$full")" = "[False]"
holds "lsof lists nothing" test "$(listed "$full")" = 0
holds "all three name the second server" test "$(process "$few"), $(pid "$few"), $(listed "$few")" = '"python3",pid=, [True], 1'
