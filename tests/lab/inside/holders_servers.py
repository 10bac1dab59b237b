"""Servers that stand for themselves, and what starts them: shells, wrappers and loops."""
import os
import signal

from machine import USER, pid_of, run, typed, until, write
from staging import Stage, holder, port_check, process_check, unit_check

BOTH = ("root", "user")
CLI = "/opt/python/bin"
GRANIAN = {"granian's main process": "^/opt/python/bin/python3 [^ ]*granian --interface"}


SHELL = "^-bash$"


def session(command, watch=None, keep=()):
    """Started in a login of the user, like at a terminal."""
    def stage(port):
        typed(command.format(port=port, other=port + 500))
        until(port_check(port), what="the server")
        labels = {name: process_check(pattern.format(port=port, other=port + 500))
                  for name, pattern in (watch or {}).items()}
        yield Stage({"the shell": process_check(SHELL), **labels}, keep=("the shell", *keep))
    return stage


holder("python3 -m http.server, from a shell", BOTH, right=("ends",))(session("python3 -m http.server {port}"))
holder("server on two ports, and on UDP", BOTH, right=("ends",), says=("{other}", r"udp/\d+"),
       note="the plan lists the other ports")(session("answer {port} {other} udp:{port}"))
holder("gunicorn, 2 workers", BOTH, right=("ends",), note="master and workers have the socket")(
    session("cd /lab && gunicorn -w 2 -b 127.0.0.1:{port} app:application"))
holder("uwsgi, master and 2 workers", BOTH, right=("ends",), returns_after=2)(
    session("cd /lab && uwsgi --plugin python3 --http-socket 127.0.0.1:{port} --wsgi-file app.py --master "
            "--processes 2 --die-on-term"))
holder("uwsgi, without --die-on-term", BOTH, right=("returns", "refuses"), returns_after=3,
       frees="--signal INT", note="SIGTERM makes it reload")(
    session("cd /lab && uwsgi --plugin python3 --http-socket 127.0.0.1:{port} --wsgi-file app.py --master "
            "--processes 2"))
holder("granian, 2 workers", BOTH, frees="--tree", right=("ends", "returns", "refuses"), returns_after=4,
       note="the main process has bound the port, its workers listen")(
    session(f"cd /lab && {CLI}/granian --interface asgi --host 127.0.0.1 --port {{port}} --workers 2 app:asgi",
            GRANIAN))
holder("granian, --respawn-failed-workers", BOTH, right=("ends", "returns", "refuses"), returns_after=6)(
    session(f"cd /lab && {CLI}/granian --interface asgi --host 127.0.0.1 --port {{port}} --workers 2 "
            "--respawn-failed-workers app:asgi", GRANIAN))
holder("sh -c wrapper", BOTH, frees="--tree", right=("ends",), note="as npm and make start servers")(
    session("sh -c 'answer {port}; true'"))
holder("sh -c wrapper that goes on", BOTH, frees="--tree", right=("ends",),
       note="the shell does something else afterwards")(
    session("sh -c 'answer {port}; sleep 500'"))
holder("shell loop", BOTH, frees="--tree", right=("returns",), says=(r"\bsh\b",), returns_after=3,
       note="sleep 1 between two runs")(
    session("sh -c 'while :; do answer {port}; sleep 1; done'"))
holder("shell loop of another loop", BOTH, frees="--tree", right=("returns",), says=(r"\bsh\b",), returns_after=4,
       note="the loop is the server's grandparent")(
    session("sh -c 'while :; do sh -c \"answer {port}; true\"; sleep 2; done'"))
holder("make run", BOTH, frees="--tree", right=("ends",))(
    session("cd /tmp && printf 'run:\\n\\tanswer {port}\\n' >Makefile.{port} && make -f Makefile.{port} run"))


@holder("npm run dev", BOTH, frees="--tree", right=("ends",), note="node, npm and sh above the server")
def npm(port):
    write(f"/home/{USER}/shop/package.json",
          '{"name": "shop", "version": "1.0.0", "scripts": {"dev": "node server.js"}}\n')
    write(f"/home/{USER}/shop/server.js",
          f"require('net').createServer((c) => c.end('answer\\n')).listen({port}, '127.0.0.1')\n")
    run(f"chown -R {USER}: /home/{USER}/shop")
    typed("cd ~/shop && npm run dev")
    until(port_check(port), 30, what="the server")
    yield Stage({"the shell": process_check(SHELL), "npm": process_check("^npm run dev")},
                keep=("the shell",))


