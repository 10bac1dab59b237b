//! The sentences about what could not be read.

use std::fmt;

use super::coverage;
use crate::model::{
    Family, Gap, GapDetail, NetshList, SilentRuntime, Text, UnlistedBound, UnreadRules, UnreadableReply,
};

/// What /proc/net and /proc/PID/net leave out.
const PROC_NET_LACKS: &str = "which lacks queues, v6-only, interfaces and cgroups";

/// Returns the sentence about a gap, safe to print.
#[cfg(feature = "cli")]
pub(crate) fn gap(gap: &Gap) -> String {
    crate::render::escape::escape(&Text::from_display(gap))
}

/// Returns the phrase for what could not be read. It may contain control characters.
impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        sentence(&self.detail, self.count, f)
    }
}

/// Returns the phrase for one thing that could not be read. It may contain control characters.
impl fmt::Display for GapDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        sentence(self, 1, f)
    }
}

/// Writes the phrase about `count` things that could not be read.
fn sentence(detail: &GapDetail, count: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let one = count == 1;
    match detail {
        GapDetail::Failed(text) | GapDetail::Text(text) => write!(f, "{}", text.to_string_lossy()),
        GapDetail::SocketTable { protocol, family, error } => write!(
            f,
            "cannot read the table of {protocol} sockets over {family}: {}",
            error.to_string_lossy()
        ),
        GapDetail::LongCommands { kept } if one => {
            write!(f, "the command line of one process is longer than {kept} bytes; the rest is left out")
        }
        GapDetail::LongCommands { kept } => {
            write!(f, "command lines of {count} processes are longer than {kept} bytes; the rest is left out")
        }
        GapDetail::Containers { containers, runtime, rules_unread } => {
            match containers {
                0 => write!(f, "ports that are forwarded to containers: ")?,
                1 => write!(f, "name and image of a container: ")?,
                many => write!(f, "names and images of {many} containers: ")?,
            }
            write!(f, "{runtime}")?;
            match rules_unread {
                true => write!(f, "; the forwarding rules may not be read by this user"),
                false => Ok(()),
            }
        }
        GapDetail::Descriptors(error) => {
            match one {
                true => write!(f, "the descriptors of one process")?,
                false => write!(f, "the descriptors of {count} processes")?,
            }
            because(error.as_ref(), f)
        }
        GapDetail::PublishedLoopback(addresses) => write!(
            f,
            "whether {} is forwarded to a container that publishes it: the forwarding rules could not be read",
            list(addresses, ", ")
        ),
        GapDetail::ForwardingRules(rules) => write!(f, "{}", list(rules, "; ")),
        GapDetail::UnseenHolders if one => {
            write!(f, "one listener whose holders could not all be seen may match too")
        }
        GapDetail::UnseenHolders => {
            write!(f, "{count} listeners whose holders could not all be seen may match too")
        }
        GapDetail::ShortLived(error) => {
            write!(f, "listeners that open and close between two passes")?;
            because(error.as_ref(), f)
        }
        GapDetail::LostEvents => write!(
            f,
            "listeners that opened and closed between two passes: more happened than the system kept events of"
        ),
        GapDetail::Limit { path, error } => {
            write!(f, "{} cannot be read: {}", path.to_string_lossy(), error.to_string_lossy())
        }
        GapDetail::Netsh { list, error } => {
            write!(f, "{list}: netsh did not list them: {}", error.to_string_lossy())
        }
        GapDetail::Path { path, error } => {
            write!(f, "which socket {} leads to: {}", path.to_string_lossy(), error.to_string_lossy())
        }
        GapDetail::PathOfUnknownSocket(path) => write!(
            f,
            "the socket of {}: it is in no table that was read; it may be in a network namespace that cannot be \
             seen from here",
            path.to_string_lossy()
        ),
        GapDetail::HiddenProcesses => {
            write!(f, "processes of other users: /proc is mounted with hidepid")
        }
        GapDetail::UndescribedProcesses => match one {
            true => write!(f, "the facts about one process that holds a socket: its files could not be read"),
            false => write!(
                f,
                "the facts about {count} processes that hold sockets: their files could not be read"
            ),
        },
        GapDetail::ForeignProc => f.write_str(FOREIGN_PIDS),
        GapDetail::OutsideProcesses => {
            write!(f, "processes outside of this pid namespace, if there are any")
        }
        GapDetail::Projects(error) => {
            match one {
                true => write!(f, "the project of one working directory")?,
                false => write!(f, "the projects of {count} working directories")?,
            }
            because(Some(error), f)
        }
        GapDetail::Systemd { uid, error } => {
            write!(f, "systemd")?;
            if let Some(uid) = uid {
                write!(f, " of the user with uid {uid}")?;
            }
            let error = error.to_string_lossy();
            write!(f, " did not report its socket units ({error}); their files are read instead")
        }
        GapDetail::LaunchdLabels(error) => {
            write!(f, "labels of launchd's jobs: launchctl did not list them")?;
            because(Some(error), f)
        }
        GapDetail::LaunchdJobs => {
            write!(f, "which of its jobs launchd holds a socket for: their files do not name exactly one")
        }
        GapDetail::WindowsServices(error) => {
            write!(f, "services by process: the service manager did not report them")?;
            because(Some(error), f)
        }
        GapDetail::ByProcNet(error) => {
            write!(f, "{}; the table comes from /proc/net, {PROC_NET_LACKS}", error.to_string_lossy())
        }
        GapDetail::BoundSockets(why) => {
            write!(f, "TCP sockets that are bound and do not listen cannot be listed: {why}")
        }
        GapDetail::ChangingTable(name) => {
            write!(f, "{} changed each time that it was read", name.to_string_lossy())
        }
        GapDetail::UnknownEntries(name) => {
            write!(f, "entries of {} in an unknown format", name.to_string_lossy())
        }
        GapDetail::NetstatRows => {
            write!(f, "rows of netstat with a truncated address or in an unknown format")
        }
        GapDetail::WithheldSockets(error) => {
            write!(
                f,
                "sockets of processes whose descriptors may not be read: this system tells a user of no others, \
                 and "
            )?;
            match error {
                Some(error) => write!(f, "{}", error.to_string_lossy()),
                None => write!(f, "netstat prints none of them to this user"),
            }
        }
        GapDetail::NotAsked { missing, asked } => f.write_str(&coverage::not_covered(missing, asked)),
        GapDetail::UdpState => write!(f, "this reader does not report whether UDP sockets are connected"),
        GapDetail::SystemCalls if one => write!(f, "the system calls of one process's threads"),
        GapDetail::SystemCalls => write!(f, "the system calls of {count} processes' threads"),
        GapDetail::UnknownUsers if one => {
            write!(f, "one socket whose user is unknown here may match too")
        }
        GapDetail::UnknownUsers => {
            write!(f, "{count} sockets whose users are unknown here may match too")
        }
        GapDetail::UnknownFacts => {
            let listeners = if one { "one listener".to_owned() } else { format!("{count} listeners") };
            write!(f, "{listeners} may match too: directory, ancestors or user of a holder are unknown")
        }
        GapDetail::ListedNamespaces
        | GapDetail::MountedNamespaces(_)
        | GapDetail::MountsWithoutThread(_)
        | GapDetail::DescriptorNamespaces(_)
        | GapDetail::UnplacedSockets
        | GapDetail::WaitingDescriptors
        | GapDetail::HiddenNamespaces
        | GapDetail::OutsideNamespaces
        | GapDetail::ClosedNamespaces { .. }
        | GapDetail::NamedNamespaces { .. }
        | GapDetail::NamespacesWithoutThread
        | GapDetail::NamespacesNotEntered => namespaces(detail, count, f),
    }
}

