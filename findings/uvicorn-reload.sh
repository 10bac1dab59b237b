#!/bin/bash
# With `uvicorn --reload` the reloader and its worker hold the same socket. If the worker that answers is killed, the
# reloader does not notice: the port stays bound, clients connect and wait, and no worker starts until a file changes.
. "$(dirname "$0")/lib.sh"
packages uvicorn==0.54.0
port=$(free_port)
cd "$TMP"
mkdir code
mv app.py code
start uvicorn app:app --app-dir code --reload --reload-dir code --port "$port"
reloader=$STARTED
until_true 60 answers "$port"
worker=$(ask "$port")
echo "held by: $(holders "$port")"
holds "the worker ($worker) is not the reloader ($reloader)" test "$worker" != "$reloader"
kill -KILL "$worker"
until_true 10 gone "$worker" || true
# More than the reloader's interval between two looks at its files, several times over.
sleep 4
echo "held by: $(holders "$port")"
holds "the reloader alone holds the port now" test "$(holders "$port")" = "\"uvicorn\",pid=$reloader"
holds "clients connect and get no answer" test "$(ask "$port")" = silent
touch code/app.py
holds "a changed file brings a worker back" until_true 30 other_answers "$port" "$worker"
