//! How a snapshot was read.

use std::fmt;

use crate::model::{BpfStep, BpfUnavailable, HolderMethod, TableSource};
#[cfg(feature = "cli")]
use crate::model::{Family, Protocol, Sources, TableRead};

/// Returns a line for each source of a snapshot, safe to print: `holders: by a walk through /proc`.
#[cfg(feature = "cli")]
pub(crate) fn sources(sources: &Sources) -> Vec<String> {
    let tables = sources.tables.iter().map(|read| format!("sockets: {}", tables(read)));
    let holders = sources.holders.iter().map(|method| format!("holders: {method}"));
    tables.chain(holders).map(|line| crate::render::escape::escape(&line.as_str().into())).collect()
}

#[cfg(feature = "cli")]
fn tables(read: &TableRead) -> String {
    let name = |(protocol, family): &(Protocol, Family)| match family {
        Family::Unix => family.as_str().to_owned(),
        Family::Ipv4 | Family::Ipv6 => format!("{}/{}", protocol.as_str(), family.as_str()),
    };
    let names = read.tables.iter().map(name).collect::<Vec<_>>().join(", ");
    format!("{names}: from {}", read.source)
}

/// The source in a phrase that follows "from". An error may contain control characters.
impl fmt::Display for TableSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TableSource::Netlink => f.write_str("netlink (sock_diag)"),
            TableSource::ProcNet { error: None } => f.write_str("/proc/net"),
            TableSource::ProcNet { error: Some(error) } => {
                write!(f, "/proc/net ({})", error.to_string_lossy())
            }
        }
    }
}

/// The method in a phrase. An error may contain control characters.
impl fmt::Display for HolderMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HolderMethod::Bpf => "by the BPF iterator task_file",
            HolderMethod::BpfAndWalk => "by the BPF iterator task_file, and by a walk through /proc",
            HolderMethod::Walk { not_bpf: None } => "by a walk through /proc",
            HolderMethod::Walk { not_bpf: Some(reason) } => {
                return write!(f, "by a walk through /proc (not by BPF: {reason})");
            }
            HolderMethod::Libproc => "by libproc's descriptor tables",
            HolderMethod::SocketTable => "as the socket table names them",
        })
    }
}

/// The reason in a sentence.
impl fmt::Display for BpfUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BpfUnavailable::FewFiles => f.write_str("few files are open here"),
            BpfUnavailable::Capabilities => f.write_str("it needs CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN"),
            BpfUnavailable::HiddenProc => f.write_str("this /proc hides processes"),
            BpfUnavailable::TimeNamespace => f.write_str("this process is in a time namespace of its own"),
            BpfUnavailable::PidNamespace => f.write_str("this process is in a pid namespace of its own"),
            BpfUnavailable::ForeignProc => f.write_str("/proc shows another pid namespace"),
            BpfUnavailable::Lockdown => {
                f.write_str("the kernel is locked down (/sys/kernel/security/lockdown: confidentiality)")
            }
            BpfUnavailable::PerhapsLockdown { error } => write!(
                f,
                "cannot load the program: {}; a kernel in lockdown answers so, and /sys/kernel/security/lockdown \
                 cannot be read",
                error.to_string_lossy()
            ),
            BpfUnavailable::Failed { step, error } => {
                let attempted = match step {
                    BpfStep::ReadTypes => "read the kernel's type information",
                    BpfStep::MakeMap => "make a map",
                    BpfStep::LoadProgram => "load the program",
                    BpfStep::MakeIterator => "make an iterator",
                    BpfStep::ReadIterator => "read the iterator",
                };
                write!(f, "cannot {attempted}: {}", error.to_string_lossy())
            }
        }
    }
}
