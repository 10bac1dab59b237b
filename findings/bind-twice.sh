#!/bin/bash
# A socket that already has a port cannot be bound again, so a second bind seems to reveal nothing but EINVAL. Linux
# checks what the caller may do first: EACCES for a port that needs a privilege, EADDRNOTAVAIL for an IPv4 address of
# another machine, and only then EINVAL. So it shows who may have a port without taking it. A bind on a fresh socket
# takes the port instead, and a server without SO_REUSEADDR is refused it meanwhile. For IPv6 the address is not
# checked.
. "$(dirname "$0")/lib.sh"
echo "version: Linux $(uname -r), $(python3 --version)"
python3 - <<'PYTHON'
import errno, os, socket, sys

def outcome(function, *arguments):
    try:
        function(*arguments)
        return "succeeds"
    except OSError as error:
        return errno.errorcode[error.errno]

def expect(text, got, wanted):
    if got != wanted:
        sys.exit(f"CHANGED: {text}: {got}, not {wanted}")
    print(f"as recorded: {text}: {got}")

def again(address, port, family=socket.AF_INET):
    """The outcome of another bind of a socket that has a port of loopback."""
    with socket.socket(family) as bound:
        bound.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        return outcome(bound.bind, (address, port))

with socket.create_server(("127.0.0.1", 0)) as server:
    held = server.getsockname()[1]
    expect("a second bind, to a port that is held", again("0.0.0.0", held), "EINVAL")
free = held
expect("a second bind, to a port that is free", again("0.0.0.0", free), "EINVAL")
expect("a second bind, to an IPv4 address of elsewhere", again("192.0.2.7", free), "EADDRNOTAVAIL")
if os.path.exists("/proc/net/if_inet6"):
    expect("a second bind, to an IPv6 address of elsewhere", again("2001:db8::7", free, socket.AF_INET6), "EINVAL")

limit = int(open("/proc/sys/net/ipv4/ip_unprivileged_port_start").read())
if limit < 2:
    print("skipped: no port needs a privilege here")
else:
    child = os.fork()
    if child == 0:
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        expect(f"without the privilege, a second bind to port {limit - 1}", again("0.0.0.0", limit - 1), "EACCES")
        sys.stdout.flush()
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        sys.exit(1)

# A test that binds, and servers that start meanwhile.
with socket.socket() as test:
    test.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    test.bind(("127.0.0.1", free))
    for reuse, wanted in ((1, "succeeds"), (0, "EADDRINUSE")):
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
            got = outcome(lambda: (server.bind(("127.0.0.1", free)), server.listen()))
            expect(f"during a test bind, a server with SO_REUSEADDR {reuse}", got, wanted)
PYTHON
