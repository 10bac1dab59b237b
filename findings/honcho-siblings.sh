#!/bin/bash
# When one process of a Procfile ends, honcho ends all the others: freeing one port frees every port of the project.
. "$(dirname "$0")/lib.sh"
packages honcho==2.0.0
web=$(free_port) api=$(free_port)
cat >"$TMP/Procfile" <<PROCFILE
web: python3 $TMP/server.py $web
api: python3 $TMP/server.py $api
PROCFILE
start honcho -f "$TMP/Procfile" start
honcho=$STARTED
until_true 60 answers "$web"
until_true 60 answers "$api"
sibling=$(ask "$api")
kill -TERM "$(ask "$web")"
holds "the other process ($sibling) ends" until_true 30 gone "$sibling"
holds "its port is free" not listens "$api"
holds "honcho itself ends" until_true 30 gone "$honcho"
