"""Holders that systemd, the system's or the user's, holds for or starts."""
import os

from machine import UID, USER, bindable, run, start, until, write
from staging import Stage, holder, port_check, process_check, unit_check

SYSTEM, OF_USER = "/etc/systemd/system", f"/home/{USER}/.config/systemd/user"
BOTH = ("root", "user")
USER_STOP = (r"systemctl --user -M {user}@(\.host)? stop (-- )?'?{unit}",)


def units(files, user=False):
    """Writes units, loads them, and returns what removes them."""
    folder = OF_USER if user else SYSTEM
    for name, text in files.items():
        write(f"{folder}/{name}", text)
    if user:
        run(f"chown -R {USER}: /home/{USER}/.config")
    manager = ["systemctl", *(["--user"] if user else [])]
    run([*manager, "daemon-reload"], user=user)

    def remove():
        run([*manager, "thaw", *files], user=user, check=False)
        run([*manager, "kill", "-s", "KILL", *[it for it in files if it.endswith(".service") and "@" not in it]],
            user=user, check=False)
        run([*manager, "stop", *[it for it in files if "@." not in it]], user=user, check=False)
        run([*manager, "reset-failed"], user=user, check=False)
        for name in files:
            os.unlink(f"{folder}/{name}")
        run([*manager, "daemon-reload"], user=user)
    return remove


def socket_unit(user, activated=False, accept=False):
    def stage(port):
        socket = f"[Socket]\nListenStream={port}\n" + ("Accept=yes\n" if accept else "")
        service = "[Service]\nExecStart=/usr/bin/python3 /lab/inherited.py 3\n"
        if accept:
            service = "[Service]\nExecStart=/usr/bin/cat\nStandardInput=socket\n"
        remove = units({"held.socket": socket, "held@.service" if accept else "held.service": service}, user)
        manager = ["systemctl", *(["--user"] if user else [])]
        run([*manager, "start", "held.socket"], user=user)
        watch = {"held.socket": unit_check("held.socket", user)}
        if activated:
            port_check(port)()
            until(unit_check("held.service", user), what="held.service")
            watch["held.service"] = unit_check("held.service", user)
        # A connection would start the service.
        yield Stage(watch, keep=tuple(watch), keep_via=(), ready=lambda: not bindable(port))
        remove()
    return stage


holder("socket unit", says=(r"systemctl stop (-- )?held\.socket",), via="service",
       note="pid 1 listens; its service has not been started")(socket_unit(False))
holder("socket unit, service started", says=(r"systemctl stop (-- )?.*held\.socket",), via="service",
       note="pid 1 and the service have the same socket")(socket_unit(False, activated=True))
holder("socket unit, Accept=yes", says=(r"systemctl stop (-- )?held\.socket",),
       via="service")(socket_unit(False, accept=True))
holder("user's socket unit", BOTH, says=(r"systemctl --user -M \w+@(\.host)? stop (-- )?held\.socket",),
       says_user=(r"systemctl --user stop (-- )?held\.socket",), via="service",
       note="systemd --user listens")(socket_unit(True))
holder("user's socket unit, service started", BOTH,
       says=(r"systemctl --user -M \w+@(\.host)? stop (-- )?.*held\.socket",),
       says_user=(r"systemctl --user stop (-- )?.*held\.socket",), via="service")(socket_unit(True, activated=True))


def service(user=False, options="", command="/usr/local/bin/answer {port}", extra=None):
    def stage(port):
        text = f"[Service]\nExecStart={command.format(port=port)}\n{options}"
        remove = units({"served.service": text}, user)
        run(["systemctl", *(["--user"] if user else []), "start", "served.service"], user=user)
        yield Stage({"served.service": unit_check("served.service", user), **(extra(port) if extra else {})})
        remove()
    return stage


