#!/usr/bin/env python3
"""Stages sockets of many kinds, runs allears on each in three modes, and compares its answers with what was staged.

walk   root, --holders walk        bpf    root, --holders bpf        user   uid 1000 (dev), no options
Commands without --holders (why, free, wait) run once as root, in the column walk. "-" means not run.

To add a situation, add a line to SITUATIONS: name, stage, target, right answer. Checks read JSON fields and exit codes,
never wording. Every command and its output goes to standard error, results to standard output.
"""
import ctypes
import json
import mmap
import os
import platform
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

ALLEARS, FIXTURE, DEV = "/payload/allears", "/payload/examples/fixture", 1000
MODES = {"walk": (0, ["--holders", "walk"]), "bpf": (0, ["--holders", "bpf"]), "user": (DEV, [])}
KERNEL = tuple(int(number) for number in re.findall(r"\d+", platform.release())[:2])
LIBC = ctypes.CDLL(None, use_errno=True)
STREAM, DATAGRAM, SEQPACKET = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET
SCTP, MPTCP, DCCP = 132, 262, 33
NEWNS, NEWNET = 0x20000, 0x40000000
REUSEPORT = (socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
TO_LOOPBACK = (socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")
PLAIN_LISTENERS = ["tcp=127.0.0.1:2090", "tcp=[::1]:2091", "udp=0.0.0.0:2092"]


def locked():
    """Whether the kernel is locked down so far that no BPF program reads its memory."""
    try:
        return "[confidentiality]" in open("/sys/kernel/security/lockdown").read()
    except OSError:
        return False


LOCKED = locked()


class NotStaged(Exception):
    """This kernel or this guest lacks something that the situation needs."""


# ---- Stages: context managers that yield the pids which hold the socket ---------------------------------------------

def tcp(address, port, dual=None, options=(), listens=True, protocol=0, kind=STREAM):
    """Returns a function that opens a TCP socket; `server` calls it in the server's process."""
    def open_it():
        opened = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind, protocol)
        if dual is not None:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual)
        for option in options:
            opened.setsockopt(*option)
        opened.bind((address, port))
        if listens:
            opened.listen(5)
        return opened
    return open_it


def udp(address, port, **more):
    return tcp(address, port, listens=False, kind=DATAGRAM, **more)


def unix(name):
    def open_it():
        opened = socket.socket(socket.AF_UNIX)
        if name.startswith("/") and os.path.exists(name):
            os.unlink(name)
        opened.bind(name.replace("@", "\0"))
        opened.listen(3)
        return opened
    return open_it


def dccp(address, port):
    service = (269, 2, (42).to_bytes(4, "big"))
    return tcp(address, port, options=[service], protocol=DCCP, kind=6)


def connected_udp():
    client = udp("127.0.0.1", 2021)()
    client.connect(("127.0.0.1", 2005))
    return client


@contextmanager
def server(open_it, uid=0, prepare=lambda: None):
    """A process that opens a socket and keeps what `open_it` returns."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
            prepare()
            if uid:
                os.setgroups([])
                os.setgid(uid)
                os.setuid(uid)
                LIBC.prctl(4, 1)  # PR_SET_DUMPABLE: setuid cleared it, and the user could not read /proc/PID/fd
            kept = open_it()
            os.write(tell, b"+")
        except BaseException as error:
            os.write(tell, repr(error).encode())
            os._exit(1)
        while kept is not None:
            signal.pause()
    os.close(tell)
    reply = os.read(ready, 4000).decode()
    os.close(ready)
    try:
        if reply != "+":
            raise NotStaged(reply)
        yield [pid]
    finally:
        kill(pid)


def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def in_hidden_network(how, port):
    """Returns a function that listens in a network namespace which is not that of a process's first thread."""
    def listener():
        check(LIBC.unshare(NEWNET))
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return tcp("0.0.0.0", port)()

    def open_it():
        if how == "thread":
            opened, ready = [], threading.Event()

            def serve():
                opened.append(listener())
                ready.set()
                threading.Event().wait()
            threading.Thread(target=serve, daemon=True).start()
            if not ready.wait(20):
                raise NotStaged("the thread did not listen")
            return opened
        before = os.open("/proc/self/ns/net", os.O_RDONLY)
        kept = [listener()]
        if how == "descriptor":
            kept.append(os.open("/proc/self/ns/net", os.O_RDONLY))
        if how == "mount":
            place = f"/tmp/namespace-{os.getpid()}"
            open(place, "w").close()
            check(LIBC.unshare(NEWNS))
            check(LIBC.mount(None, b"/", None, 0x44000, None))  # private, recursively
            check(LIBC.mount(b"/proc/self/ns/net", place.encode(), None, 4096, None))
        check(LIBC.setns(before, NEWNET))
        os.close(before)
        return kept
    return open_it


