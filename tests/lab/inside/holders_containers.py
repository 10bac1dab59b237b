"""Containers: Docker's, Podman's of root and of the user, quadlets, and containers of systemd and LXC."""
import json
import os

from machine import USER, pid_of, run, start, until, write
from staging import Stage, container_check, holder, port_check, process_check, unit_check

BOTH = ("root", "user")


def restart_docker():
    # systemd refuses a service that is started too often.
    run("systemctl daemon-reload; systemctl reset-failed docker; systemctl restart docker")
    until(lambda: run("docker info", check=False).status == 0, 60, what="Docker's engine")


def docker(options="-p {port}:80", arguments="80", config=None, **more):
    def stage(port):
        if config is not None:
            write("/etc/docker/daemon.json", json.dumps(config))
            restart_docker()
        run(f"docker run -d --name other -p {port + 500}:80 answer 80")
        yield None
        run(f"docker run -d --name web {options} answer {arguments}".format(port=port))
        yield Stage({
            "container web": container_check("docker", "web"),
            "container other": container_check("docker", "other"),
            "dockerd": process_check("dockerd"),
        }, keep=("container other", "dockerd"))
        run("docker rm -f web other", check=False)
        if config is not None:
            os.unlink("/etc/docker/daemon.json")
            restart_docker()
    return stage


DOCKER_STOP = (r"docker stop (-- )?web\b",)
holder("docker run -p", says=DOCKER_STOP, via="container", note="docker-proxy listens")(docker())
holder("docker run -p, userland-proxy off", says=DOCKER_STOP, via="container",
       note="dockerd itself listens")(docker(config={"userland-proxy": False}))
holder("docker run -p --restart always", says=DOCKER_STOP, via="container", returns_after=3)(
    docker("-p {port}:80 --restart always"))
holder("docker run --network host", right=("ends", "refuses"), via="container", returns_after=2,
       note="the container's first process listens")(docker("--network host", "{port}"))
holder("docker run --network host --restart always", right=("returns", "refuses"), says=DOCKER_STOP, via="container",
       returns_after=3)(docker("--network host --restart always", "{port}"))


@holder("docker run -p, engine does not respond", says=(r"docker-proxy", r"(?i)container"),
        note="dockerd is stopped by SIGSTOP while `free` runs")
def no_response(port):
    run(f"docker run -d --name web -p {port}:80 answer 80")
    run("kill -STOP $(cat /run/docker.pid)")
    yield Stage({"port of container web": port_check(port), "dockerd": process_check("dockerd")},
                keep=("port of container web", "dockerd"))
    run("kill -CONT $(cat /run/docker.pid)")
    run("docker rm -f web", check=False)


@holder("Docker's own API on TCP", says=(r"(?i)dockerd", r"(?i)container"), note="dockerd -H tcp://127.0.0.1")
def docker_api(port):
    write("/etc/systemd/system/docker.service.d/api.conf",
          f"[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// -H tcp://127.0.0.1:{port} "
          "--tls=false --containerd=/run/containerd/containerd.sock\n")
    restart_docker()
    run(f"docker run -d --name other -p {port + 500}:80 answer 80")
    yield None
    yield Stage({"container other": container_check("docker", "other"), "dockerd": process_check("dockerd")},
                keep=("container other", "dockerd"))
    run("docker rm -f other", check=False)
    os.unlink("/etc/systemd/system/docker.service.d/api.conf")
    restart_docker()


def podman(user, options="-p {port}:80", arguments="80"):
    def stage(port):
        run(f"podman run -d --name other -p {port + 500}:80 localhost/answer 80", user=user)
        run(f"podman run -d --name web {options} localhost/answer {arguments}".format(port=port), user=user)
        yield Stage({"container web": container_check("podman", "web", user),
                     "container other": container_check("podman", "other", user)}, keep=("container other",))
        run("podman rm -f -t 1 web other", user=user, check=False)
    return stage


