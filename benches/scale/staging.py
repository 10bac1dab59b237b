"""Processes that hold descriptors, listeners and connections until the stage is left. Linux; standard library only.

A process may open at most 20,000 files on some machines, whoever runs it: everything is spread over processes. They read
a pipe whose other end only the stage has, and therefore end when the stage ends, however it ends."""
import ctypes
import fcntl
import json
import os
import resource
import signal
import socket
import struct
import sys
import time
import traceback

IP_BIND_ADDRESS_NO_PORT = 24
CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x20000000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


def check(name, result):
    if result:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def unshare(flags):
    check("unshare", LIBC.unshare(flags))


def mount(source, target, kind, flags=0):
    check(f"mount {target}", LIBC.mount(source.encode(), target.encode(), kind.encode(), flags, None))


def set_loopback_up():
    """Sets the loopback interface of a new network namespace up, without which nothing can bind 127.0.0.1."""
    SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = struct.pack("16sH14x", b"lo", 0)
        name, flags = struct.unpack("16sH14x", fcntl.ioctl(s, SIOCGIFFLAGS, request))
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sH14x", name, flags | IFF_UP))


def enter_network_namespace():
    """Moves this process to a network namespace of its own, in which nothing listens yet."""
    unshare(CLONE_NEWNET)
    set_loopback_up()


def in_own_network(function, *arguments):
    """Does what `in_child` does, with a network namespace of its own, in which nothing listens."""
    return in_child(lambda: (enter_network_namespace(), function(*arguments))[1])


def in_child(function, *arguments):
    """Calls `function` in a child, and returns what that returns as JSON."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            check("prctl", LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
            os.close(read)
            with os.fdopen(write, "w") as out:
                json.dump(function(*arguments), out)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    os.close(write)
    with os.fdopen(read) as answer:
        text = answer.read()
    if os.waitpid(child, 0)[1]:
        sys.exit("the measurement failed")
    return json.loads(text)


def in_own_machine(function, *arguments):
    """Calls `function` as `in_own_network` does, with process and mount namespaces of its own too, and an empty /run:
    programs started there see no process, socket or service of the machine. allears does not use BPF there."""

    def outer():
        unshare(CLONE_NEWNS | CLONE_NEWPID)
        mount("none", "/", "", MS_REC | MS_PRIVATE)
        mount("tmpfs", "/run", "tmpfs")

        def inner():
            mount("proc", "/proc", "proc")
            return function(*arguments)

        # The first child after unshare(2) is the first process of the namespace.
        return in_own_network(inner)

    return in_own_network(outer)


class Stage:
    """Holds what its methods open, until the `with` block is left."""

    def __enter__(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.limit = hard
        self.children = []
        # Close-on-exec, as Python makes them: no measured command inherits them.
        self.end, self.keep = os.pipe()
        self.ready, self.report = os.pipe()
        return self

    def __exit__(self, *_):
        os.close(self.keep)
        for pid in self.children:
            os.waitpid(pid, 0)
        for descriptor in (self.end, self.ready, self.report):
            os.close(descriptor)

    def hold(self, open_all):
        """Starts a process that calls `open_all`, and keeps open what that returns."""
        pid = os.fork()
        if pid:
            self.children.append(pid)
            return
        try:
            # Ctrl-C ends the stage, and its end ends this process.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            os.close(self.keep)
            os.close(self.ready)
            kept = open_all()
            os.write(self.report, b"x")
            os.close(self.report)
            os.read(self.end, 1)
            del kept
        except BaseException as error:
            os.write(2, f"a process of the stage failed: {error!r}\n".encode())
            os.write(self.report, b"!")
        finally:
            os._exit(0)

    def wait(self):
        """Returns when all processes hold what they have to."""
        for _ in self.children:
            if os.read(self.ready, 1) != b"x":
                sys.exit("the stage could not be set up")
        # What the kernel frees or accounts for with a delay.
        time.sleep(0.3)


def listen(port, address="127.0.0.1"):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    s.listen(16)
    return s


def shares(total, count):
    """Splits `total` into `count` parts that differ by one at most."""
    return [total // count + (k < total % count) for k in range(count)]


def files(count):
    """Opens `count` descriptors: a quarter are Unix sockets, the others duplicates of /dev/null."""
    null = os.open("/dev/null", os.O_RDONLY)
    opened = [null]
    for k in range(1, count):
        opened.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if k % 4 == 0 else os.dup(null))
    return opened


def hold_processes(stage, processes, descriptors, ports):
    """`processes` processes that share `descriptors` descriptors and a listener on each of `ports`."""
    for k, count in enumerate(shares(descriptors, processes)):
        mine = ports[k::processes]
        stage.hold(lambda: [files(count), [listen(port) for port in mine]])


def connections(count, source, port):
    """Makes `count` connections from the address `source` to a listener on `port`, and keeps both ends."""
    server = listen(port)
    kept = [server]
    for _ in range(count):
        client = socket.socket()
        client.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        client.bind((source, 0))
        client.connect(("127.0.0.1", port))
        kept += [client, server.accept()[0]]
    return kept


def hold_connections(stage, total, most=8000):
    """`total` connections within processes that have at most `most` each."""
    processes = max(1, -(-total // most))
    for k, count in enumerate(shares(total, processes)):
        stage.hold(lambda: connections(count, f"127.0.0.{k + 2}", 1025 + k))


def hold_namespace(stage, listeners):
    """A process in a network namespace of its own with `listeners` listeners."""

    def open_all():
        enter_network_namespace()
        return [listen(1025 + k) for k in range(listeners)]

    stage.hold(open_all)
