//! Who holds a socket, and where nobody was seen to: why not.

use std::collections::BTreeMap;
use std::io::ErrorKind as IoErrorKind;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::procfs;
use super::walk::{Walk, walk};
use crate::os::portable::Table;
use crate::os::{Held, Holders, Row, Unread};
use crate::{Error, Evidence, Gap, Process, Reason, Text, Unseen};

/// The most that is kept of a command line. Longer ones exist: the kernel's limit is some 2 MiB.
const LONGEST_COMMAND: u64 = 32 * 1024;
/// The kernel keeps 15 bytes of a thread's name.
const LONGEST_COMM: usize = 15;

/// A process pinned by its directory in /proc: once the process has ended, the handle answers ESRCH for good, also
/// where the pid was given away again.
#[derive(Debug, Clone)]
pub(crate) struct Pinned {
    pid: u32,
    directory: Arc<OwnedFd>,
}

impl Pinned {
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Checks that facts read by pid are this process's, and completes them. False where the process has ended:
    /// nothing is known then of whose facts these are.
    pub(in crate::os) fn confirm(&self, process: &mut Process) -> bool {
        let command = procfs::read_at(&*self.directory, "cmdline", LONGEST_COMMAND + 1);
        // Read last: where this still answers, the pid has belonged to this process all the time.
        let Some(stat) = procfs::stat(&*self.directory) else { return false };
        process.id.start = Some(stat.start);
        if let Ok(command) = command {
            process.command = Some(arguments(&command));
        }
        process.name = full_name(&stat.name, process);
        true
    }
}

/// The arguments, which end in NUL each. A process may have rewritten them to anything.
fn arguments(bytes: &[u8]) -> Vec<Text> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    // A title as setproctitle(3) makes it is padded with NULs.
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    bytes.get(..end).unwrap_or_default().split(|byte| *byte == 0).map(Text::from).collect()
}

/// The kernel's 15 bytes, made whole by the program's file or the first argument where one begins with them.
fn full_name(comm: &[u8], process: &Process) -> Text {
    if comm.len() < LONGEST_COMM {
        return comm.into();
    }
    let argument = process.command.iter().flatten().next().map(Text::file_name);
    let executable = process.executable.as_ref().map(Text::file_name);
    let whole = [executable, argument].into_iter().flatten().find(|name| name.starts_with(comm));
    whole.unwrap_or(comm).into()
}

/// Cuts command lines that are too long to keep, and says so.
pub(in crate::os) fn shorten_commands(processes: &mut BTreeMap<u32, Process>) -> Option<Gap> {
    let mut cut = 0;
    for process in processes.values_mut() {
        let Some(command) = &mut process.command else { continue };
        let mut room = usize::try_from(LONGEST_COMMAND).unwrap_or(usize::MAX);
        let length: usize = command.iter().map(|argument| argument.as_bytes().len() + 1).sum();
        if length <= room {
            continue;
        }
        cut += 1;
        command.retain_mut(|argument| {
            let kept = argument.as_bytes().get(..room).unwrap_or(argument.as_bytes()).to_vec();
            let keep = room > 0;
            room = room.saturating_sub(kept.len() + 1);
            *argument = kept.into();
            keep
        });
    }
    (cut > 0).then(|| {
        let detail = format!(
            "command lines of {cut} processes are longer than {LONGEST_COMMAND} bytes; the rest is left out"
        );
        Gap::new("command", "too-long", cut, detail, None)
    })
}

/// Who holds exactly these sockets.
pub(in crate::os) fn holders(rows: &[&Row]) -> Result<Holders, Error> {
    let mut wanted: Vec<u64> = rows.iter().filter_map(|row| row.socket.inode).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut walk = if wanted.is_empty() { Walk::default() } else { walk(&wanted)? };
    walk.refused.retain(|pid| !is_kernel_thread(*pid));

    let mut by_inode: BTreeMap<u64, Vec<Held>> = BTreeMap::new();
    for found in walk.found {
        let holders = by_inode.entry(found.inode).or_default();
        match holders.last_mut() {
            Some(last) if last.process.pid == found.pid => last.descriptors.push(found.descriptor),
            _ => holders.push(Held {
                process: Pinned { pid: found.pid, directory: Arc::new(found.directory) },
                descriptors: vec![found.descriptor],
                evidence: Evidence::Descriptor,
            }),
        }
    }
    let of: Vec<Vec<Held>> = rows
        .iter()
        .map(|row| row.socket.inode.and_then(|inode| by_inode.get(&inode)).cloned().unwrap_or_default())
        .collect();
    let sight = Sight {
        refused: walk.refused.len(),
        failed: walk.failed.len(),
        hidden: hides_processes(),
        namespaced: is_in_pid_namespace(),
    };
    let mut unseen: Vec<Option<Unseen>> =
        rows.iter().zip(&of).map(|(row, held)| sight.unseen(row, held)).collect();
    if walk.refused.is_empty() {
        find_closed(rows, &mut unseen);
    }
    let mut pids: Vec<u32> =
        walk.refused.iter().copied().chain(walk.failed.iter().map(|(pid, _)| *pid)).collect();
    pids.sort_unstable();
    let unread = Unread { pids, others: sight.hidden || sight.namespaced };
    Ok(Holders {
        of,
        unseen,
        unread,
        gaps: sight.gaps(walk.failed.last().map(|(_, errno)| errno.to_string())),
    })
}