STOP, STOP_USER = r"systemctl stop (-- )?served\.service", r"systemctl --user stop (-- )?served\.service"
STOP_BY_ROOT = r"systemctl --user -M \w+@(\.host)? stop (-- )?served\.service"
holder("service, Restart=no", right=("ends",), via="service")(service())
holder("service, Restart=always RestartSec=2", right=("returns",), says=(STOP,), via="service", returns_after=4)(
    service(options="Restart=always\nRestartSec=2\n"))
holder("service, Restart=always RestartSec=7", right=("returns",), says=(STOP,), via="service", returns_after=9)(
    service(options="Restart=always\nRestartSec=7\n"))
holder("service, Restart=on-failure", right=("ends",), via="service", returns_after=2)(
    service(options="Restart=on-failure\n"))
holder("user's service, Restart=always RestartSec=2", BOTH, right=("returns",), says=(STOP_BY_ROOT,),
       says_user=(STOP_USER,), via="service", returns_after=4)(
    service(True, "Restart=always\nRestartSec=2\n"))


@holder("service, frozen", right=("ends", "refuses", "held"), says=(r"(?i)frozen", r"systemctl thaw|cgroup\.freeze"),
        never=(r"kill -CONT",),
        frees="--force --timeout 1s", note="systemctl freeze")
def frozen(port):
    remove = units({"served.service": f"[Service]\nExecStart=/usr/local/bin/answer {port}\n"})
    run("systemctl start served.service")
    until(port_check(port), what="the service")
    run("systemctl freeze served.service")
    yield Stage({"served.service": unit_check("served.service")}, ready=lambda: True)
    run("systemctl thaw served.service", check=False)
    remove()


@holder("service in a folder that the user named nginx.service", BOTH, right=("ends",),
        never=(r"systemctl[^\n]*nginx\.service",),
        note="below user@1000.service, in a delegated scope; the host runs an nginx.service of its own")
def named_by_user(port):
    remove = units({"nginx.service": "[Service]\nExecStart=/usr/bin/sleep 1000\n"})
    run("systemctl start nginx.service")
    group = (f"/sys/fs/cgroup/user.slice/user-{UID}.slice/user@{UID}.service/app.slice/own.scope")
    start("systemd-run --user --scope --unit=own --slice=app.slice -p Delegate=yes "
          f"sh -c 'mkdir {group}/nginx.service; echo 0 >{group}/nginx.service/cgroup.procs; exec answer {port}'")
    yield Stage({"the host's nginx.service": unit_check("nginx.service")}, keep=("the host's nginx.service",))
    run("systemctl --user stop own.scope", user=True, check=False)
    remove()


def desktop(unit, command):
    def stage(port):
        remove = None
        write(f"/home/{USER}/shop/package.json", '{"name": "shop"}\n')
        run(f"chown -R {USER}: /home/{USER}/shop")
        # The editor, and a shell in a terminal of its own.
        inner = f"setsid bash -c 'set -m; cd ~/shop; python3 -m http.server {port}; sleep 1001' & exec sleep 1000"
        if unit.endswith(".scope"):
            start(f'systemd-run --user --scope --slice=app.slice -u {unit} sh -c "{inner}"')
        else:
            template = f"{unit.split('@')[0]}@.service"
            remove = units({template: f"[Service]\nExecStart=/bin/sh -c \"{inner}\"\n"}, user=True)
            run(["systemctl", "--user", "start", unit], user=True)
        yield Stage({"the editor (sleep 1000)": process_check("^sleep 1000$"), unit: unit_check(unit, True)},
                    keep=("the editor (sleep 1000)",))
        run(["systemctl", "--user", "stop", unit], user=True, check=False)
        if remove:
            remove()
    return stage


NEVER_STOP = (r"systemctl[^\n]*stop[^\n]*app-",)
holder("server in a terminal of a desktop application", BOTH, right=("ends",), never=NEVER_STOP, frees="--tree",
       note="app-gnome-code-31337.scope holds the editor too")(desktop("app-gnome-code-31337.scope", "scope"))
holder("server in a desktop application's service", BOTH, right=("ends",), never=NEVER_STOP, frees="--tree",
       note="app-code@31337.service holds the editor too")(
    desktop("app-code@31337.service", "service"))
