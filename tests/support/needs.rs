//! What a trial needs of the machine, and whether it is there.
//! A missing need makes a trial skipped with the reason said, never passed.

use super::is_root;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// One thing that not every machine has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Need {
    /// Linux, for what only it has or tells.
    Linux,
    /// Uid 0, which may become other users.
    Root,
    /// A program on the PATH.
    Program(&'static str),
    /// Something that is found out by trying: a command that must succeed, and what it stands for.
    Success(&'static str, &'static [&'static str]),
    /// This Linux or a later one.
    Kernel(u32, u32),
    /// Rings of io_uring.
    IoUring,
    /// File systems in user space.
    Fuse,
    /// A cgroup2 hierarchy in which this user may make groups.
    Cgroup,
    /// Windows that can be shown.
    #[cfg(windows)]
    Windows,
    /// A second loopback address, `::1`.
    Ipv6,
    /// Multipath TCP.
    Mptcp,
    /// UDP-Lite, which newer kernels have no more.
    #[cfg(target_os = "linux")]
    UdpLite,
    /// A Docker engine that answers this user and publishes ports in this network.
    Docker,
}

impl Need {
    /// Network namespaces of one's own.
    pub(crate) const NETWORK_NAMESPACE: Self =
        Self::Success("network namespaces", &["unshare", "--net", "ip", "link", "set", "lo", "up"]);
    /// A process that is told the name of a kernel of version 2.6.
    pub(crate) const OLD_RELEASE: Self =
        Self::Success("personalities of older kernels", &["setarch", "--uname-2.6", "true"]);
    /// Servers and supervisors from PyPI, which this user may not be able to run though they are on the PATH.
    pub(crate) const CIRCUSD: Self = Self::Success("circusd", &["circusd", "--version"]);
    pub(crate) const GUNICORN: Self = Self::Success("gunicorn", &["gunicorn", "--version"]);
    pub(crate) const GRANIAN: Self = Self::Success("granian", &["granian", "--version"]);
    /// Mount namespaces of one's own, with something mounted there.
    pub(crate) const MOUNT_NAMESPACE: Self =
        Self::Success("mount namespaces", &["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/proc"]);
    /// File systems of overlayfs over two others, mounted in a namespace of one's own.
    pub(crate) const OVERLAY: Self = Self::Success(
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
    /// Pid namespaces of one's own.
    pub(crate) const PID_NAMESPACE: Self =
        Self::Success("pid namespaces", &["unshare", "--pid", "--fork", "--mount-proc", "true"]);
    /// User namespaces of a user without rights.
    #[cfg(target_os = "linux")]
    pub(crate) const USER_NAMESPACE: Self = Self::Success(
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
    /// Tunnels that the kernel answers for by itself.
    pub(crate) const VXLAN: Self = Self::Success(
        "vxlan links",
        &["unshare", "--net", "ip", "link", "add", "vx0", "type", "vxlan", "id", "42", "dstport", "4789"],
    );
    /// A BPF iterator, for which there is a kernel with type information and a user with all rights in the first pid
    /// namespace. One that has the iterator and refuses it is no reason to skip.
    pub(crate) const BPF_ITERATOR: Self = Self::Success(
        "BPF iterators",
        &[
            "sh",
            "-c",
            "test -r /sys/kernel/btf/vmlinux && test $(id -u) = 0 && \
            test $(readlink /proc/self/ns/pid) = 'pid:[4026531836]' && \
            capsh --has-p=cap_bpf --has-p=cap_perfmon",
        ],
    );
    /// Time namespaces of one's own.
    pub(crate) const TIME_NAMESPACE: Self =
        Self::Success("time namespaces", &["unshare", "--time", "--fork", "--boottime=3600", "true"]);
    /// Looking at another program's system calls.
    pub(crate) const STRACE: Self =
        Self::Success("a working strace", &["strace", "-f", "-o", "/dev/null", "true"]);

    /// Why it is not there, if it is not.
    pub(crate) fn missing(self) -> Option<String> {
        let (there, what) = match self {
            Self::Linux => (cfg!(target_os = "linux"), "Linux".to_owned()),
            Self::Root => (is_root(), "root".to_owned()),
            Self::Program(name) => (on_path(name), name.to_owned()),
            Self::Success(what, command) => (succeeds(command), what.to_owned()),
            Self::Kernel(major, minor) => (kernel() >= (major, minor), format!("Linux {major}.{minor}")),
            Self::IoUring => (has_rings(), "io_uring".to_owned()),
            Self::Fuse => (Path::new("/dev/fuse").exists(), "/dev/fuse".to_owned()),
            Self::Cgroup => (cgroup_root().is_some(), "a cgroup2 file system to write to".to_owned()),
            Self::Mptcp => {
                let enabled = std::fs::read_to_string("/proc/sys/net/mptcp/enabled");
                (enabled.is_ok_and(|value| value.trim() == "1"), "multipath TCP".to_owned())
            }
            #[cfg(target_os = "linux")]
            Self::UdpLite => (Path::new("/proc/net/udplite").exists(), "UDP-Lite".to_owned()),
            #[cfg(unix)]
            Self::Docker => (super::docker::engine_answers(), "a Docker engine that answers".to_owned()),
            #[cfg(not(unix))]
            Self::Docker => (false, "a Docker engine".to_owned()),
            #[cfg(windows)]
            Self::Windows => (shows_windows(), "windows that can be shown".to_owned()),
            Self::Ipv6 => (std::net::UdpSocket::bind("[::1]:0").is_ok(), "IPv6".to_owned()),
        };
        (!there).then(|| format!("needs {what}"))
    }

    /// Whether a machine may lack it even where nothing may be skipped: another system is no Linux, and no package that
    /// is installed for the tests brings a running engine. One that runs and does not answer is no such case.
    pub(crate) fn may_be_missing(self) -> bool {
        match self {
            Self::Linux => true,
            #[cfg(target_os = "linux")]
            Self::UdpLite => true,
            #[cfg(unix)]
            Self::Docker => !super::docker::engine_here(),
            #[cfg(not(unix))]
            Self::Docker => true,
            _ => false,
        }
    }
}

/// Where a cgroup2 hierarchy is mounted in which cgroups can be made. It is tried once: tests run at the same time.
pub(crate) fn cgroup_root() -> Option<PathBuf> {
    static ROOT: OnceLock<Option<PathBuf>> = OnceLock::new();
    ROOT.get_or_init(find_cgroup_root).clone()
}

fn find_cgroup_root() -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    let mut fields = mounts.lines().map(|line| line.split(' '));
    let mounted = fields.find_map(|mut line| {
        let place = line.nth(1)?;
        (line.next()? == "cgroup2").then(|| PathBuf::from(place))
    })?;
    let probe = mounted.join(format!("allears-probe-{}", std::process::id()));
    let made = std::fs::create_dir(&probe);
    let _absent_where_it_was_not_made = std::fs::remove_dir(&probe);
    made.is_ok().then_some(mounted)
}

/// Whether the fixture can show one; without input it ends at once.
#[cfg(windows)]
fn shows_windows() -> bool {
    let mut command = Command::new(super::fixture_program());
    command.arg("window").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Whether this user may set up a ring. It is tried: /proc/sys/kernel/io_uring_disabled is there since Linux 6.6 alone,
/// and policies of containers refuse rings without it.
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