/// Writes the phrase about network namespaces that could not be read.
fn namespaces(detail: &GapDetail, count: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let one = count == 1;
    match detail {
        GapDetail::ListedNamespaces if one => {
            write!(f, "one network namespace that the kernel lists may not be opened")
        }
        GapDetail::ListedNamespaces => {
            write!(f, "{count} network namespaces that the kernel lists may not be opened")
        }
        GapDetail::MountedNamespaces(error) => {
            match one {
                true => write!(f, "the network namespaces that are mounted in one mount namespace")?,
                false => write!(f, "the network namespaces that are mounted in {count} mount namespaces")?,
            }
            because(error.as_ref(), f)
        }
        GapDetail::MountsWithoutThread(error) => {
            write!(f, "the mounts of network namespaces: no thread can be started")?;
            because(Some(error), f)
        }
        GapDetail::DescriptorNamespaces(error) => {
            match one {
                true => write!(f, "network namespaces that only descriptors of one process keep")?,
                false => write!(f, "network namespaces that only descriptors of {count} processes keep")?,
            }
            because(error.as_ref(), f)
        }
        GapDetail::UnplacedSockets if one => write!(
            f,
            "a socket that a process has open is in no socket table: its network namespace could not be found"
        ),
        GapDetail::UnplacedSockets => write!(
            f,
            "{count} sockets that processes have open are in no socket table: their network namespaces could not be \
             found"
        ),
        GapDetail::WaitingDescriptors if one => {
            write!(f, "a descriptor that waits in a message may keep a network namespace")
        }
        GapDetail::WaitingDescriptors => {
            write!(f, "{count} descriptors that wait in messages may keep network namespaces")
        }
        GapDetail::HiddenNamespaces => {
            write!(f, "network namespaces of processes that this /proc hides (hidepid)")
        }
        GapDetail::OutsideNamespaces => {
            write!(f, "network namespaces of processes outside of this pid namespace, if there are any")
        }
        GapDetail::ClosedNamespaces { processes, folders } => {
            match processes {
                0 => {}
                1 => write!(f, "the network namespace of one process")?,
                many => write!(f, "the network namespaces of {many} processes")?,
            }
            for (at, folder) in folders.iter().enumerate() {
                let and = if at > 0 || *processes > 0 { " and " } else { "" };
                write!(f, "{and}the network namespaces in {}", folder.to_string_lossy())?;
            }
            Ok(())
        }
        GapDetail::NamedNamespaces { folder, error } => {
            write!(f, "the network namespaces in {}", folder.to_string_lossy())?;
            if count > 1 {
                write!(f, " and {} other places", count - 1)?;
            }
            because(Some(error), f)
        }
        GapDetail::NamespacesWithoutThread if one => write!(
            f,
            "one network namespace is not entered, because no thread can be started here; its tables come from \
             /proc/PID/net, {PROC_NET_LACKS}"
        ),
        GapDetail::NamespacesWithoutThread => write!(
            f,
            "{count} network namespaces are not entered, because no thread can be started here; their tables come from \
             /proc/PID/net, {PROC_NET_LACKS}"
        ),
        GapDetail::NamespacesNotEntered if one => write!(
            f,
            "one network namespace may not be entered; its tables come from /proc/PID/net, {PROC_NET_LACKS}"
        ),
        GapDetail::NamespacesNotEntered => write!(
            f,
            "{count} network namespaces may not be entered; their tables come from /proc/PID/net, {PROC_NET_LACKS}"
        ),
        _ => Ok(()),
    }
}