@holder("node --watch", BOTH, frees="--tree", right=("ends", "returns"), returns_after=3,
        note="the watcher goes on, and starts the server when a file changes")
def node_watch(port):
    write(f"/home/{USER}/shop/server.js",
          f"require('net').createServer((c) => c.end('answer\\n')).listen({port}, '127.0.0.1')\n")
    run(f"chown -R {USER}: /home/{USER}/shop")
    typed("cd ~/shop && node --watch server.js")
    until(port_check(port), 30, what="the server")
    yield Stage({"the shell": process_check(SHELL), "node --watch": process_check("^node --watch")},
                keep=("the shell",))


@holder("server and a child that goes on", BOTH, frees="--tree", right=("ends",),
        note="the child has no socket of the port")
def child(port):
    code = ("import socket, subprocess, time; subprocess.Popen(['sleep', '777']); "
            f"s = socket.create_server(('127.0.0.1', {port})); time.sleep(1000)")
    typed(f'python3 -c "{code}"')
    until(port_check(port), what="the server")
    yield Stage({"the shell": process_check(SHELL), "its child": process_check("^sleep 777")},
                keep=("the shell",))


@holder("server whose socket a child inherited", BOTH, right=("ends",), note="both have it")
def inherited(port):
    code = ("import os, socket, subprocess, time; "
            f"s = socket.create_server(('127.0.0.1', {port})); os.set_inheritable(s.fileno(), True); "
            "subprocess.Popen(['sleep', '778'], close_fds=False); time.sleep(1000)")
    typed(f'python3 -c "{code}"')
    until(port_check(port), what="the server")
    yield Stage({"the shell": process_check(SHELL), "its child": process_check("^sleep 778")},
                keep=("the shell",))


@holder("stopped server", BOTH, right=("held", "refuses"), frees="--force --timeout 1s",
        says=(r"(?i)stopped", r"-CONT|--force|-9|resume"), note="kill -STOP")
def stopped(port):
    typed(f"answer {port}")
    until(port_check(port), what="the server")
    os.kill(pid_of(f"^answer {port}").pid, signal.SIGSTOP)
    yield Stage({"the shell": process_check(SHELL)}, keep=("the shell",))


@holder("traced server", BOTH, right=("ends",), says=(r"(?i)traced|strace",), note="strace -f")
def traced(port):
    typed(f"strace -f -qq -o /dev/null answer {port}")
    until(port_check(port), what="the server")
    yield Stage({"the shell": process_check(SHELL), "strace": process_check("^strace")}, keep=("the shell",))


@holder("server that ignores SIGTERM", BOTH, right=("held",), frees="--force --timeout 1s", says=(r"--force|-9|KILL",))
def ignores(port):
    code = (f"import signal, socket, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
            f"s = socket.create_server(('127.0.0.1', {port})); time.sleep(1000)")
    typed(f'python3 -c "{code}"')
    until(port_check(port), what="the server")
    yield Stage({"the shell": process_check(SHELL)}, keep=("the shell",))


@holder("nginx, master and workers", right=("ends",), via="service", says=("{other}",), returns_after=1,
        note="nginx.service, two ports")
def nginx(port):
    write("/etc/nginx/conf.d/lab.conf",
          f"server {{ listen {port}; listen {port + 500}; return 200 answer; }}\n")
    run("systemctl start nginx")
    yield Stage({"nginx.service": unit_check("nginx.service"), "its other port": port_check(port + 500)})
    run("systemctl stop nginx; systemctl reset-failed nginx; rm /etc/nginx/conf.d/lab.conf", check=False)


@holder("php-fpm", right=("ends",), via="service", returns_after=2, note="php8.4-fpm.service, Restart=on-failure")
def php(port):
    pool = "/etc/php/8.4/fpm/pool.d/lab.conf"
    write(pool, f"[lab]\nuser = www-data\ngroup = www-data\nlisten = 127.0.0.1:{port}\npm = static\n"
                "pm.max_children = 2\n")
    run("systemctl start php8.4-fpm")
    yield Stage({"php8.4-fpm.service": unit_check("php8.4-fpm.service")})
    run("systemctl stop php8.4-fpm; systemctl reset-failed php8.4-fpm", check=False)
    os.unlink(pool)