/// What a walk could not see.
struct Sight {
    refused: usize,
    failed: usize,
    hidden: bool,
    namespaced: bool,
}

impl Sight {
    /// Why there must be, or may be, holders of a socket besides those that were seen.
    fn unseen(&self, row: &Row, held: &[Held]) -> Option<Unseen> {
        let socket = &row.socket;
        // Connections without an inode (TIME_WAIT and the like) have outlived their holders.
        socket.inode?;
        if !held.is_empty() {
            return None;
        }
        let port = socket.endpoint.port().map_or_else(|| "-x".to_owned(), |port| port.to_string());
        let sudo = (!super::privileged()).then(|| format!("sudo allears {port}"));
        let (reason, help) = if self.refused > 0 {
            (Reason::Permission, sudo)
        } else if self.hidden {
            (Reason::HiddenProc, sudo)
        } else if self.namespaced {
            (Reason::PidNamespace, Some("ask outside of this container or pid namespace".to_owned()))
        } else if self.failed > 0 {
            (Reason::Unknown, None)
        } else {
            (
                Reason::Unknown,
                Some(
                    "it may have ended during the look, or the kernel itself holds it; look again".to_owned(),
                ),
            )
        };
        let help = help.map(|help| help.as_str().into());
        Some(Unseen { reason, help, candidates: Vec::new() })
    }

    fn gaps(&self, failure: Option<String>) -> Vec<Gap> {
        let mut gaps = Vec::new();
        if self.refused > 0 {
            let detail = match self.refused {
                1 => "the descriptors of one process".to_owned(),
                many => format!("the descriptors of {many} processes"),
            };
            let help = (!super::privileged()).then_some("run with sudo to see them");
            gaps.push(Gap::new("descriptors", "permission", self.refused, detail, help));
        }
        if self.failed > 0 {
            let why = failure.unwrap_or_default();
            let detail = format!("the descriptors of {} processes: {why}", self.failed);
            gaps.push(Gap::new("descriptors", "error", self.failed, detail, None));
        }
        if self.hidden {
            let detail = "processes of other users: /proc is mounted with hidepid";
            gaps.push(Gap::new("processes", "hidden-proc", 1, detail, Some("run with sudo to see them")));
        }
        gaps
    }
}

/// A socket nobody was seen to hold may have been closed during the look.
fn find_closed(rows: &[&Row], unseen: &mut [Option<Unseen>]) {
    let mut tables = Vec::new();
    for (row, unseen) in rows.iter().zip(unseen) {
        let (Some(unseen), Some(inode)) = (unseen, row.socket.inode) else { continue };
        let table = Table { protocol: row.socket.protocol, family: row.socket.family() };
        if !tables.iter().any(|(known, _)| *known == table) {
            tables.push((table, procfs::net_sockets(table).ok()));
        }
        let listed = tables.iter().find(|(known, _)| *known == table).and_then(|(_, listed)| listed.as_ref());
        if listed.is_some_and(|listed| !listed.contains_key(&inode)) {
            unseen.reason = Reason::Exited;
            unseen.help = Some("its holder ended during the look; look again".into());
        }
    }
}

/// Threads of the kernel have no descriptors, so that nothing is missed where theirs may not be read.
fn is_kernel_thread(pid: u32) -> bool {
    let stat = std::fs::read(format!("/proc/{pid}/stat"));
    stat.ok().and_then(|bytes| procfs::parse_stat(&bytes)).is_some_and(|stat| stat.kernel)
}

/// Whether this /proc hides other users' processes (hidepid): then even the first process is not there.
fn hides_processes() -> bool {
    let first = std::fs::symlink_metadata("/proc/1");
    first.is_err_and(|error| error.kind() == IoErrorKind::NotFound)
}

/// Whether there may be processes outside of what /proc shows. The first pid namespace has a fixed number
/// (PROC_PID_INIT_INO in the kernel's proc_ns.h).
fn is_in_pid_namespace() -> bool {
    std::fs::read_link("/proc/self/ns/pid").is_ok_and(|name| name.as_os_str() != "pid:[4026531836]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_end_in_nul() {
        let texts = |parts: &[&str]| parts.iter().map(|part| Text::from(*part)).collect::<Vec<_>>();
        assert_eq!(arguments(b"node\0\0server.js\0"), texts(&["node", "", "server.js"]));
        assert_eq!(arguments(b"nginx: worker\0\0\0\0"), texts(&["nginx: worker"]));
        assert_eq!(arguments(b"title without end"), texts(&["title without end"]));
        assert_eq!(arguments(b""), texts(&[]));
        assert_eq!(arguments(b"\0"), texts(&[]));
    }
}