/// The text if /proc shows another pid namespace.
pub(crate) const FOREIGN_PIDS: &str = "/proc shows the processes of another pid namespace than the one allears runs \
                                       in: a pid read there belongs to another process here";

/// Writes the error of a phrase: `: Permission denied`.
fn because(error: Option<&Text>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        Some(error) => write!(f, ": {}", error.to_string_lossy()),
        None => Ok(()),
    }
}

fn list<T: ToString>(items: &[T], between: &str) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}

impl fmt::Display for SilentRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SilentRuntime::Permission(path) => {
                write!(f, "this user may not connect to {}", path.to_string_lossy())
            }
            SilentRuntime::Timeout { path, limit } => {
                write!(f, "{} did not answer within {} ms", path.to_string_lossy(), limit.as_millis())
            }
            SilentRuntime::Unreadable { path, reason } => write!(f, "{}: {reason}", path.to_string_lossy()),
            SilentRuntime::Absent => f.write_str("no runtime answers at its socket"),
            SilentRuntime::Unknown => f.write_str("no runtime that answered lists it"),
        }
    }
}

/// A sentence. An error may contain control characters.
impl fmt::Display for UnreadableReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnreadableReply::RemoteFileSystem => {
                f.write_str("it is on a network or FUSE file system, which may not answer; it is not queried")
            }
            UnreadableReply::Connection(error) => f.write_str(&error.to_string_lossy()),
            UnreadableReply::TooLong(bytes) => {
                write!(f, "its reply is longer than {} MiB", bytes / (1024 * 1024))
            }
            UnreadableReply::NotHttp => f.write_str("its reply is not HTTP"),
            UnreadableReply::EndlessHeader => f.write_str("its reply has a header that does not end"),
            UnreadableReply::NoStatus => f.write_str("its reply has no status"),
            UnreadableReply::Status(status) => write!(f, "its reply has the status {status:03}"),
            UnreadableReply::Chunked => {
                f.write_str("its reply uses a transfer encoding, which is not supported")
            }
            UnreadableReply::CutShort => f.write_str("its reply ends too early"),
            UnreadableReply::NotJson(error) => {
                write!(f, "its reply cannot be parsed: {}", error.to_string_lossy())
            }
            UnreadableReply::UnexpectedValue { line, column } => write!(
                f,
                "its reply cannot be parsed: a value is missing or of another type at line {line} column {column}"
            ),
        }
    }
}

