# Sourced by the scripts beside it: a temporary folder, what they install in it, and what they start and end again.
# shellcheck shell=bash
set -euo pipefail

TMP=$(mktemp -d)
PIDS=()

# Ends what was started here, by pid, and removes the folder.
cleanup() {
    for pid in "${PIDS[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${PIDS[@]}"; do
        for _ in $(seq 50); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
        # Its session is its own: `start` made it.
        kill -KILL -- "-$pid" 2>/dev/null || true
    done
    rm -rf "$TMP"
}
trap cleanup EXIT

# packages NAME==VERSION ...: installs from PyPI.
packages() {
    python3 -m venv "$TMP/venv"
    "$TMP/venv/bin/pip" --quiet --disable-pip-version-check install "$@"
    PATH=$TMP/venv/bin:$PATH
    printf 'version: %s\n' "$@"
}

# debs COMMAND PACKAGE ...: unpacks Debian packages in the temporary folder, unless the command is there already.
debs() {
    local command=$1 owner
    shift
    if command -v "$command" >/dev/null; then
        # A merged /usr has two names for each file.
        owner=$(dpkg -S "*bin/$command" 2>/dev/null | head -n 1 | cut -d: -f1 || true)
        printf 'version: %s %s (installed)\n' "${owner:-$command}" "$(dpkg-query -W -f '${Version}' "${owner:-none}" 2>/dev/null || echo unknown)"
        return
    fi
    (cd "$TMP" && apt-get -qq download "$@" 2>/dev/null && for file in *.deb; do dpkg -x "$file" debs; done && rm -- *.deb)
    PATH=$TMP/debs/usr/sbin:$TMP/debs/usr/bin:$TMP/debs/bin:$TMP/debs/sbin:$PATH
    LD_LIBRARY_PATH=$(find "$TMP/debs" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
    export LD_LIBRARY_PATH
    printf 'version: %s %s\n' "$1" "$(apt-cache policy "$1" | sed -n 's/^ *Candidate: //p')"
}

# start COMMAND ...: starts it in the background, in a session of its own. Its pid is in STARTED.
start() {
    setsid "$@" >"$TMP/log.${#PIDS[@]}" 2>&1 </dev/null &
    STARTED=$!
    PIDS+=("$STARTED")
    # bash then prints nothing when it is killed.
    disown
}

# until_true SECONDS COMMAND ...: waits until the command succeeds; fails after that time.
until_true() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.05
    done
}

# free_port: a port of TCP that nothing has.
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# holders PORT: name and pid of each process that holds a listening socket there.
holders() {
    ss -Hltnp "sport = :$1" | { grep -o '"[^"]*",pid=[0-9]*' || true; } | sort -u | paste -sd ' '
}

# listens PORT: succeeds if a socket listens there.
listens() {
    [ -n "$(ss -Hltn "sport = :$1")" ]
}

# ask PORT: connects and prints what comes back: text, `silent` after three seconds, or `refused`.
ask() {
    python3 - "$1" <<'PYTHON'
import socket, sys
try:
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 3) as peer:
        peer.settimeout(3)
        peer.sendall(b"GET / HTTP/1.0\r\n\r\n")
        reply = b""
        while more := peer.recv(4096):
            reply += more
    print(reply.split(b"\r\n\r\n")[-1].decode().strip() or "closed")
except ConnectionRefusedError:
    print("refused")
except TimeoutError:
    print("silent")
PYTHON
}

# answers PORT: succeeds if a process reports its pid there.
answers() {
    [[ $(ask "$1") =~ ^[0-9]+$ ]]
}

# other_answers PORT PID: succeeds if another process than that one reports its pid.
other_answers() {
    local pid
    pid=$(ask "$1")
    [[ $pid =~ ^[0-9]+$ ]] && [ "$pid" != "$2" ]
}

gone() {
    ! kill -0 "$1" 2>/dev/null
}

# holds TEXT COMMAND ...: prints the statement if the command succeeds, and ends with 1 if it does not.
holds() {
    local text=$1
    shift
    if "$@"; then
        printf 'as recorded: %s\n' "$text"
    else
        printf 'CHANGED: %s\n' "$text"
        exit 1
    fi
}

not() {
    ! "$@"
}

# A server that answers each connection with its pid. With `handler` as its last argument it ends with 0 at SIGTERM.
cat >"$TMP/server.py" <<'PYTHON'
import os, signal, socket, sys
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(16)
if sys.argv[-1] == "handler":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
while True:
    peer, _ = listener.accept()
    with peer:
        try:
            peer.sendall(b"%d\n" % os.getpid())
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(4096):
                pass
        except OSError:
            pass
PYTHON

# An ASGI application that answers with the pid of its worker.
cat >"$TMP/app.py" <<'PYTHON'
import os
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": kind + ".complete"})
            if kind == "lifespan.shutdown":
                return
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
        await send({"type": "http.response.body", "body": b"%d" % os.getpid()})
PYTHON
