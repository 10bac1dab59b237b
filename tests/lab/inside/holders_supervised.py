"""Supervisors, super-servers and what they start."""
import os

from machine import as_user, run, start, until, write
from staging import Stage, holder, port_check, process_check, shell_check, unit_check

SUPERVISORD = "/etc/supervisor/conf.d/lab.conf"


def supervisord(text, name):
    def stage(port):
        write(SUPERVISORD, text.format(port=port, other=port + 500) +
              f"\n[program:other]\ncommand=/usr/local/bin/answer {port + 501}\n")
        run("supervisorctl update")
        yield Stage({name: shell_check(f"supervisorctl status {name}", "RUNNING"),
                     "program other": shell_check("supervisorctl status other", "RUNNING"),
                     "supervisord": process_check("/usr/bin/supervisord")}, keep=("program other", "supervisord"))
        os.unlink(SUPERVISORD)
        run("supervisorctl update", check=False)
    return stage


CTL = r"supervisorctl (-c \S+ )?stop '?"
holder("supervisord program", right=("returns", "refuses"), says=(CTL + "web",), via="supervisor", returns_after=4)(
    supervisord("[program:web]\ncommand=/usr/local/bin/answer {port}\nautorestart=true\nstartsecs=1\n", "web"))
holder("supervisord program, autorestart=unexpected", right=("ends", "returns", "refuses"), via="supervisor",
       returns_after=4, note="the default; the server exits with 0 on SIGTERM and is not started again")(
    supervisord("[program:web]\ncommand=/usr/local/bin/answer {port}\nstartsecs=1\n", "web"))
holder("supervisord program in a group", right=("returns", "refuses"), says=(CTL + r"(shop:web|shop:\*|web)",),
       via="supervisor", returns_after=4)(
    supervisord("[group:shop]\nprograms=web\n[program:web]\ncommand=/usr/local/bin/answer {port}\n"
                "autorestart=true\nstartsecs=1\n", "shop:web"))
holder("supervisord fcgi-program", says=(CTL + r"fcgi(:fcgi|:\*)?",), via="supervisor",
       note="supervisord and the program have the socket")(
    supervisord("[fcgi-program:fcgi]\nsocket=tcp://127.0.0.1:{port}\n"
                "command=/usr/bin/python3 /lab/inherited.py 0\nstartsecs=1\n", "fcgi:*"))


@holder("supervisord's own web interface", says=(r"supervisord", r"(?i)program|supervis"), note="inet_http_server")
def supervisord_http(port):
    write("/tmp/supervisord.conf",
          f"[supervisord]\nlogfile=/tmp/own.log\npidfile=/tmp/own.pid\nnodaemon=true\n[inet_http_server]\n"
          f"port=127.0.0.1:{port}\n[program:web]\ncommand=/usr/local/bin/answer {port + 500}\n")
    start("supervisord -c /tmp/supervisord.conf")
    until(port_check(port + 500), what="its program")
    yield Stage({"supervisord": process_check("supervisord -c"), "program web": port_check(port + 500)},
                keep=("supervisord", "program web"))
    run("kill $(cat /tmp/own.pid)", check=False)


def directory(folder, scan, port):
    write(f"{folder}/web/run", f"#!/bin/sh\nexec /usr/local/bin/answer {port} 2>&1\n", 0o755)
    write(f"{folder}/other/run", f"#!/bin/sh\nexec /usr/local/bin/answer {port + 500} 2>&1\n", 0o755)
    run(["systemd-run", "--unit=lab-scan", "--quiet", *scan])
    until(port_check(port + 500), what="the other service")
    yield Stage({"service other": port_check(port + 500), f"{scan[0]}": process_check(f"^{scan[0]}|/{scan[0]} ")},
                keep=("service other", scan[0]))
    run("systemctl stop lab-scan", check=False)
    run(f"pkill -KILL -f '^(runsv|s6-supervise|supervise) ' ; rm -rf {folder}", check=False)


@holder("runit", right=("returns", "refuses"), says=(r"sv (down|stop) '?/srv/runit/web",), via="supervisor",
        returns_after=3)
def runit(port):
    yield from directory("/srv/runit", ["runsvdir", "-P", "/srv/runit"], port)


@holder("s6", right=("returns", "refuses"), says=(r"s6-svc -\w*d\w* '?/srv/s6/web",), via="supervisor", returns_after=3)
def s6(port):
    yield from directory("/srv/s6", ["s6-svscan", "/srv/s6"], port)


@holder("daemontools", right=("returns", "refuses"), says=(r"svc -d '?/srv/daemontools/web",), via="supervisor",
        returns_after=3)
def daemontools(port):
    yield from directory("/srv/daemontools", ["svscan", "/srv/daemontools"], port)


