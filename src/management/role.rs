//! Recognises processes that stand for others, such as init, container engines and supervisors. Ending one ends more than
//! a server, or does not free the port. Pure: the input is the name, file and arguments of a process.
//!
//! A process is recognised by any of its three names: the kernel's, its file's, and its first argument's. Each of them can
//! be misleading: an interpreter, a title, a replaced file. A different program with such a name is refused too. That
//! mistake costs the user a manual `kill`; the opposite one would cost a session or every container.

use super::restart::holds_for_others;
use crate::model::{Process, Text};
use crate::os::parse::program_link::deleted_path;

/// The role of a process that stands for others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    /// The first process of this pid namespace: init, or a container's own program.
    FirstProcess,
    /// A user's service manager: `systemd --user`.
    UserManager,
    /// A service manager of the system that is not pid 1, as on macOS and Windows.
    ServiceManager,
    /// Runs Windows services, several in one process.
    ServiceHost,
    /// The message bus of a session or of the system: dbus-daemon. It holds sockets in messages that were not received
    /// yet.
    MessageBus,
    /// The engine of containers.
    Engine,
    /// Holds or forwards ports of one container or of one user's container network, or monitors a container.
    ContainerHelper,
    /// Forwards into a virtual machine that runs containers or a Linux system.
    MachineHelper,
    /// Holds the sockets of every Windows program in its prefix.
    Wineserver,
    /// Holds sockets for the programs that it runs: supervisord, circusd, inetd.
    SuperServer,
    /// The master of a shared ssh(1) connection, which holds the forwarded ports of all its sessions.
    SshMaster,
    /// The server process of one ssh login, which also holds the ports that the login forwards with `-R`.
    SshSession,
}