PODMAN_STOP = (r"podman stop (-- )?web\b",)
AS_USER = (rf"{USER}\b[^\n]*podman stop (-- )?web\b",)
holder("podman run -p, root", says=PODMAN_STOP, via="container", note="conmon listens")(podman(False))
holder("podman run --network host, root", right=("ends", "refuses"), via="container")(
    podman(False, "--network host", "{port}"))
holder("podman run -p --restart always, root", says=PODMAN_STOP, via="container", returns_after=3)(
    podman(False, "-p {port}:80 --restart always"))
holder("podman run -p, user: pasta", BOTH, says=AS_USER, says_user=PODMAN_STOP, via="container")(podman(True))
holder("podman run -p, user: slirp4netns", BOTH, says=AS_USER, says_user=PODMAN_STOP, via="container")(
    podman(True, "-p {port}:80 --network slirp4netns:port_handler=slirp4netns"))
holder("podman run -p, user: rootlessport", BOTH, says=AS_USER, says_user=PODMAN_STOP, via="container")(
    podman(True, "-p {port}:80 --network slirp4netns"))
holder("podman run -p, user: bridge", BOTH, says=AS_USER, says_user=PODMAN_STOP, via="container")(
    podman(True, "-p {port}:80 --network podman"))
holder("podman run --network host, user", BOTH, right=("ends", "refuses"), via="container")(
    podman(True, "--network host", "{port}"))


def pod(user):
    def stage(port):
        run(f"podman pod create --name shop -p {port}:80 -p {port + 500}:81", user=user)
        run("podman run -d --pod shop --name web localhost/answer 80", user=user)
        run("podman run -d --pod shop --name api localhost/answer 81", user=user)
        yield Stage({"container web": container_check("podman", "web", user),
                     "container api": container_check("podman", "api", user),
                     "the pod's other port": port_check(port + 500)})
        run("podman pod rm -f -t 1 shop", user=user, check=False)
    return stage


holder("podman pod, root", says=(r"podman pod stop (-- )?(shop|[0-9a-f]{12})\b",), via="container",
       note="the conmon of the pod's infra container listens")(pod(False))
holder("podman pod, user", BOTH, says=(rf"{USER}\b[^\n]*podman pod stop (-- )?(shop|[0-9a-f]{{12}})\b",),
       says_user=(r"podman pod stop (-- )?(shop|[0-9a-f]{12})\b",), via="container")(pod(True))


def quadlet(user, options="PublishPort={port}:80", arguments="80"):
    def stage(port):
        folder = f"/home/{USER}/.config/containers/systemd" if user else "/etc/containers/systemd"
        manager = ["systemctl", *(["--user"] if user else [])]
        write(f"{folder}/quad.container",
              f"[Container]\nImage=localhost/answer\nPull=never\n{options}\nExec={arguments}\n"
              "[Service]\nRestart=always\nRestartSec=1\n".format(port=port))
        run(f"chown -R {USER}: /home/{USER}/.config; true")
        run([*manager, "daemon-reload"], user=user)
        run([*manager, "start", "quad.service"], user=user)
        yield Stage({"quad.service": unit_check("quad.service", user),
                     "container systemd-quad": container_check("podman", "systemd-quad", user)})
        run([*manager, "stop", "quad.service"], user=user, check=False)
        os.unlink(f"{folder}/quad.container")
        run([*manager, "daemon-reload"], user=user)
        run("podman rm -f -t 1 systemd-quad", user=user, check=False)
    return stage


QUAD, QUAD_USER = r"systemctl stop (-- )?quad\.service", r"systemctl --user stop (-- )?quad\.service"
QUAD_BY_ROOT = r"systemctl --user -M \w+@(\.host)? stop (-- )?quad\.service"
NOT_THE_CONTAINER = (r"podman stop",)
holder("quadlet, root", says=(QUAD,), never=NOT_THE_CONTAINER, via="service", returns_after=4)(quadlet(False))
holder("quadlet, user", BOTH, says=(QUAD_BY_ROOT,), says_user=(QUAD_USER,), never=NOT_THE_CONTAINER, via="service",
       returns_after=4)(quadlet(True))
