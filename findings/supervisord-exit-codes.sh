#!/bin/bash
# supervisord's default (autorestart=unexpected) restarts a program that SIGTERM ended, and leaves alone one that handles
# SIGTERM and exits with 0. Whether a signal frees the port depends on the program, not on the configuration.
. "$(dirname "$0")/lib.sh"
packages supervisor==4.3.0
plain=$(free_port) handler=$(free_port)
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
[program:plain]
command=python3 $TMP/server.py $plain
[program:handler]
command=python3 $TMP/server.py $handler handler
CONFIG
start supervisord -c "$TMP/supervisord.conf"
ctl() { supervisorctl -c "$TMP/supervisord.conf" "$@"; }
running() { [ "$(ctl status | grep -c RUNNING)" = 2 ]; }
# supervisorctl exits with 3 if a program does not run.
exited() { grep -q EXITED <<<"$(ctl status handler || true)"; }
until_true 60 running
until_true 30 answers "$plain"
until_true 30 answers "$handler"
first=$(ask "$plain")
kill -TERM "$first" "$(ask "$handler")"
holds "the program without a handler is back with another pid" until_true 30 other_answers "$plain" "$first"
holds "the program that exited with 0 is EXITED" until_true 30 exited
# By now it would be back too: the other one is.
sleep 3
holds "its port stays free" not listens "$handler"
ctl status || true
