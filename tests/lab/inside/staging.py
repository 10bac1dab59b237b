"""How a holder is described: what starts it, what must stay alive, and which answers of `free` are right."""
from dataclasses import dataclass, field

from machine import Process, answers, pid_of, process, run, until

HOLDERS = {}


@dataclass
class Holder:
    name: str
    stage: object
    # Who runs `free`: root, the user, or one after the other.
    runs_as: tuple
    # The right results of `free PORT --yes`: ends (exit 0, the port stays free), returns (ended, started again,
    # exit 1, and the answer says by what), refuses (exit 3, nothing is ended).
    right: tuple
    # What the answer must contain, as regular expressions: the one right command among it.
    says: tuple = ()
    # What the answer to the user must contain, where it differs.
    says_user: tuple = ()
    # What it must not contain.
    never: tuple = ()
    via: str = ""
    # An option with which `free` must free the port, and leave alive what must stay alive.
    frees: str = ""
    # After that many seconds at the latest, whatever restarts it has restarted it.
    returns_after: float = 0
    note: str = ""
    group: str = ""


@dataclass
class Stage:
    """A holder that has the port."""
    # What is watched: a label, and whether it is alive.
    watch: dict = field(default_factory=dict)
    # Which of them must be alive after `free`, whatever it answers.
    keep: tuple = ()
    # Which of them must be alive after the one right command.
    keep_via: tuple = None
    ready: object = None


def holder(name, runs_as=("root",), right=("refuses",), **rest):
    def register(function):
        HOLDERS[name] = Holder(name, function, runs_as, right, **rest)
        return function
    return register


def port_check(port, address="127.0.0.1"):
    return lambda: answers(port, address)


def process_check(pattern):
    """Whether the process that matches now is alive."""
    it = until(lambda: pid_of(pattern), what=f"a process {pattern}")
    return it.alive


def child_check(popen):
    it = process(popen.pid)[0]
    return it.alive


def unit_check(unit, user=False):
    manager = ["systemctl", "--user"] if user else ["systemctl"]
    return lambda: run([*manager, "is-active", unit], user=user, check=False).out.strip() == "active"


def container_check(engine, name, user=False):
    words = [engine, "inspect", "-f", "{{.State.Running}}", name]
    return lambda: run(words, user=user, check=False).out.strip() == "true"


def shell_check(command, expected, user=False):
    return lambda: expected in run(command, user=user, check=False).text


__all__ = ["HOLDERS", "Holder", "Process", "Stage", "child_check", "container_check", "holder", "port_check",
           "process_check", "shell_check", "unit_check"]
