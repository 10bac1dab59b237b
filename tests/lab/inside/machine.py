"""The lab as the driver sees it: commands as root and as the user, processes, and whether a port is free."""
import os
import re
import shlex
import socket
import subprocess
import threading
import time
from dataclasses import dataclass

# The driver is a service of the lab, but what it starts shall not take itself for one.
for name in ("INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID"):
    os.environ.pop(name, None)

USER, UID, OUTSIDE = "dev", 1000, "10.77.0.2"
SSH = ["ssh", "-q", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]


LOGINS = []


@dataclass
class Result:
    status: int
    out: str
    err: str

    @property
    def text(self):
        return self.out + self.err


def words(command):
    return ["sh", "-c", command] if isinstance(command, str) else [str(word) for word in command]


def as_user(command):
    """A login of the user, with a session of logind and all that comes with it."""
    return [*SSH, f"{USER}@127.0.0.1", shlex.join(words(command))]


def run(command, user=False, check=True, timeout=90):
    command = as_user(command) if user else words(command)
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return Result(124, "", f"no end within {timeout} s: {command}")
    if check and done.returncode:
        raise RuntimeError(f"{shlex.join(command)}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return Result(done.returncode, done.stdout, done.stderr)


def start(command, user=True):
    """Starts a command in a session of its own (user) or beside the driver, and leaves it running."""
    log = open("/tmp/started.log", "ab")
    command = as_user(command) if user else words(command)
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def typed(command):
    """Types a command into a shell at a terminal, of a login of the user."""
    log = open("/tmp/started.log", "ab")
    login = subprocess.Popen([*SSH, "-tt", f"{USER}@127.0.0.1"], stdin=subprocess.PIPE, stdout=log, stderr=log,
                             start_new_session=True)
    # The terminal keeps what is typed until the shell reads it; the login lasts as long as its standard input.
    login.stdin.write(f"{command}\n".encode())
    login.stdin.flush()
    LOGINS.append(login)


def until(condition, seconds=20, what=None):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.05)
    if what:
        raise RuntimeError(f"not within {seconds} s: {what}")
    return None


@dataclass(frozen=True)
class Process:
    pid: int
    started: int

    def alive(self):
        return (found := process(self.pid)) is not None and found[0] == self


def process(pid):
    """The process, its name and its command line; None if it ended or is a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            stat = file.read()
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            command = file.read().rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return None
    name, rest = stat[stat.index("(") + 1 : stat.rindex(")")], stat[stat.rindex(")") + 2 :].split()
    if name == "MainThread":
        # Node 24 names its main thread so.
        name = os.path.basename(command.split(" ")[0])
    return None if rest[0] == "Z" else (Process(int(pid), int(rest[19])), name, command)


def processes():
    """Every process, by identity, with name and command line."""
    found = (process(pid) for pid in os.listdir("/proc") if pid.isdigit())
    return {it[0]: it[1:] for it in found if it}


def pid_of(pattern, user=None):
    """The oldest process whose command line matches."""
    matching = [it for it, (_, command) in processes().items() if re.search(pattern, command)]
    return min(matching, key=lambda it: (it.started, it.pid), default=None)


def answers(port, address="127.0.0.1"):
    """Whether a connection to the port is accepted and is not closed at once without a word, or stays open."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as peer:
        peer.settimeout(1)
        try:
            peer.connect((address, port))
        except OSError:
            return False
        return True


def in_outside(function):
    """Calls it in the network namespace of the other machine."""
    value = []

    def call():
        with open("/run/netns/outside") as namespace:
            os.setns(namespace.fileno(), os.CLONE_NEWNET)
        value.append(function())

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    return value[0]


def served(port):
    """How the port is reached: a list, empty if nothing answers."""
    found = [name for name, address in (("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("own", OUTSIDE))
             if answers(port, address)]
    if in_outside(lambda: answers(port, OUTSIDE)):
        found.append("other machines")
    return found


def bindable(port):
    """Whether a server could take the port on all addresses of both families."""
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        with socket.socket(family) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                server.bind((address, port))
                server.listen()
            except OSError:
                return False
    return True


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)


def prepare():
    """What every holder needs: the user, its logins and manager, and the images."""
    run("gcc -static -O1 -o /usr/local/bin/answer /lab/answer.c")
    run(f"id {USER} 2>/dev/null || useradd --create-home --uid {UID} --shell /bin/bash {USER}")
    run("mkdir -p /root/.ssh && ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519 </dev/null", check=False)
    home = f"/home/{USER}"
    run(f"install -d -m 700 -o {USER} {home}/.ssh && "
        f"install -m 600 -o {USER} /root/.ssh/id_ed25519.pub {home}/.ssh/authorized_keys")
    run(["loginctl", "enable-linger", USER])
    until(lambda: os.path.exists(f"/run/user/{UID}/bus"), what="the user's manager")
    until(lambda: run("true", user=True, check=False).status == 0, what="a login of the user")
    if not os.path.exists("/sys/fs/cgroup/pids.max") and "pids" not in open("/sys/fs/cgroup/cgroup.controllers").read():
        write("/etc/containers/containers.conf", "[containers]\npids_limit = 0\n")
    run("tar -C /usr/local/bin -cf /tmp/answer.tar answer && chmod 644 /tmp/answer.tar")
    until(lambda: run("docker info", check=False).status == 0, 60, what="Docker's engine")
    run("docker import -c 'ENTRYPOINT [\"/answer\"]' /tmp/answer.tar answer")
    for user in (False, True):
        run("podman import -c 'ENTRYPOINT [\"/answer\"]' /tmp/answer.tar localhost/answer", user=user)