def without_descriptor(how, port):
    """Returns a function that leaves a listener in no descriptor table: a system call, a ring or a mapping keeps it."""
    def open_it():
        opened = (udp if how == "recv" else tcp)("127.0.0.1", port)()
        fd = opened.detach()
        kept = []
        waits = {"accept": lambda: LIBC.accept(fd, None, None),
                 "recv": lambda: LIBC.recv(fd, ctypes.create_string_buffer(9), 9, 0),
                 "poll": lambda: LIBC.poll(struct.pack("ihh", fd, 1, 0), 1, -1)}
        if how in waits:
            threading.Thread(target=waits[how], daemon=True).start()
        elif how == "io_uring":
            kept.append(accept_in_a_ring(fd))
        else:
            LIBC.mmap.restype = ctypes.c_void_p
            if LIBC.mmap(None, mmap.PAGESIZE, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0) == ctypes.c_void_p(-1).value:
                raise NotStaged("a socket of TCP cannot be mapped")
        time.sleep(1)
        os.close(fd)
        return kept
    return open_it


def accept_in_a_ring(fd):
    parameters = ctypes.create_string_buffer(120)
    ring = check(LIBC.syscall(425, 4, parameters))
    tail, array = struct.unpack_from("I", parameters, 44)[0], struct.unpack_from("I", parameters, 64)[0]
    queue, entries = mmap.mmap(ring, array + 16, offset=0), mmap.mmap(ring, 256, offset=0x10000000)
    entries[:8] = struct.pack("BBHi", 13, 0, 0, fd)  # IORING_OP_ACCEPT
    struct.pack_into("I", queue, tail, 1)
    check(LIBC.syscall(426, ring, 1, 0, 0, None, 0))
    return ring, queue, entries


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


def with_many_files(open_it):
    return lambda: [open_it(), *(open("/dev/null") for _ in range(1200))]


def more_files():
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))


def another_network():
    check(LIBC.unshare(NEWNET))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