/// How a name is compared.
enum NamePattern {
    Exactly(&'static str),
    Prefix(&'static str),
}

use NamePattern::{Exactly, Prefix};

/// Container engines. Ending one ends or orphans every container. Sources: the processes that Docker 20 to 28, containerd
/// 2, Podman 5, incus 7 and LXD start, and the documentation of Docker Desktop, Lima, Rancher Desktop and OrbStack.
const ENGINES: &[NamePattern] = &[
    Exactly("dockerd"),
    Exactly("dockerd-rootless"),
    // It runs a rootless Docker with all of its containers.
    Exactly("rootlesskit"),
    Exactly("containerd"),
    Exactly("buildkitd"),
    Exactly("podman"),
    Exactly("crio"),
    Exactly("cri-dockerd"),
    Exactly("kubelet"),
    Exactly("kube-proxy"),
    Exactly("k3s"),
    Exactly("k3s-server"),
    Exactly("k3s-agent"),
    Exactly("k0s"),
    Exactly("rke2"),
    Exactly("lxd"),
    Exactly("incusd"),
    Exactly("systemd-nspawn"),
    Exactly("com.docker.backend"),
    Exactly("com.docker.backend.exe"),
    Exactly("com.docker.virtualization"),
];

/// Processes that one container, or the containers of one user, depend on.
const CONTAINER_HELPERS: &[NamePattern] = &[
    Prefix("containerd-shim"),
    Exactly("conmon"),
    Exactly("conmonrs"),
    Exactly("docker-proxy"),
    Exactly("docker-init"),
    Exactly("rootlesskit-docker-proxy"),
    Prefix("rootlessport"),
    Exactly("slirp4netns"),
    Exactly("pasta"),
    Exactly("pasta.avx2"),
    Exactly("passt"),
    Exactly("passt.avx2"),
    Exactly("aardvark-dns"),
    Exactly("netavark"),
    Exactly("runc"),
    Exactly("crun"),
    Exactly("youki"),
    Exactly("runsc"),
    Exactly("lxc-start"),
    Exactly("lxc-execute"),
    Exactly("forkproxy"),
];

/// Processes that forward ports into a virtual machine.
const MACHINE_HELPERS: &[NamePattern] = &[
    Exactly("gvproxy"),
    Exactly("gvproxy.exe"),
    Exactly("vpnkit"),
    Exactly("vpnkit-bridge"),
    Exactly("com.docker.vpnkit"),
    Exactly("limactl"),
    Exactly("OrbStack Helper"),
    Exactly("host-switch.exe"),
    Exactly("wslrelay.exe"),
    Exactly("wslhost.exe"),
    Exactly("wslservice.exe"),
    Exactly("vmmem"),
    Exactly("vmmemWSL"),
];

/// Returns the role of a process. `None` if it stands for no others.
pub(crate) fn role(process: &Process) -> Option<Role> {
    let is = |known: &[NamePattern]| {
        names(process).any(|name| {
            known.iter().any(|known| match known {
                Exactly(known) => name.eq_ignore_ascii_case(known.as_bytes()),
                Prefix(known) => {
                    name.get(..known.len()).is_some_and(|start| start.eq_ignore_ascii_case(known.as_bytes()))
                }
            })
        })
    };
    let has = |argument: &[u8]| arguments(process).any(|one| one.as_bytes() == argument);
    match () {
        () if process.id.pid == 1 => Some(Role::FirstProcess),
        () if is(&[Exactly("systemd")]) && has(b"--user") => Some(Role::UserManager),
        // If the arguments cannot be read, it may be a manager of either kind.
        () if is(&[Exactly("systemd"), Exactly("launchd"), Exactly("services.exe"), Exactly("init")]) => {
            Some(Role::ServiceManager)
        }
        () if is(&[Exactly("dbus-daemon"), Exactly("dbus-broker"), Exactly("dbus-broker-launch")]) => {
            Some(Role::MessageBus)
        }
        () if is(&[Exactly("svchost.exe")]) => Some(Role::ServiceHost),
        () if is(ENGINES) => Some(Role::Engine),
        () if is(CONTAINER_HELPERS) => Some(Role::ContainerHelper),
        () if is(MACHINE_HELPERS) => Some(Role::MachineHelper),
        () if is(&[Exactly("wineserver"), Exactly("wineserver32"), Exactly("wineserver64")]) => {
            Some(Role::Wineserver)
        }
        () if is_ssh_master(process) => Some(Role::SshMaster),
        () if is_ssh_session(process) => Some(Role::SshSession),
        // A super-server that runs a single program and forwards signals to it may be ended like that program.
        () if holds_for_others(process).is_some_and(|held| !held.one_program) => Some(Role::SuperServer),
        () => None,
    }
}

/// Returns the three names of a process, without paths.
fn names(process: &Process) -> impl Iterator<Item = &[u8]> {
    let file = process.executable.as_ref().map(|path| {
        let name = path.file_name();
        deleted_path(name).unwrap_or(name)
    });
    let first = process.command.as_ref().and_then(|command| command.first()).map(first_name);
    [Some(process.name.as_bytes()), file, first].into_iter().flatten()
}

/// Returns the program's name in a first argument. A title such as `conmon: x` ends at its colon; the title
/// `[lxc monitor] /var/lib/lxc web` belongs to lxc-start.
fn first_name(argument: &Text) -> &[u8] {
    if argument.as_bytes().starts_with(b"[lxc monitor]") {
        return b"lxc-start";
    }
    let end = argument.as_bytes().iter().position(|byte| matches!(byte, b' ' | b':'));
    let name = argument.as_bytes().get(..end.unwrap_or(usize::MAX).min(argument.as_bytes().len()));
    let name = name.unwrap_or_default();
    let start = name.iter().rposition(|byte| matches!(byte, b'/' | b'\\')).map_or(0, |at| at + 1);
    name.get(start..).unwrap_or_default()
}

fn arguments(process: &Process) -> impl Iterator<Item = &Text> {
    process.command.iter().flatten().skip(1)
}

/// Returns whether a process serves one ssh login, and is not the server that listens. Before OpenSSH 9.8 both have one
/// file, and a session has a title: `sshd: dev@pts/0`, `sshd: dev [priv]`. From 9.8 on a session runs the file
/// `sshd-session`. The server has no title, or one with `[listener]`.
fn is_ssh_session(process: &Process) -> bool {
    if names(process).any(|name| matches!(name, b"sshd-session" | b"sshd-auth")) {
        return true;
    }
    let title = process.command.as_ref().and_then(|command| command.first());
    names(process).any(|name| name == b"sshd")
        && title.is_some_and(|title| {
            let title = title.as_bytes();
            title.starts_with(b"sshd: ")
                && !title.windows(b"[listener]".len()).any(|part| part == b"[listener]")
        })
}

/// Returns whether a process is the master of a shared connection (ControlMaster of ssh_config(5)), by the title that
/// OpenSSH sets: `ssh: /home/dev/.ssh/ctl [mux]`.
fn is_ssh_master(process: &Process) -> bool {
    let title = process.command.as_ref().and_then(|command| command.first());
    names(process).any(|name| name == b"ssh")
        && title.is_some_and(|title| {
            title.as_bytes().starts_with(b"ssh: ") && title.as_bytes().ends_with(b" [mux]")
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::ProcessId;

    fn process(name: &str, executable: &str, command: &[&str]) -> Process {
        let mut process = Process::new(ProcessId { pid: 4121, start: Some(1) }, name.into());
        process.executable = Some(executable.into()).filter(|path: &Text| !path.is_empty());
        process.command = Some(command.iter().map(|argument| Text::from(*argument)).collect());
        process
    }

    #[test]
    fn processes_that_stand_for_others() {
        for (name, executable, command, expected) in [
            (
                "systemd",
                "/usr/lib/systemd/systemd",
                &["/usr/lib/systemd/systemd", "--user"][..],
                Role::UserManager,
            ),
            ("systemd", "", &[], Role::ServiceManager),
            ("launchd", "/sbin/launchd", &["/sbin/launchd"], Role::ServiceManager),
            ("svchost.exe", "", &[], Role::ServiceHost),
            ("dbus-daemon", "/usr/bin/dbus-daemon", &["/usr/bin/dbus-daemon", "--session"], Role::MessageBus),
            ("dockerd", "/usr/bin/python3.11", &["/usr/bin/dockerd", "--userland-proxy=false"], Role::Engine),
            ("exe", "/usr/bin/dockerd (deleted)", &["x"], Role::Engine),
            ("podman", "/usr/bin/podman", &["podman", "system", "service"], Role::Engine),
            ("containerd-shim", "/usr/bin/containerd-shim-runc-v2", &[], Role::ContainerHelper),
            ("docker-pr", "", &["/usr/bin/docker-proxy", "-proto", "tcp"], Role::ContainerHelper),
            (
                "rootlessport-ch",
                "/usr/lib/podman/rootlessport",
                &["rootlessport-child"],
                Role::ContainerHelper,
            ),
            ("pasta.avx2", "/usr/bin/pasta.avx2", &["/usr/bin/pasta", "--config-net"], Role::ContainerHelper),
            ("lxc-start", "/usr/bin/lxc-start", &["[lxc monitor] /var/lib/lxc web"], Role::ContainerHelper),
            ("wslrelay.exe", "", &[], Role::MachineHelper),
            ("wineserver", "/usr/lib/wine/wineserver64", &["/usr/lib/wine/wineserver"], Role::Wineserver),
            ("sshd-session", "/usr/lib/openssh/sshd-session", &["sshd-session: dev@pts/1"], Role::SshSession),
            ("sshd", "/usr/sbin/sshd", &["sshd: dev@notty"], Role::SshSession),
            ("ssh", "/usr/bin/ssh", &["ssh: /home/dev/.ssh/ctl [mux]"], Role::SshMaster),
            ("sshd", "/usr/sbin/sshd", &["sshd: dev [priv]"], Role::SshSession),
            (
                "supervisord",
                "/usr/bin/python3.11",
                &["/usr/bin/python3", "/usr/bin/supervisord", "-n"],
                Role::SuperServer,
            ),
            ("xinetd", "/usr/sbin/xinetd", &["/usr/sbin/xinetd", "-dontfork"], Role::SuperServer),
        ] {
            assert_eq!(role(&process(name, executable, command)), Some(expected), "{name} {command:?}");
        }
        let mut first = process("node", "/usr/bin/node", &["node"]);
        first.id.pid = 1;
        assert_eq!(role(&first), Some(Role::FirstProcess));
    }

    #[test]
    fn programs_without_a_role() {
        for (name, executable, command) in [
            ("node", "/usr/bin/node", &["node", "dockerd"][..]),
            ("sshd", "/usr/sbin/sshd", &["sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"]),
            ("sshd", "/usr/sbin/sshd", &["/usr/sbin/sshd", "-D"]),
            ("ssh", "/usr/bin/ssh", &["ssh", "-L", "3000:localhost:3000", "host"]),
            ("gunicorn", "/usr/bin/python3", &["gunicorn: master [app:app]"]),
            ("nginx", "/usr/sbin/nginx", &["nginx: master process nginx"]),
            (
                "php-fpm8.2",
                "/usr/sbin/php-fpm8.2",
                &["php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)"],
            ),
            ("systemd-resolve", "/usr/lib/systemd/systemd-resolved", &["/usr/lib/systemd/systemd-resolved"]),
            ("python3", "/usr/bin/python3", &["python3", "systemd", "--user"]),
            ("", "", &[]),
        ] {
            assert_eq!(role(&process(name, executable, command)), None, "{name} {command:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes(name: Vec<u8>, executable: Vec<u8>, command: Vec<Vec<u8>>) {
            let mut process = process("", "", &[]);
            process.name = name.into();
            process.executable = Some(executable.into());
            process.command = Some(command.into_iter().map(Text::from).collect());
            let _ = role(&process);
        }
    }
}