impl fmt::Display for UnreadRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnreadRules::Permission => {
                f.write_str("the rules of nftables cannot be read; this needs CAP_NET_ADMIN")
            }
            UnreadRules::Error(error) => f.write_str(&error.to_string_lossy()),
            UnreadRules::Unevaluated(count) => write!(
                f,
                "{count} rules of nftables choose ports or addresses by sets and maps, and are not followed"
            ),
            UnreadRules::LegacyTable => f.write_str(
                "the NAT table of iptables-legacy has rules, which are not read (sudo iptables-legacy -t nat -S)",
            ),
            UnreadRules::SocketLookup(_) => {
                f.write_str("a BPF program (sk_lookup) chooses the socket of each connection (sudo bpftool net)")
            }
        }
    }
}

impl fmt::Display for NetshList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NetshList::ExcludedPorts(family) => {
                write!(f, "Windows' excluded port ranges over {}", Family::as_str(*family))
            }
            NetshList::EphemeralPorts => f.write_str("the ports that outgoing connections are given"),
            NetshList::HttpServer(port) => write!(f, "programs that HTTP.sys serves port {port} for"),
        }
    }
}

impl fmt::Display for UnlistedBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnlistedBound::OlderKernel => {
                f.write_str("this kernel does not list them; Linux 6.8 and later do")
            }
            UnlistedBound::Netlink(error) => f.write_str(&error.to_string_lossy()),
            UnlistedBound::ProcNet(error) => {
                write!(f, "{}, and /proc/net does not list them", error.to_string_lossy())
            }
            UnlistedBound::IpHelper => f.write_str(
                "the IP helper has them in no table; Get-NetTCPConnection -State Bound shows them in PowerShell",
            ),
        }
    }
}

#[cfg(test)]
mod tests;