@contextmanager
def program(command, uid=0, holder=lambda pid: pid):
    """A program that prints a line when it is ready and then keeps running."""
    with subprocess.Popen(command, user=uid, group=uid, extra_groups=[], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as running:
        try:
            if not running.stdout.readline():
                raise NotStaged(running.stderr.read().decode()[-200:].strip())
            yield [holder(running.pid)]
        finally:
            running.kill()


def fixture(*steps, uid=0):
    """The project's test fixture: `tcp=ADDRESS:PORT`, then what happens to the socket."""
    return program([FIXTURE, *steps], uid) if os.path.exists(FIXTURE) else unavailable("run without FIXTURE")


@contextmanager
def unavailable(what):
    raise NotStaged(what)
    yield


def python_server(port):
    code = f"import socket, time; s = socket.socket(); s.bind(('127.0.0.1', {port})); s.listen(); print(1, flush=True); time.sleep(9999)"
    return ["-S", "-c", code]


def long_name(port):
    copy = "/tmp/a-server-with-a-name-longer-than-fifteen"
    shutil.copy(os.path.realpath("/usr/bin/python3"), copy)
    return program([copy, *python_server(port)])


def another_pid_namespace(port):
    def child(pid):
        return int(open(f"/proc/{pid}/task/{pid}/children").read().split()[0])
    return program(["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "python3", *python_server(port)], holder=child)


@contextmanager
def kernel(command, undo):
    """A socket that the kernel opens for itself; no process holds it."""
    done = subprocess.run(["sh", "-ec", command], capture_output=True, text=True)
    try:
        if done.returncode:
            raise NotStaged(done.stderr.strip())
        yield []
    finally:
        subprocess.run(["sh", "-c", undo], stderr=subprocess.DEVNULL)


def wireguard(port, then="", undo="ip link del wg0"):
    return kernel("umask 077; wg genkey >/run/wg.key; ip link add wg0 type wireguard; "
                  f"wg set wg0 listen-port {port} private-key /run/wg.key; ip link set wg0 up; {then}", undo)


NFS_UP = """modprobe nfsd; mountpoint -q /proc/fs/nfsd || mount -t nfsd nfsd /proc/fs/nfsd; mkdir -p /srv /mnt /run/rpcbind /var/lib/nfs/rpc_pipefs /var/lib/nfs/v4recovery /var/lib/nfs/sm
grep -q ^_rpc /etc/passwd || { echo '_rpc:x:111:65534::/run/rpcbind:/usr/sbin/nologin' >>/etc/passwd; echo 'statd:x:112:65534::/var/lib/nfs:/usr/sbin/nologin' >>/etc/passwd; }
rpcbind -w >/dev/null 2>&1 </dev/null; sleep 1; mountpoint -q /srv || mount -t tmpfs t /srv; echo '/srv *(rw,no_root_squash,insecure,fsid=0)' >/etc/exports; exportfs -ra; rpc.nfsd 2; sleep .5"""
NFS_DOWN = "umount /mnt; rpc.nfsd 0; sleep 1; pkill rpcbind; sleep .3"
KSMBD_UP = """modprobe ksmbd; mkdir -p /etc/ksmbd /run/ksmbd; printf '[global]\n netbios name = g\n tcp port = 4450\n' >/etc/ksmbd/ksmbd.conf; touch /etc/ksmbd/ksmbdpwd.db
(ksmbd.mountd -n0 >/dev/null 2>&1 </dev/null &); sleep 3"""


def gtp_link(name):
    """An interface that has the kernel make its sockets; iproute2 can do that since 6.9."""
    return kernel(f"ip link add {name} type gtp role sgsn", f"ip link del {name}")


def nfs_port(program, protocol):
    """The port of a program of rpcbind's."""
    out = subprocess.run(["rpcinfo", "-p"], capture_output=True, text=True).stdout
    return next(words[3] for words in map(str.split, out.splitlines()) if words[0] == str(program) and words[2] == protocol)


@contextmanager
def zombie():
    """A process that has exited and was not reaped: it holds nothing."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    try:
        yield []
    finally:
        kill(pid)


@contextmanager
def time_wait(port):
    listener = tcp("127.0.0.1", port, options=[(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)])()
    with socket.create_connection(("127.0.0.1", port)) as client:
        listener.accept()[0].close()
        client.recv(1)
    listener.close()
    yield []


@contextmanager
def together(*stages):
    with ExitStack() as stack:
        yield [pid for stage in stages for pid in stack.enter_context(stage)]


@contextmanager
def module(name, stage):
    if subprocess.run(["modprobe", name], capture_output=True).returncode:
        raise NotStaged(f"no module {name}")
    with stage as pids:
        yield pids


# ---- Right answers: `problems(mode, pids)` returns what is wrong, or None if the mode does not apply ----------------

def allears(uid, *words, timeout=60):
    """Runs allears. Returns its exit code and its JSON document, or None if the output is no JSON."""
    begun = time.time()
    try:
        environment = {"PATH": os.environ["PATH"], "HOME": "/home/dev" if uid else "/root"}
        done = subprocess.run([ALLEARS, *words], user=uid, group=uid, extra_groups=[], cwd="/", env=environment, timeout=timeout,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        return "none", None
    took = f"{1000 * (time.time() - begun):.0f} ms"
    print(f"\n{'$' if uid else '#'} allears {' '.join(words)}   [{done.returncode}, {took}]\n{done.stdout}{done.stderr}",
          file=sys.stderr, flush=True)
    try:
        return done.returncode, json.loads(done.stdout)
    except ValueError:
        return done.returncode, None


def state(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(") ", 1)[1][0]
    except OSError:
        return "gone"


def pids_of(holders):
    return sorted({holder["pid"] for holder in holders})


@dataclass
class Listed:
    """The list has it. Root sees its holders; a user sees none, and `unseen` instead, unless the process is the user's `own`.

    `unseen`: no process has it open, and this is the reason that root gets.
    `certain_since`: on older kernels the holder may also be a candidate, with any reason but "kernel".
    `shown_since`: older kernels do not list such a socket; exit code 3 (could not tell) is right there, 1 (nothing) is not.
    """
    name: str
    stage: object
    target: str
    fields: dict = field(default_factory=dict)
    rows: int | None = 1
    own: bool = False
    unseen: str | None = None
    options: tuple = ()
    certain_since: tuple = (0,)
    shown_since: tuple = (0,)
    # Root gets the process as a candidate: it has the socket, and no descriptor of it.
    candidate: bool = False
    # A user may get "could not tell", exit code 3.
    hidden_from_user: bool = False

    def problems(self, mode, pids):
        uid, how = MODES[mode]
        code, document = allears(uid, "--json", *how, *self.options, self.target)
        if (KERNEL < self.shown_since or (self.hidden_from_user and mode == "user")) and code == 3:
            return []
        if document is None:
            return [f"exit code {code}, no document"]
        rows = document["listeners"]
        found = []
        if code != 0 or not rows or self.rows not in (None, len(rows)):
            found.append(f"exit code {code} for 0, {len(rows)} rows for {self.rows or 'some'}")
        for row in rows:
            found += [f"{key} is {row[key]!r} for {value!r}" for key, value in self.fields.items() if row[key] != value]
        return found + (self.wrong_holders(mode, pids, rows) if rows else [])

    def wrong_holders(self, mode, pids, rows):
        seen = pids_of(holder for row in rows for holder in row["holders"])
        reasons = {row["unseen"] and row["unseen"]["reason"] for row in rows}
        candidates = pids_of(one for row in rows if row["unseen"] for one in row["unseen"]["candidates"])
        brief = f"holders {seen}, unseen {sorted(map(str, reasons))}, candidates {candidates}; staged {pids}"
        # A process whose first thread has ended looks like a zombie too, and may well hold what its other threads opened.
        found = [f"candidate {pid} is a zombie" for pid in candidates if state(pid) == "Z" and pid not in pids]
        if self.unseen or (mode == "user" and not self.own):
            right = not seen and (None not in reasons if mode == "user" else reasons == {self.unseen})
            right = right and not (mode == "user" and reasons == {"kernel"} and self.unseen != "kernel")
        elif self.candidate:
            right = not seen and not {None, "kernel"} & reasons and set(pids) <= set(candidates)
        else:
            right = seen == sorted(pids) and reasons == {None}
            if KERNEL < self.certain_since:
                right = right or (not seen and "kernel" not in reasons and set(pids) <= set(candidates))
        return found if right else [*found, brief]


@dataclass
class Kernels:
    """The kernel has the socket for this part of it. `user`: what an ordinary user is told: the same, or that it may be so.

    `release` closes the socket, and is what `why` and the refusal of `free` print.
    """
    name: str
    stage: object
    target: str
    kind: str
    interface: str | None = None
    id: int | None = None
    user: str = "kernel"  # or "possible", "unseen", or "absent": not in sight
    release: str | None = None
    options: tuple = ()
    rows: int | None = None

    def problems(self, mode, pids):
        uid, how = MODES[mode]
        code, document = allears(uid, "--json", *how, *self.options, self.target)
        if document is None:
            return [f"exit code {code}, no document"]
        if mode == "user" and self.user == "absent":
            return [] if code == 3 else [f"exit code {code} for 3"]
        rows = [row for row in document["listeners"] if not row["holders"]]
        found = [] if rows and self.rows in (None, len(rows)) else [f"{len(rows)} rows for {self.rows or 'some'}"]
        for row in rows:
            unseen = row["unseen"] or {}
            kernel = [(one["kind"], one["interface"], one["id"]) for one in unseen.get("kernel", [])]
            right = (self.kind, self.interface, self.id)
            if mode != "user" or self.user == "kernel":
                ok = unseen.get("reason") == "kernel" and right in kernel
            elif self.user == "possible":
                ok = unseen.get("reason") not in (None, "kernel") and right in kernel
            else:
                ok = unseen.get("reason") not in (None, "kernel") and not kernel
            if not ok:
                found.append(f"{row['address']}: {unseen.get('reason')} {kernel} for {right} ({self.user})")
        if mode == "walk" and self.release and not self.options:
            for words in (("why", self.target), ("free", "--dry-run", self.target)):
                done = subprocess.run([ALLEARS, *words], capture_output=True, text=True)
                print("#", *words, done.returncode, done.stdout, done.stderr, file=sys.stderr, flush=True)
                if self.release not in done.stdout + done.stderr:
                    found.append(f"{words[0]} does not print {self.release!r}")
            subprocess.run(["sh", "-c", self.release], capture_output=True)
            time.sleep(.5)
            code, document = allears(0, "--json", "--all", self.target)
            left = [row for row in document["listeners"] if row["unseen"]] if document else ["?"]
            # Up to Linux 6.12 the socket of rxe stays until its module is unloaded.
            if left and not (self.kind == "rxe" and KERNEL < (7, 0)):
                found.append(f"{self.release!r} leaves {len(left)} rows")
        return found


@dataclass
class Absent:
    """The scan is complete, and nothing matches."""
    name: str
    stage: object
    target: str

    def problems(self, mode, pids):
        uid, how = MODES[mode]
        code, document = allears(uid, "--json", *how, self.target)
        if document is None:
            return [f"exit code {code}, no document"]
        right = code == 1 and document["complete"] and not document["listeners"]
        return [] if right else [f"exit code {code}, complete {document['complete']}, {len(document['listeners'])} rows"]


@dataclass
class Why:
    """`allears why` has one of these verdicts, and `can_bind` (None: either) agrees with the exit code."""
    name: str
    stage: object
    target: str
    verdicts: tuple
    can_bind: bool | None = False

    def problems(self, mode, pids):
        if mode == "bpf":
            return None
        code, document = allears(MODES[mode][0], "why", "--json", self.target)
        if document is None:
            return [f"exit code {code}, no document"]
        verdict, can_bind = document["verdict"], document["can_bind"]
        right = verdict in self.verdicts and self.can_bind in (None, can_bind) and code == (0 if can_bind else 1)
        return [] if right else [f"{verdict}, can_bind {can_bind}, exit code {code}; right: {' or '.join(self.verdicts)}, {self.can_bind}"]


@dataclass
class Free:
    """`allears free --yes` ends the holders. A user is refused, unless the process is the user's `own`.

    `shown_since`: older kernels do not list such a socket; exit code 1 (still held) is right there.
    """
    name: str
    stage: object
    target: str
    own: bool = False
    shown_since: tuple = (0,)

    def problems(self, mode, pids):
        if mode == "bpf":
            return None
        allowed = mode == "walk" or self.own
        code, _ = allears(MODES[mode][0], "free", "--yes", "--json", "--timeout", "2s", self.target)
        alive = [pid for pid in pids if state(pid) not in ("gone", "Z")]
        right = (code == 0 and not alive) if allowed else (code == 3 and alive == pids)
        right = right or (KERNEL < self.shown_since and code in (1, 3) and alive == pids)
        return [] if right else [f"exit code {code}, alive {alive} of {pids}"]


@dataclass
class Refused:
    """`allears free --yes` refuses, even for root: there is no process to end."""
    name: str
    stage: object
    target: str

    def problems(self, mode, pids):
        if mode == "bpf":
            return None
        code, _ = allears(MODES[mode][0], "free", "--yes", "--json", "--timeout", "1s", self.target)
        return [] if code == 3 else [f"exit code {code} for 3"]


@dataclass
class Wait:
    """`allears wait` times out while nothing listens, and ends when something does."""
    name: str
    stage: object
    target: str
    later: object

    def problems(self, mode, pids):
        if mode == "bpf":
            return None
        uid = MODES[mode][0]
        code, _ = allears(uid, "wait", "--timeout", "300ms", self.target)
        if code != 1:
            return [f"exit code {code} for 1 while nothing listens"]
        waiting = subprocess.Popen([ALLEARS, "wait", "--timeout", "20s", self.target], user=uid, group=uid, extra_groups=[],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with self.later():
            code = waiting.wait()
        return [] if code == 0 else [f"exit code {code} for 0"]


@dataclass
class SameAsSs:
    """`ss -tulnH` and allears list the same sockets."""
    name: str
    stage: object

    def problems(self, mode, pids):
        uid, how = MODES[mode]
        code, document = allears(uid, "--json", *how)
        if document is None:
            return [f"exit code {code}, no document"]
        theirs = set()
        for line in subprocess.run(["ss", "-tulnH"], capture_output=True, text=True, check=True).stdout.splitlines():
            protocol, _, _, _, local = line.split()[:5]
            address, _, port = local.rpartition(":")
            theirs.add((protocol, address.partition("%")[0].strip("[]").replace("*", "::"), int(port)))
        rows = [row for row in document["listeners"] if row["protocol"] in ("tcp", "udp")]
        ours = {(row["protocol"], row["address"].partition("%")[0], row["port"]) for row in rows}
        found = [f"only ss: {sorted(theirs - ours)}"] if theirs - ours else []
        return found + ([f"only allears: {sorted(ours - theirs)}"] if ours - theirs else [])


@dataclass
class Lockdown:
    """BPF is refused, with a message that names lockdown; without options the walk finds the holder."""
    name: str
    stage: object
    target: str

    def problems(self, mode, pids):
        if mode == "user":
            return None
        how = ["--holders", "bpf"] if mode == "bpf" else ["--verbose"]
        done = subprocess.run([ALLEARS, *how, "--json", self.target], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        wanted = 3 if mode == "bpf" else 0
        found = [] if done.returncode == wanted else [f"exit code {done.returncode} for {wanted}"]
        return found + ([] if "lockdown" in done.stderr else [f"lockdown is not named: {done.stderr.strip()[:200]}"])


# ---- The table ------------------------------------------------------------------------------------------------------
# Stages are lambdas because each mode stages its own.

def plain(diag):
    """Situations that run with the kernel's diag modules and without them."""
    def known(dual):
        return {"dual_stack": dual} if diag else {}  # /proc/net does not have it

    v6only = lambda: server(tcp("::", 2004, dual=False))
    return [
        Listed("TCP, IPv4", lambda: server(tcp("127.0.0.1", 2001)), "tcp/2001", {"dual_stack": False, "state": "listen"}),
        Listed("TCP, IPv6", lambda: server(tcp("::1", 2002)), "tcp/2002", {"dual_stack": False}),
        Listed("TCP, both families", lambda: server(tcp("::", 2003, dual=True)), "tcp/2003", known(True)),
        Listed("TCP, IPv6 alone", v6only, "tcp/2004", known(False)),
        Listed("TCP, own", lambda: server(tcp("127.0.0.1", 2018), uid=DEV), "tcp/2018", own=True),
        Listed("TCP, SO_REUSEPORT, two processes",
               lambda: together(*(server(tcp("127.0.0.1", 2007, options=[REUSEPORT])) for _ in range(2))), "tcp/2007", rows=2),
        Listed("UDP, IPv4", lambda: server(udp("0.0.0.0", 2005)), "udp/2005"),
        Listed("UDP, IPv6", lambda: server(udp("::1", 2006)), "udp/2006"),
        Listed("Unix, path", lambda: server(unix("/run/matrix.sock")), "/run/matrix.sock"),
        Listed("Unix, abstract", lambda: server(unix("@matrix")), "@matrix"),
        Listed("bound, never listened: --all", lambda: server(tcp("127.0.0.1", 2008, listens=False)), "tcp/2008", {"state": "bound"},
               options=("--all",), shown_since=(6, 8) if diag else (99,)),
        Why("bound, never listened: why", lambda: server(tcp("127.0.0.1", 2008, listens=False)), "127.0.0.1:2008", ("bound", "unknown")),
        Why("TCP, IPv6 alone: why for IPv4", v6only, "0.0.0.0:2004", ("free",), can_bind=True),
        Why("nothing: why", lambda: together(), "2050", ("free",), can_bind=True),
    ]


SITUATIONS = [
    *plain(diag=True),
    Why("TCP: why", lambda: server(tcp("127.0.0.1", 2001)), "2001", ("listening",)),
    Why("TCP, both families: why", lambda: server(tcp("::", 2003, dual=True)), "2003", ("listening",)),
    Why("UDP: why", lambda: server(udp("0.0.0.0", 2005)), "udp/2005", ("listening",)),
    Why("TIME_WAIT: why", lambda: time_wait(2009), "127.0.0.1:2009", ("time-wait",), can_bind=None),
    Absent("nothing", lambda: together(), "2050"),
    Absent("UDP, connected", lambda: server(connected_udp), "udp/2021"),
    Listed("name longer than 15", lambda: long_name(2010), "tcp/2010"),
    Listed("bound to a device", lambda: server(tcp("0.0.0.0", 2019, options=[TO_LOOPBACK])), "tcp/2019", {"interface": "lo"}),
    Listed("another pid namespace", lambda: another_pid_namespace(2020), "tcp/2020"),
    Absent("another network namespace", lambda: server(tcp("127.0.0.1", 2011), prepare=another_network), "tcp/2011"),
    Listed("another network namespace: all", lambda: server(tcp("127.0.0.1", 2011), prepare=another_network), "tcp/2011",
           options=("--all-namespaces",)),
    *(Listed(f"another network namespace: kept by a {how}", lambda how=how: server(in_hidden_network(how, 2041)), "tcp/2041",
             options=("--all-namespaces",), hidden_from_user=True) for how in ("thread", "mount", "descriptor", "socket")),
    Listed("another network namespace: kept by a message",
           lambda: fixture("namespace=net", "tcp=127.0.0.1:2027", "network-message", "leave-network"), "tcp/2027",
           unseen="in-flight", options=("--all-namespaces",), shown_since=(6, 19), hidden_from_user=True),
    *(Listed(f"no descriptor: {how}", lambda how=how: server(without_descriptor(how, 2042)), "2042", candidate=True)
      for how in ("accept", "recv", "poll", "io_uring", "mapping")),
    Listed("a zombie of the same user", lambda: together(zombie(), server(tcp("127.0.0.1", 2015))), "tcp/2015"),
    Listed("thread with its own descriptors", lambda: fixture("own-table=127.0.0.1:2012"), "tcp/2012"),
    Listed("thread with its own descriptors, own", lambda: fixture("own-table=127.0.0.1:2024", uid=DEV), "tcp/2024", own=True),
    Listed("io_uring fixed file", lambda: fixture("tcp=127.0.0.1:2013", "ring"), "tcp/2013", certain_since=(6, 18)),
    Listed("io_uring fixed file, own", lambda: fixture("tcp=127.0.0.1:2023", "ring", uid=DEV), "tcp/2023", own=True,
           certain_since=(6, 18)),
    Listed("in a message not yet received", lambda: fixture("tcp=127.0.0.1:2014", "in-flight"), "tcp/2014", unseen="in-flight"),
    Listed("MPTCP", lambda: server(tcp("127.0.0.1", 2016, protocol=MPTCP)), "tcp/2016"),
    Listed("MPTCP, IPv6, own", lambda: server(tcp("::1", 2026, protocol=MPTCP), uid=DEV), "tcp/2026", own=True),
    Why("MPTCP: why", lambda: server(tcp("127.0.0.1", 2016, protocol=MPTCP)), "127.0.0.1:2016", ("listening",)),
    Listed("SCTP", lambda: server(tcp("127.0.0.1", 2017, protocol=SCTP)), "2017", {"protocol": "sctp"}),
    Listed("SCTP, IPv6, own", lambda: server(tcp("::", 2027, protocol=SCTP), uid=DEV), "2027", {"protocol": "sctp"}, own=True),
    Listed("SCTP, one to many", lambda: server(tcp("0.0.0.0", 2028, protocol=SCTP, kind=SEQPACKET)), "2028", {"protocol": "sctp"}),
    Listed("DCCP", lambda: module("dccp_ipv4", server(dccp("127.0.0.1", 2029))), "2029", {"protocol": "dccp"}),
    Listed("vxlan", lambda: kernel("ip link add vx0 type vxlan id 42 dstport 4789; ip link set vx0 up", "ip link del vx0"),
           "udp/4789", rows=None, unseen="kernel"),
    Listed("geneve", lambda: kernel("ip link add gn0 type geneve id 7 remote 127.0.0.1; ip link set gn0 up", "ip link del gn0"),
           "udp/6081", rows=None, unseen="kernel"),
    Listed("fou", lambda: module("fou", kernel("ip fou add port 5555 ipproto 4", "ip fou del port 5555")), "udp/5555", unseen="kernel"),
    Listed("WireGuard", lambda: wireguard(51820), "udp/51820", rows=2, unseen="kernel"),
    Listed("WireGuard, link in another namespace",
           lambda: wireguard(51821, "ip netns add vpn; ip link set wg0 netns vpn; ip -n vpn link set wg0 up", "ip netns del vpn"),
           "udp/51821", rows=None, unseen="kernel"),
    Listed("WireGuard, a message waits elsewhere", lambda: together(wireguard(51822), fixture("tcp=127.0.0.1:2025", "in-flight")),
           "udp/51822", rows=2, unseen="kernel"),
    Refused("WireGuard: free", lambda: wireguard(51823), "udp/51823"),
    # With a thousand files open BPF is worth it, so that it is tried and refused.
    Lockdown("lockdown", lambda: server(with_many_files(tcp("127.0.0.1", 2040)), prepare=more_files), "tcp/2040"),
    SameAsSs("rows as ss has", lambda: fixture(*PLAIN_LISTENERS)),
    Free("TCP: free", lambda: server(tcp("127.0.0.1", 2031)), "2031"),
    Free("TCP, own: free", lambda: server(tcp("127.0.0.1", 2032), uid=DEV), "2032", own=True),
    Free("TCP, both families: free", lambda: server(tcp("::", 2033, dual=True)), "2033"),
    Free("TCP, SO_REUSEPORT: free", lambda: together(*(server(tcp("127.0.0.1", 2034, options=[REUSEPORT])) for _ in range(2))), "2034"),
    Free("UDP: free", lambda: server(udp("0.0.0.0", 2035)), "udp/2035"),
    Free("bound, never listened: free", lambda: server(tcp("127.0.0.1", 2037, listens=False)), "2037", shown_since=(6, 8)),
    Wait("wait", lambda: together(), "2036", lambda: server(tcp("127.0.0.1", 2036))),
    Kernels("kernel: vxlan", lambda: kernel("ip link add vx0 type vxlan id 42 dstport 4789; ip link set vx0 up", "ip link del vx0"),
            "udp/4789", "vxlan", "vx0", release="ip link set vx0 down", rows=1),
    Kernels("kernel: vxlan, IPv6", lambda: kernel("ip link add vx6 type vxlan id 42 dstport 4790 remote ::1; ip link set vx6 up", "ip link del vx6"),
            "udp/4790", "vxlan", "vx6", release="ip link del vx6", rows=1),
    Kernels("kernel: vxlan external", lambda: kernel("ip link add vxe type vxlan external dstport 4791; ip link set vxe up", "ip link del vxe"),
            "udp/4791", "vxlan", "vxe", release="ip link set vxe down", rows=2),
    Kernels("kernel: geneve", lambda: kernel("ip link add gn0 type geneve id 7 remote 127.0.0.1; ip link set gn0 up", "ip link del gn0"),
            "udp/6081", "geneve", "gn0", release="ip link set gn0 down", rows=None),
    Kernels("kernel: bareudp", lambda: kernel("ip link add bu0 type bareudp dstport 6635 ethertype mpls_uc; ip link set bu0 up", "ip link del bu0"),
            "udp/6635", "bareudp", "bu0", release="ip link set bu0 down"),
    Kernels("kernel: gtp", lambda: gtp_link("gtp0"), "udp/2152", "gtp", "gtp0", user="possible", release="ip link del gtp0"),
    Kernels("kernel: WireGuard", lambda: wireguard(51820), "udp/51820", "wireguard", "wg0", user="possible", release="ip link set wg0 down", rows=2),
    Kernels("kernel: fou", lambda: module("fou", kernel("ip fou add port 5555 ipproto 4", "ip fou del port 5555")), "udp/5555", "fou",
            release="ip fou del port 5555"),
    Kernels("kernel: gue, one address", lambda: module("fou", kernel("ip fou add port 5558 gue local 127.0.0.1", "ip fou del port 5558 local 127.0.0.1")),
            "udp/5558", "gue", release="ip fou del port 5558 local 127.0.0.1"),
    Kernels("kernel: fou, IPv6", lambda: module("fou6", kernel("ip fou add port 5557 ipproto 41 -6", "ip fou del port 5557 -6")),
            "udp/5557", "fou", release="ip fou del port 5557 -6"),
    Kernels("kernel: L2TP", lambda: module("l2tp_eth", module("l2tp_netlink", kernel(
            "ip l2tp add tunnel tunnel_id 3000 peer_tunnel_id 4000 encap udp local 127.0.0.1 remote 127.0.0.1 udp_sport 5000 udp_dport 6000",
            "ip l2tp del tunnel tunnel_id 3000"))), "udp/5000", "l2tp", id=3000, user="unseen", options=("--all",)),
    Kernels("kernel: rxe", lambda: module("rdma_rxe", kernel(
            "ip link add dm0 type dummy; ip addr add 10.1.2.3/24 dev dm0; ip link set dm0 up; rdma link add rxe0 type rxe netdev dm0",
            "rdma link del rxe0; ip link del dm0; modprobe -r rdma_rxe")), "udp/4791", "rxe", "rxe0", release="rdma link del rxe0"),
    Kernels("kernel: SCTP over UDP", lambda: module("sctp", kernel("sysctl -w net.sctp.udp_port=9899", "sysctl -w net.sctp.udp_port=0")),
            "udp/9899", "sctp", release="sysctl -w net.sctp.udp_port=0", rows=2),
    Kernels("kernel: MPTCP endpoint", lambda: kernel("ip mptcp endpoint add 127.0.0.1 dev lo signal port 7777", "ip mptcp endpoint flush"),
            "tcp/7777", "mptcp", id=1, release="ip mptcp endpoint delete id 1"),
    Kernels("kernel: RxRPC of kafs", lambda: module("kafs", kernel("true", "modprobe -r kafs")), "udp/7001", "rxrpc", release="modprobe -r kafs"),
    Kernels("kernel: ksmbd", lambda: kernel(KSMBD_UP, "ksmbd.control -s; sleep 1"), "tcp/4450", "ksmbd", "lo", release="ksmbd.control --shutdown"),
    Kernels("kernel: nfsd", lambda: kernel(NFS_UP, NFS_DOWN), "tcp/2049", "nfsd", release="rpc.nfsd 0", rows=2),
    Kernels("kernel: lockd, port chosen", lambda: module("lockd", kernel("sysctl -w fs.nfs.nlm_tcpport=4045 fs.nfs.nlm_udpport=4045; " + NFS_UP, NFS_DOWN)),
            "tcp/4045", "lockd", release="rpc.nfsd 0"),
    Kernels("kernel: lockd, by rpcbind", lambda: module("lockd", kernel("sysctl -w fs.nfs.nlm_tcpport=0 fs.nfs.nlm_udpport=0; " + NFS_UP, NFS_DOWN)),
            lambda: "udp/" + nfs_port(100021, "udp"), "lockd"),
    Kernels("kernel: NFS callback, port chosen", lambda: module("nfsv4", kernel(
            "echo 4046 >/sys/module/nfs/parameters/callback_tcpport; " + NFS_UP + "; mount -t nfs -o vers=4.0 127.0.0.1:/ /mnt", NFS_DOWN)),
            "tcp/4046", "nfs-callback"),
    Kernels("kernel: vxlan, link in another namespace", lambda: kernel(
            "ip link add vx0 type vxlan id 42 dstport 4793; ip netns add vpn; ip link set vx0 netns vpn; ip -n vpn link set vx0 up", "ip netns del vpn"),
            "udp/4793", "vxlan", "vx0", user="unseen"),
    Kernels("kernel: WireGuard, link in another namespace", lambda: wireguard(51821,
            "ip netns add vpn; ip link set wg0 netns vpn; ip -n vpn link set wg0 up", "ip netns del vpn"),
            "udp/51821", "wireguard", "wg0", user="unseen"),
    Kernels("kernel: vxlan in another namespace", lambda: kernel(
            "ip netns add vpn; ip -n vpn link add vx0 type vxlan id 42 dstport 4794; ip -n vpn link set vx0 up", "ip netns del vpn"),
            "udp/4794", "vxlan", "vx0", user="absent", options=("--all-namespaces",)),
]


def at_its_target(situation):
    """A target that is known only when the situation is staged is a function."""
    target = getattr(situation, "target", None)
    return replace(situation, target=target()) if callable(target) else situation


# ---- The run --------------------------------------------------------------------------------------------------------

class Table:
    def __init__(self, only):
        self.only, self.ok, self.bad = only, 0, 0

    def title(self, text):
        print(f"\n{text:<52}{''.join(f'{mode:<6}' for mode in MODES)}", flush=True)

    def row(self, situation):
        if self.only not in situation.name:
            return
        only_locked = isinstance(situation, Lockdown)
        if only_locked and not LOCKED:
            return
        print(f"\n==== {situation.name}", file=sys.stderr, flush=True)
        cells, remarks = [], {}
        for mode in MODES:
            if mode == "bpf" and LOCKED and not only_locked:
                cells.append("-")
                continue
            try:
                with situation.stage() as pids:
                    found = at_its_target(situation).problems(mode, pids)
            except (NotStaged, OSError) as error:
                cells, remarks = ["-"] * len(MODES), {str(error): ["not staged"]}
                break
            except (LookupError, TypeError, ValueError, subprocess.SubprocessError) as error:
                found = [f"{type(error).__name__}: {error}"]
            cells.append("-" if found is None else "BAD" if found else "ok")
            for problem in found or ():
                remarks.setdefault(problem, []).append(mode)
        self.ok += cells.count("ok")
        self.bad += cells.count("BAD")
        print(f"{situation.name:<52}{''.join(f'{cell:<6}' for cell in cells)}", flush=True)
        for problem, modes in remarks.items():
            print(f"    {', '.join(modes)}: {problem}"[:400], flush=True)


def modules():
    return {line.split()[0] for line in open("/proc/modules")}


def main():
    table = Table(sys.argv[1] if len(sys.argv) > 1 else "")
    print(f"Linux {platform.release()}, BTF: {os.path.exists('/sys/kernel/btf/vmlinux')}", flush=True)
    loader = open("/proc/sys/kernel/modprobe").read()
    with open("/proc/sys/kernel/modprobe", "w") as out:
        out.write("/bin/false")
    if not [name for name in modules() if name.endswith("_diag")]:
        table.title("without tcp_diag, udp_diag, unix_diag")
        for situation in plain(diag=False):
            table.row(situation)
    with open("/proc/sys/kernel/modprobe", "w") as out:
        out.write(loader)
    table.title("with them")
    for situation in SITUATIONS:
        table.row(situation)
    print(f"\nsituations: {table.ok} ok, {table.bad} bad", flush=True)


main()