holder("quadlet, --network host", right=("returns", "refuses"), says=(QUAD,), never=NOT_THE_CONTAINER, via="service",
       returns_after=4)(quadlet(False, "Network=host", "{port}"))


def box():
    run("mkdir -p /srv/box/usr/bin /srv/box/etc /srv/box/dev /srv/box/proc /srv/box/sys /srv/box/run /srv/box/tmp")
    run("cp /usr/local/bin/answer /srv/box/usr/bin/; ln -sfn usr/bin /srv/box/bin; ln -sfn usr/bin /srv/box/sbin")
    write("/srv/box/etc/os-release", "ID=box\n")


@holder("systemd-nspawn, host's network", right=("ends", "refuses"), never=(r"systemctl stop[^\n]*payload",),
        via="service", note="the server is the machine's first process")
def nspawn(port):
    box()
    run(["systemd-run", "--unit=box-machine", "--property=Delegate=yes", "--property=KillMode=mixed", "systemd-nspawn",
         "--keep-unit", "--quiet", "--machine=box", "--directory=/srv/box", "--link-journal=no", "--console=pipe",
         "/usr/bin/answer", str(port)])
    yield Stage({"systemd-nspawn": process_check("systemd-nspawn --keep")})
    run("machinectl terminate box; systemctl stop box-machine", check=False)
    run("systemctl reset-failed", check=False)


@holder("lxc, host's network", right=("ends", "refuses"), note="the server is the container's init")
def lxc(port):
    box()
    write("/var/lib/lxc/box/config", "lxc.uts.name = box\nlxc.rootfs.path = dir:/srv/box\nlxc.net.0.type = none\n"
          f"lxc.init.cmd = /usr/bin/answer {port}\nlxc.apparmor.profile = unconfined\n")
    start(["lxc-start", "-n", "box"], user=False)
    yield Stage({"container box": lambda: "RUNNING" in run("lxc-info -s -n box", check=False).out})
    run("lxc-stop -k -n box", check=False)


@holder("Docker, rootless", BOTH, says=(r"docker [^\n]*stop (-- )?web\b",),
        via="container", note="rootlesskit listens, for all containers of that engine")
def rootless_docker(port):
    script = "/usr/share/docker.io/contrib/dockerd-rootless.sh"
    if not os.path.exists(script):
        raise RuntimeError("skipped: no dockerd-rootless.sh")
    start(f"PATH=$PATH:/usr/sbin:/sbin exec sh {script} --storage-driver=vfs")
    call = "DOCKER_HOST=unix:///run/user/1000/docker.sock docker"
    until(lambda: run(f"{call} info", user=True, check=False).status == 0, 60, what="the user's Docker engine")
    run(f"{call} import -c 'ENTRYPOINT [\"/answer\"]' /tmp/answer.tar answer", user=True)
    run(f"{call} run -d --name other -p {port + 500}:80 answer 80", user=True)
    run(f"{call} run -d --name web -p {port}:80 answer 80", user=True)
    web = lambda name: lambda: run(f"{call} inspect -f {{{{.State.Running}}}} {name}", user=True,
                                   check=False).out.strip() == "true"
    yield Stage({"container web": web("web"), "container other": web("other"),
                 "rootlesskit": process_check("rootlesskit")}, keep=("container other", "rootlesskit"))
    run(f"{call} rm -f web other", user=True, check=False)
    run("kill $(cat /run/user/1000/docker.pid)", user=True, check=False)
    until(lambda: not pid_of("^rootlesskit "), what="the end of the user's Docker engine")
    run(f"rm -rf /home/{USER}/.local/share/docker")