def circus(watcher, in_path=False):
    def stage(port):
        if in_path:
            run("ln -s /opt/python/bin/circusctl /opt/python/bin/circusd /usr/local/bin/")
        write("/tmp/circus.ini", "[circus]\ncheck_delay = 1\n" + watcher.format(port=port) +
              f"[watcher:other]\ncmd = /usr/local/bin/answer {port + 500}\n")
        start(("circusd" if in_path else "/opt/python/bin/circusd") + " /tmp/circus.ini")
        until(port_check(port + 500), what="circus")
        yield Stage({"watcher other": port_check(port + 500), "circusd": process_check("circusd /tmp")},
                    keep=("watcher other", "circusd"), keep_via=())
        run("/opt/python/bin/circusctl --timeout 5 quit", user=True, check=False)
        run("rm -f /usr/local/bin/circusctl /usr/local/bin/circusd")
    return stage


WATCHER = "[watcher:web]\ncmd = /usr/local/bin/answer {port}\n"
CIRCUSCTL = (r"circusctl [^\n]*stop (-- )?web",)
holder("circus", ("root", "user"), right=("returns", "refuses"), says=CIRCUSCTL, via="supervisor", returns_after=4)(
    circus(WATCHER, in_path=True))
holder("circus, in a virtual environment", ("root", "user"), right=("returns", "refuses"), says=CIRCUSCTL,
       returns_after=4, note="circusctl is in no folder of PATH")(circus(WATCHER))
holder("circus, socket of circusd", ("root", "user"), says=(r"circusd",), returns_after=4,
       note="circusd and the watcher's processes have the socket; in circus 0.19 only `circusctl quit` closes it")(
    circus("[watcher:web]\ncmd = /usr/bin/python3 /lab/inherited.py $(circus.sockets.web)\nuse_sockets = True\n"
           "[socket:web]\nhost = 127.0.0.1\nport = {port}\n"))


@holder("xinetd", says=(r"xinetd",), note="it listens for two services")
def xinetd(port):
    for name, number in (("one", port), ("two", port + 500)):
        write(f"/etc/xinetd.d/lab-{name}",
              f"service lab-{name}\n{{\n type = UNLISTED\n port = {number}\n socket_type = stream\n protocol = tcp\n"
              " wait = no\n user = root\n server = /bin/echo\n server_args = answer\n disable = no\n}\n")
    run("systemctl start xinetd")
    yield Stage({"xinetd": unit_check("xinetd.service"), "its other service": port_check(port + 500)},
                keep=("xinetd", "its other service"), keep_via=())
    run("systemctl stop xinetd; systemctl reset-failed xinetd; rm /etc/xinetd.d/lab-*", check=False)


@holder("inetd", says=(r"inetd",), note="openbsd-inetd; it listens for two services")
def inetd(port):
    lines = [f"{number} stream tcp nowait root /bin/echo echo answer" for number in (port, port + 500)]
    write("/etc/inetd.conf", "\n".join(lines) + "\n")
    run("systemd-run --quiet --unit=inetd /opt/openbsd-inetd/usr/sbin/inetd -i /etc/inetd.conf")
    yield Stage({"inetd": unit_check("inetd.service"), "its other service": port_check(port + 500)},
                keep=("inetd", "its other service"), keep_via=())
    run("systemctl stop inetd", check=False)


@holder("ssh -R", ("root", "user"), says=(r"(?i)ssh", r"(?i)login|session|forward"),
        # A user cannot read the descriptors of his own login's sshd.
        says_user=(r"(?i)seen|ssh",), note="the session's sshd listens")
def forwarded(port):
    login = as_user("sleep 1000")
    client = start([login[0], "-R", f"{port}:127.0.0.1:22", *login[1:]], user=False)
    until(port_check(port), what="the forwarding")
    yield Stage({"the login": lambda: client.poll() is None}, keep=("the login",))
    client.kill()
    client.wait()


@holder("sshd", right=("ends", "refuses", "returns"), via="service", returns_after=2,
        note="the daemon itself, on one more port; logins go on")
def sshd(port):
    write("/etc/systemd/system/lab-sshd.service", f"[Service]\nExecStart=/usr/sbin/sshd -D -p {port} -o PidFile=none\n")
    run("systemctl daemon-reload; systemctl start lab-sshd")
    until(port_check(port), what="sshd")
    login = as_user("sleep 1000")
    client = start([login[0], "-p", str(port), *login[1:]], user=False)
    until(lambda: process_check("sshd-session: dev@notty")(), what="a login")
    yield Stage({"a login through it": lambda: client.poll() is None}, keep=("a login through it",), keep_via=())
    client.kill()
    client.wait()
    run("systemctl stop lab-sshd", check=False)
    os.unlink("/etc/systemd/system/lab-sshd.service")
    run("systemctl daemon-reload")
