#!/bin/bash
# `circusctl stop` ends a watcher's processes and reports success, but circusd keeps a socket of circus open: the port
# stays bound, clients still connect, and nothing answers. supervisord closes its fcgi-program's socket instead.
. "$(dirname "$0")/lib.sh"
packages circus==0.19.0 supervisor==4.3.0
port=$(free_port) other=$(free_port)
cat >"$TMP/worker.py" <<'PYTHON'
import os, socket, sys
listener = socket.socket(fileno=int(sys.argv[1]))
listener.setblocking(True)
while True:
    peer, _ = listener.accept()
    with peer:
        peer.sendall(b"%d\n" % os.getpid())
PYTHON
cat >"$TMP/circus.ini" <<CONFIG
[circus]
endpoint = ipc://$TMP/endpoint
pubsub_endpoint = ipc://$TMP/pubsub
[socket:web]
host = 127.0.0.1
port = $port
[watcher:web]
cmd = python3 $TMP/worker.py \$(circus.sockets.web)
use_sockets = True
copy_env = True
CONFIG
cat >"$TMP/supervisord.conf" <<CONFIG
[supervisord]
nodaemon=true
logfile=$TMP/supervisord.log
pidfile=$TMP/supervisord.pid
[unix_http_server]
file=$TMP/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://$TMP/supervisor.sock
[fcgi-program:web]
socket=tcp://127.0.0.1:$other
command=sleep 1000
CONFIG
start circusd "$TMP/circus.ini"
circus=$STARTED
start supervisord -c "$TMP/supervisord.conf"
supervisord=$STARTED
ctl() { circusctl --endpoint "ipc://$TMP/endpoint" "$@"; }
super() { supervisorctl -c "$TMP/supervisord.conf" "$@"; }
until_true 60 answers "$port"
until_true 60 listens "$other"
echo "circus's port is held by: $(holders "$port")"
echo "supervisord's port is held by: $(holders "$other")"
echo "circusctl stop web: $(ctl stop web)"
stopped() { ctl status web | grep stopped; }
until_true 30 stopped
holds "circusd ($circus) holds the port of the stopped watcher" test "$(holders "$port")" = "\"circusd\",pid=$circus"
holds "a client connects, and gets no answer" test "$(ask "$port")" = silent
holds "before the stop supervisord ($supervisord) held the other one" grep -q "pid=$supervisord" <<<"$(holders "$other")"
until_true 30 super stop web:* || true
holds "after \`supervisorctl stop\` its port is free" until_true 30 not listens "$other"
