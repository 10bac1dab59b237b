#!/bin/bash
# A loop that waits for a server by connecting to its port takes the port itself if the port is in the ephemeral
# range: the kernel gives the client that same port, and the socket connects to itself. No server can bind then. Only
# every second port is affected: connect() prefers ports with the parity of the range's first one.
. "$(dirname "$0")/lib.sh"
echo "version: Linux $(uname -r)"
python3 - <<'PYTHON'
import errno, socket, sys
low, high = map(int, open("/proc/sys/net/ipv4/ip_local_port_range").read().split())
def is_free(port):
    with socket.socket() as tried:
        try:
            tried.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False
def waits_for(port, attempts):
    """The socket that met itself, and after how many attempts; None if none did."""
    for attempt in range(attempts):
        client = socket.socket()
        try:
            client.connect(("127.0.0.1", port))
            return client, attempt + 1
        except ConnectionRefusedError:
            client.close()
    return None, attempts
middle = (low + high) // 2
same = next(port for port in range(middle, high) if (port - low) % 2 == 0 and is_free(port))
other = next(port for port in range(middle, high) if (port - low) % 2 == 1 and is_free(port))
client, attempts = waits_for(same, 4 * (high - low))
if client is None:
    sys.exit(f"CHANGED: port {same} was never met in {attempts} attempts")
assert client.getsockname() == client.getpeername()
print(f"as recorded: after {attempts} attempts a client of {same} is connected to itself: {client.getsockname()}")
for reuse in (0, 1):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
    try:
        server.bind(("127.0.0.1", same))
        sys.exit(f"CHANGED: a server binds with SO_REUSEADDR {reuse}")
    except OSError as error:
        assert error.errno == errno.EADDRINUSE
        print(f"as recorded: with SO_REUSEADDR {reuse} a server gets {error.strerror}")
found, attempts = waits_for(other, 2 * (high - low))
if found is not None:
    sys.exit(f"CHANGED: port {other} was met after {attempts} attempts")
print(f"as recorded: port {other}, of the other parity, was not met in {attempts} attempts")
PYTHON
