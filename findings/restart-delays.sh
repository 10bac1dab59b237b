#!/bin/bash
# How soon a killed program is restarted: runsv and daemontools' supervise restart it at once, s6-supervise one second
# after its death however long it ran, and circusd at its next check, up to five seconds later.
. "$(dirname "$0")/lib.sh"
packages circus==0.19.0
debs runsv runit
debs supervise daemontools
debs s6-supervise s6 execline libs6-2.11 libskarnet2.13 libexecline2.9
declare -A ports
for name in runsv supervise s6-supervise; do
    ports[$name]=$(free_port)
    mkdir -p "$TMP/$name"
    printf '#!/bin/sh\nexec python3 %s %s\n' "$TMP/server.py" "${ports[$name]}" >"$TMP/$name/run"
    chmod +x "$TMP/$name/run"
    start "$name" "$TMP/$name"
done
ports[circusd]=$(free_port)
cat >"$TMP/circus.ini" <<CONFIG
[circus]
endpoint = ipc://$TMP/endpoint
pubsub_endpoint = ipc://$TMP/pubsub
[watcher:web]
cmd = python3 $TMP/server.py ${ports[circusd]}
copy_env = True
CONFIG
start circusd "$TMP/circus.ini"
cat >"$TMP/measure.py" <<'PYTHON'
"""Kills the server at a port four times, after it ran for more than a second, and prints how long each successor
was away: until its process runs the server's program, before that listens."""
import os, socket, subprocess, sys, time
port = int(sys.argv[1])
def pid():
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as peer:
                peer.settimeout(5)
                if reply := peer.recv(20):
                    return int(reply)
        except OSError:
            pass
        time.sleep(0.02)
def parent(pid):
    return int(open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1])
def children(pid):
    out = open(f"/proc/{pid}/task/{pid}/children").read().split()
    return {int(child) for child in out}
def runs(pid):
    """Not a child that is to become a `finish` script, which there is none of."""
    try:
        return b"server.py" in open(f"/proc/{pid}/cmdline", "rb").read()
    except OSError:
        return False
for seconds in (1.5, 2.3, 3.1, 3.9):
    old = pid()
    supervisor = parent(old)
    time.sleep(seconds)
    os.kill(old, 9)
    begun = time.monotonic()
    while not any(runs(child) for child in children(supervisor) - {old}):
        time.sleep(0.002)
    print(f"{time.monotonic() - begun:.2f}", flush=True)
PYTHON
declare -A delays
for name in runsv supervise s6-supervise circusd; do
    until_true 60 answers "${ports[$name]}"
    delays[$name]=$(python3 "$TMP/measure.py" "${ports[$name]}" | sort -n | paste -sd ' ')
    echo "$name: away for ${delays[$name]} s"
done
least() { awk -v limit="$2" '{ exit !($1 >= limit) }' <<<"${delays[$1]}"; }
below() { awk -v limit="$2" '{ exit !($1 < limit) }' <<<"${delays[$1]}"; }
most() { awk -v low="$2" -v high="$3" '{ exit !($NF > low && $NF < high) }' <<<"${delays[$1]}"; }
holds "runsv restarts at once what ran for more than a second" below runsv 0.5
holds "supervise does too" below supervise 0.5
holds "s6-supervise never does it within a second" least s6-supervise 0.95
holds "circusd takes more than a second, and not more than its check_delay of five" most circusd 1.0 6.0
# svc and s6-svc end these two with their programs; a signal to the supervisor would leave the programs behind.
svc -dx "$TMP/supervise"
s6-svc -dx "$TMP/s6-supervise"
