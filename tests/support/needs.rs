//! What a test needs of the machine, and whether this machine has it.
//! A test with a missing need is skipped with the reason; it never counts as passed.
//!
//! A need is probed when the first test that has it runs, and only once.

use super::{cgroup_root, is_root};
use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

/// Something that not every machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Need {
    /// The operating system Linux.
    Linux,
    /// Uid 0, which may switch to other users.
    Root,
    /// A program on the PATH.
    Program(&'static str),
    /// A Python package from PyPI that `.ci/pypi.txt` has, for an interpreter on the PATH.
    Module(&'static str),
    /// What a command needs to succeed: its name, and the command.
    Probe(&'static str, &'static [&'static str]),
    /// This version of Linux or a later one.
    Kernel(u32, u32),
    /// Rings of io_uring.
    IoUring,
    /// File systems in user space.
    Fuse,
    /// A cgroup2 hierarchy in which this user may create cgroups.
    Cgroup,
    /// Windows that can be shown.
    #[cfg(windows)]
    Windows,
    /// The loopback address of IPv6, `::1`.
    Ipv6,
    /// Multipath TCP.
    Mptcp,
    /// BPF programs at functions of the kernel.
    #[cfg(target_os = "linux")]
    FunctionTracing,
    /// UDP-Lite, which newer kernels no longer have.
    #[cfg(target_os = "linux")]
    UdpLite,
    /// A Docker engine that answers this user and publishes ports in this network namespace.
    Docker,
    /// A process of its own, in which no other test starts programs: such a program has copies of all sockets until its
    /// exec(2), so that a socket that the test has closed may still be open.
    OwnProcess,
    /// All of these.
    All(&'static [Self]),
}

/// A need that this machine does not have.
pub(crate) struct Missing {
    /// What is missing.
    pub(crate) why: String,
    /// Whether a test fails because of it under `ALLEARS_NO_SKIP=1`.
    pub(crate) is_expected: bool,
}

// `#[live_test(..)]` names the variants without their type.
pub(crate) use Need::*;

/// Why a need is missing, if it is; set by the first test that asks.
type Probed = Arc<OnceLock<Option<String>>>;

static PROBED: LazyLock<Mutex<HashMap<Need, Probed>>> = LazyLock::new(Mutex::default);

impl Need {
    /// Returns what is missing, or `None` if this machine has it. Probes it once.
    pub(crate) fn missing(self) -> Option<Missing> {
        if let Self::All(needs) = self {
            return needs.iter().find_map(|need| need.missing());
        }
        let probed = {
            let mut probed = PROBED.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(probed.entry(self).or_default())
        };
        // Tests with other needs do not wait for this probe.
        let why = probed.get_or_init(|| self.probe()).clone()?;
        Some(Missing { why, is_expected: !self.may_be_missing() })
    }

    fn probe(self) -> Option<String> {
        let (there, what) = match self {
            Self::Linux => (cfg!(target_os = "linux"), "Linux".to_owned()),
            Self::Root => (is_root(), "root".to_owned()),
            Self::Program(name) => (on_path(name), name.to_owned()),
            Self::Module(name) => (super::python(name).is_some(), format!("PyPI's {name}")),
            Self::Probe(what, command) => (succeeds(command), what.to_owned()),
            Self::Kernel(major, minor) => (kernel() >= (major, minor), format!("Linux {major}.{minor}")),
            Self::IoUring => (has_rings(), "io_uring".to_owned()),
            Self::Fuse => (Path::new("/dev/fuse").exists(), "/dev/fuse".to_owned()),
            Self::Cgroup => (cgroup_root().is_some(), "a cgroup2 file system to write to".to_owned()),
            Self::Mptcp => {
                let enabled = std::fs::read_to_string("/proc/sys/net/mptcp/enabled");
                (enabled.is_ok_and(|value| value.trim() == "1"), "multipath TCP".to_owned())
            }
            #[cfg(target_os = "linux")]
            Self::FunctionTracing => return super::tracing::refusal().map(|why| format!("needs {why}")),
            #[cfg(target_os = "linux")]
            Self::UdpLite => (Path::new("/proc/net/udplite").exists(), "UDP-Lite".to_owned()),
            #[cfg(unix)]
            Self::Docker => (super::docker::engine_answers(), "a Docker engine that answers".to_owned()),
            #[cfg(not(unix))]
            Self::Docker => (false, "a Docker engine".to_owned()),
            #[cfg(windows)]
            Self::Windows => (shows_windows(), "windows that can be shown".to_owned()),
            Self::OwnProcess => return None,
            Self::All(_) => return self.missing().map(|missing| missing.why),
            Self::Ipv6 => (std::net::UdpSocket::bind("[::1]:0").is_ok(), "IPv6".to_owned()),
        };
        (!there).then(|| format!("needs {what}"))
    }

    /// Returns whether a test may be skipped because it is missing even with `ALLEARS_NO_SKIP=1`: no package makes another system
    /// Linux, changes what its kernel permits, or brings a running engine. An engine that runs and does not answer is a failure.
    fn may_be_missing(self) -> bool {
        match self {
            Self::Linux => true,
            #[cfg(target_os = "linux")]
            Self::UdpLite | Self::FunctionTracing => true,
            #[cfg(unix)]
            Self::Docker => !super::docker::engine_here(),
            #[cfg(not(unix))]
            Self::Docker => true,
            _ => false,
        }
    }
}

/// Permission to create network namespaces.
pub(crate) const NETWORK_NAMESPACE: Need =
    Probe("network namespaces", &["unshare", "--net", "ip", "link", "set", "lo", "up"]);
/// A personality that reports a kernel of version 2.6.
pub(crate) const OLD_RELEASE: Need =
    Probe("personalities of older kernels", &["setarch", "--uname-2.6", "true"]);
/// Servers and supervisors from PyPI. This user may be unable to run them although they are on the PATH.
pub(crate) const CIRCUSD: Need = Probe("circusd", &["circusd", "--version"]);
pub(crate) const GUNICORN: Need = Probe("gunicorn", &["gunicorn", "--version"]);
pub(crate) const GRANIAN: Need = Probe("granian", &["granian", "--version"]);
/// Permission to create mount namespaces and to mount in them.
pub(crate) const MOUNT_NAMESPACE: Need =
    Probe("mount namespaces", &["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/proc"]);
/// Overlays over two file systems, mounted in a new mount namespace.
pub(crate) const OVERLAY: Need = Probe(
    "overlays over two file systems",
    &[
        "unshare",
        "--mount",
        "sh",
        "-c",
        "mount -t tmpfs tmpfs /mnt && mkdir /mnt/upper /mnt/work /mnt/merged && mount -t overlay overlay \
        -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /mnt/merged",
    ],
);
/// Permission to create pid namespaces.
pub(crate) const PID_NAMESPACE: Need =
    Probe("pid namespaces", &["unshare", "--pid", "--fork", "--mount-proc", "true"]);
/// User namespaces for unprivileged users.
#[cfg(target_os = "linux")]
pub(crate) const USER_NAMESPACE: Need = Probe(
    "user namespaces",
    &[
        "setpriv",
        "--reuid=65533",
        "--regid=65533",
        "--clear-groups",
        "unshare",
        "--user",
        "--map-root-user",
        "true",
    ],
);
/// VXLAN tunnels, which the kernel serves without a process.
pub(crate) const VXLAN: Need = Probe(
    "vxlan links",
    &["unshare", "--net", "ip", "link", "add", "vx0", "type", "vxlan", "id", "42", "dstport", "4789"],
);
/// A BPF iterator: a kernel with type information, and root with all capabilities in the initial pid namespace. A kernel
/// that has the iterator and refuses it is no reason to skip.
pub(crate) const BPF_ITERATOR: Need = Probe(
    "BPF iterators",
    &[
        "sh",
        "-c",
        "test -r /sys/kernel/btf/vmlinux && test $(id -u) = 0 && \
        test $(readlink /proc/self/ns/pid) = 'pid:[4026531836]' && \
        capsh --has-p=cap_bpf --has-p=cap_perfmon",
    ],
);
/// Permission to create time namespaces.
pub(crate) const TIME_NAMESPACE: Need =
    Probe("time namespaces", &["unshare", "--time", "--fork", "--boottime=3600", "true"]);
/// Tracing the system calls of another program.
pub(crate) const STRACE: Need = Probe("a working strace", &["strace", "-f", "-o", "/dev/null", "true"]);

/// A systemd of the test's own, with a user manager.
pub(crate) const SYSTEMD: Need = All(&[
    Linux,
    Root,
    Cgroup,
    Program("systemd"),
    Program("dbus-daemon"),
    Program("nsenter"),
    Program("setpriv"),
    MOUNT_NAMESPACE,
]);
/// A Docker engine of the test's own, in a new network namespace.
pub(crate) const PRIVATE_ENGINE: Need =
    All(&[Linux, Root, Docker, Program("dockerd"), Program("iptables"), NETWORK_NAMESPACE, MOUNT_NAMESPACE]);
/// A Podman of the test's own, in a new network namespace.
pub(crate) const PODMAN: Need =
    All(&[Linux, Root, Program("podman"), Program("runc"), NETWORK_NAMESPACE, MOUNT_NAMESPACE]);
/// Permission to create a pair of network devices.
pub(crate) const VETH: Need =
    Probe("veth links", &["unshare", "--net", "ip", "link", "add", "x0", "type", "veth"]);

/// Permission to add nftables rules.
pub(crate) const NFT: Need = Probe(
    "nftables",
    &["unshare", "--net", "nft", "add table ip t; add chain ip t c { type nat hook output priority -100; }"],
);

/// Returns whether the fixture can show a window. Without input it ends at once.
#[cfg(windows)]
fn shows_windows() -> bool {
    let mut command = Command::new(super::fixture_program());
    command.arg("window").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Returns whether this user may set up a ring. Only an attempt shows it: /proc/sys/kernel/io_uring_disabled exists since
/// Linux 6.6, and policies of containers refuse rings without it.
fn has_rings() -> bool {
    let mut command = Command::new(super::fixture_program());
    command.args(["tcp=127.0.0.1:0", "ring"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn kernel() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map_while(|part| part.trim().parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let name = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&path).any(|folder| folder.join(&name).is_file())
}

fn succeeds(command: &[&str]) -> bool {
    let Some((program, arguments)) = command.split_first() else { return false };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
