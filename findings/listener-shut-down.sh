#!/bin/bash
# shutdown(2) ends a listener. What happens to its port depends on who chose the number: a port that the program chose
# stays bound, and neither ss nor psutil lists a socket there; a port that the kernel chose is given back, although
# getsockname(2) still reports it.
. "$(dirname "$0")/lib.sh"
packages psutil==7.2.2
debs ss iproute2
printf 'version: %s\n' "Linux $(uname -r)"
cat >"$TMP/shut.py" <<'PYTHON'
import psutil, socket, subprocess, sys

def free(port):
    with socket.socket() as other:
        try: other.bind(("127.0.0.1", port))
        except OSError: return False
    return True

given = socket.socket()
given.bind(("127.0.0.1", 0))
port = given.getsockname()[1]
given.listen()
given.shutdown(socket.SHUT_RDWR)
print("given", "free" if free(port) else "taken", "named" if given.getsockname()[1] == port else "unnamed")

chosen = socket.socket()
chosen.bind(("127.0.0.1", int(sys.argv[1])))
chosen.listen()
chosen.shutdown(socket.SHUT_RDWR)
port = chosen.getsockname()[1]
listed = any(c.laddr and c.laddr.port == port for c in psutil.Process().net_connections())
shown = subprocess.run(["ss", "-Htan", f"sport = :{port}"], capture_output=True, text=True).stdout.strip()
print("chosen", "free" if free(port) else "taken", "psutil" if listed else "-", "ss" if shown else "-")
PYTHON
result=$(python3 "$TMP/shut.py" "$(free_port)")
echo "$result"
holds "a port that the kernel gave is free, and still named by getsockname" grep -qx "given free named" <<<"$result"
holds "a chosen one is taken, and psutil and ss list nothing there" grep -qx "chosen taken - -" <<<"$result"
