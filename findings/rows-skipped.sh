#!/usr/bin/env bash
# A dump of sockets lacks sockets that were there all the time, when others are closed meanwhile. So does /proc/net/udp. No
# error and no flag tells it: inet_diag never sets NLM_F_DUMP_INTR. The kernel writes a page at a time and continues by
# counting within a bucket of its hash table.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
debs ss iproute2
printf 'version: Linux %s\n' "$(uname -r)"

cat >"$TMP/flood.py" <<'PYTHON'
import ctypes, os, signal, socket, subprocess, sys

PR_SET_PDEATHSIG = 1
LOOKS = 20_000


def child(run):
    pid = os.fork()
    if pid:
        return pid
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    run()
    os._exit(0)


def bound(count):
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    return sockets


def hold(writer):
    sockets = bound(900)
    os.write(writer, (" ".join(str(one.getsockname()[1]) for one in sockets) + "\n").encode())
    signal.pause()


def flood():
    while True:
        for one in bound(200):
            one.close()


def listed_by_ss():
    lines = subprocess.run(["ss", "-Huan"], capture_output=True, check=True, text=True).stdout.splitlines()
    return {int(line.split()[3].rsplit(":", 1)[1]) for line in lines}


def listed_by_proc():
    with open("/proc/net/udp", encoding="ascii") as table:
        return {int(line.split()[1].rsplit(":", 1)[1], 16) for line in list(table)[1:]}


reader, writer = os.pipe()
children = [child(lambda: hold(writer)) for _ in range(4)]
with os.fdopen(reader, encoding="ascii") as ports:
    steady = {int(port) for _ in children for port in ports.readline().split()}
children += [child(flood) for _ in range(2)]
status = 0
for name, listed in [("ss", listed_by_ss), ("/proc/net/udp", listed_by_proc)]:
    for look in range(1, LOOKS + 1):
        missing = len(steady - listed())
        if missing:
            print(f"{name}: look {look} lacks {missing} of {len(steady)} sockets that stayed open")
            break
    else:
        print(f"{name}: none was missing in {LOOKS} looks")
        status = 1
for pid in children:
    os.kill(pid, signal.SIGKILL)
sys.exit(status)
PYTHON
holds "a socket that stays open is missing in ss -ua and in /proc/net/udp while others are closed" \
    python3 "$TMP/flood.py"
