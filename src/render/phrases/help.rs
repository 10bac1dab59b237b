//! The sentences about what would help.

use std::fmt;

use super::{allears_with_sudo, name_and_pid};
use crate::model::text::acts_on_terminal;
use crate::model::{Help, MissingPermissions, OpenFilesLimit, PrivilegePurpose, ScanTarget, Text};
use crate::render::escape::escape;

/// Returns what would help, safe to print.
pub(crate) fn help(help: &Help) -> String {
    escape(&Text::from_display(help))
}

/// Returns the phrase for what would help: only a command line if that is all.
impl fmt::Display for Help {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Help::Privileges(PrivilegePurpose::SeeOne) => f.write_str("run with sudo to see it"),
            Help::Privileges(PrivilegePurpose::SeeMany) => f.write_str("run with sudo to see them"),
            Help::Privileges(PrivilegePurpose::Enter) => f.write_str("run with sudo to enter them"),
            Help::PrivilegesOrGroup => {
                f.write_str("run with sudo to see them, or as a member of the socket's group")
            }
            Help::PrivilegedScan { target, missing } => {
                match (privileged_scan(target.as_ref()), missing) {
                    (Some(command), MissingPermissions::Privileges) => f.write_str(&command),
                    (Some(command), missing) => write!(f, "{command} ({missing})"),
                    (None, missing) => write!(f, "{missing}"),
                }
            }
            Help::PrivilegedWhy { port } => {
                match allears_with_sudo(&["why", &port.to_string()]) {
                    Some(command) => write!(f, "{command} reads them"),
                    None => write!(f, "{}", MissingPermissions::Privileges),
                }
            }
            Help::Rights(missing) => write!(f, "{missing}"),
            Help::Why { port: Some(port) } => {
                write!(f, "allears why {port} tests whether the port can be bound")
            }
            Help::Why { port: None } => f.write_str("allears why PORT tests whether a port can be bound"),
            Help::RaiseProcessLimit => f.write_str("raise the limit of processes (ulimit -u, pids.max)"),
            Help::TooManyFiles { limit } => {
                write!(f, "too many open files to read every process: {limit}")
            }
            Help::ScanAgain => f.write_str("scan again"),
            Help::HolderEnded => f.write_str("its holder ended during the scan; scan again"),
            Help::AfterMessage => f.write_str("scan again after the message is received"),
            Help::AfterMessages => f.write_str(
                "fewer descriptors wait there than there are sockets that nobody holds: scan again when the message \
                 was received",
            ),
            Help::NoProcessNamed => f.write_str("the system names no process for it; scan again"),
            Help::OutsidePidNamespace => {
                f.write_str("a process outside this pid namespace may hold it: run allears there")
            }
            Help::MatchingProc => f.write_str(
                "run allears in the pid namespace whose processes /proc shows, or mount the /proc of this one",
            ),
            Help::KernelServices => f.write_str(
                "a service of the kernel may have it, or a request that does not show: ip -d link, exportfs -v and \
                 rpcinfo -p list some that listen",
            ),
            Help::InheritedHandle { pid, later: Some(later) } => write!(
                f,
                "it was opened before {} began, whose pid its row names: either the pid was reused \
                 and a child of the process before inherited the handle, or the clock was set back",
                name_and_pid(later, *pid)
            ),
            Help::InheritedHandle { pid, later: None } => {
                write!(f, "its process (pid {pid}) has ended; one of its children inherited the handle")
            }
            Help::OneDocument => f.write_str("save a snapshot with --json, not with --ndjson"),
            Help::AutomaticReader => f.write_str("--reader auto reads /proc/net instead"),
            Help::KnownUser => f.write_str("write a name or a number that the user database knows"),
            Help::OtherRuntime => f.write_str("DOCKER_HOST=unix:///PATH names the socket of another one"),
            Help::HangingRuntime => f.write_str("see whether the runtime hangs"),
            Help::Text(text) => f.write_str(&text.to_string_lossy()),
        }
    }
}

/// Returns the command line that scans a target as root. A path that cannot be quoted becomes all Unix sockets.
fn privileged_scan(target: Option<&ScanTarget>) -> Option<String> {
    let holds = |path: &Text| path.as_str().is_some_and(|text| !text.chars().any(acts_on_terminal));
    match target {
        None => allears_with_sudo::<&str>(&[]),
        Some(ScanTarget::Port(port)) => allears_with_sudo(&[port.to_string()]),
        Some(ScanTarget::UdpLitePort(port)) => allears_with_sudo(&[format!("udplite/{port}")]),
        Some(ScanTarget::Path(path)) if holds(path) => allears_with_sudo(&[path]),
        Some(ScanTarget::Path(_) | ScanTarget::AllUnix) => allears_with_sudo(&["-x"]),
    }
}

/// The limit, and how to raise it, in a sentence.
impl fmt::Display for OpenFilesLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenFilesLimit::Process(limit) => {
                write!(f, "the limit of this shell is {limit}; raise it with ulimit -n")
            }
            OpenFilesLimit::System => f.write_str("the limit of the whole system is reached (fs.file-max)"),
        }
    }
}

impl fmt::Display for MissingPermissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MissingPermissions::Privileges => "run with sudo to see them",
            MissingPermissions::UserNamespace => {
                "run allears outside of this user namespace, which has no permission on processes outside of it"
            }
            MissingPermissions::Guarded => {
                "these processes have more capabilities than this one, or a security module guards them"
            }
            MissingPermissions::Capabilities { sys_ptrace: true, dac_read_search: true } => {
                "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH are missing here"
            }
            MissingPermissions::Capabilities { sys_ptrace: true, .. } => "CAP_SYS_PTRACE is missing here",
            MissingPermissions::Capabilities { .. } => "CAP_DAC_READ_SEARCH is missing here",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_is_a_command_if_it_can_be_one() {
        let scan = |target, missing| Help::PrivilegedScan { target: Some(target), missing }.to_string();
        let command = allears_with_sudo(&["80"]).unwrap();
        assert_eq!(scan(ScanTarget::Port(80), MissingPermissions::Privileges), command);
        let missing = MissingPermissions::Capabilities { sys_ptrace: false, dac_read_search: true };
        assert_eq!(
            scan(ScanTarget::Port(80), missing),
            format!("{command} (CAP_DAC_READ_SEARCH is missing here)")
        );
        let all = allears_with_sudo(&["-x"]).unwrap();
        assert_eq!(scan(ScanTarget::Path("/run/\u{1b}".into()), MissingPermissions::Privileges), all);
        assert_eq!(scan(ScanTarget::AllUnix, MissingPermissions::Privileges), all);
    }
}
