//! What a trial needs of the machine, and whether it is there.
//! A missing need makes a trial skipped with the reason said, never passed.

use super::place::is_root;
use std::process::{Command, Stdio};

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
    /// A second loopback address, `::1`.
    Ipv6,
}

impl Need {
    /// Network namespaces of one's own.
    pub(crate) const NETWORK_NAMESPACE: Self =
        Self::Success("network namespaces", &["unshare", "--net", "ip", "link", "set", "lo", "up"]);
    /// Mount namespaces of one's own, with something mounted there.
    pub(crate) const MOUNT_NAMESPACE: Self =
        Self::Success("mount namespaces", &["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/proc"]);
    /// Pid namespaces of one's own.
    pub(crate) const PID_NAMESPACE: Self =
        Self::Success("pid namespaces", &["unshare", "--pid", "--fork", "--mount-proc", "true"]);
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
            Self::Ipv6 => (std::net::UdpSocket::bind("[::1]:0").is_ok(), "IPv6".to_owned()),
        };
        (!there).then(|| format!("needs {what}"))
    }
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
