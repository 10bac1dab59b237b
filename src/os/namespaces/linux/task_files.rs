//! Finds namespaces that only a descriptor keeps alive. A BPF program reports each descriptor of a namespace and each socket
//! in an unknown namespace, so that neither socket tables nor the links of other descriptors have to be read.

pub(in crate::os) mod known;
pub(in crate::os) mod program;

use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use super::descriptors::{Descriptors, TaskDescriptor};
use super::{Task, has_ended};
use crate::os::descriptors::task_files::Program;
use crate::os::parse::linux::namespace_link;
use known::KnownNamespaces;
use program::Record;

/// Searches the descriptor tables of all processes and threads. Sockets are returned if their namespace is none of these,
/// given by number. Returns `None` if the search is unavailable.
pub(in crate::os) fn search(proc: BorrowedFd<'_>, known: impl Iterator<Item = u64>) -> Option<Descriptors> {
    let known = KnownNamespaces::new(known);
    let search = Program {
        wanted: program::WANTED,
        map: known.bytes(),
        assemble: program::assemble,
        record: program::RECORD,
        parse: program::record,
    };
    let mut found = Descriptors::default();
    for record in search.run().ok()? {
        found.add_record(proc, record);
    }
    // A namespace may have been opened in a table that refuses since the program ran.
    found.add_unreadable(proc).ok()?;
    found.sort();
    Some(found)
}

impl Descriptors {
    fn add_record(&mut self, proc: BorrowedFd<'_>, record: Record) {
        let task = Task { pid: record.pid, thread: record.thread };
        let place = TaskDescriptor { task, descriptor: record.descriptor };
        if record.kind & program::NAMESPACE != 0 {
            self.namespace(proc, place);
        }
        if record.kind & program::RING != 0 {
            self.rings.push(place);
        }
        if record.kind & program::OUTSIDE != 0 {
            self.sockets.push((record.inode, place));
        }
        if record.kind & program::PENDING != 0 {
            self.pending.push(place);
        }
    }

    /// Adds a descriptor of a namespace of any kind.
    fn namespace(&mut self, proc: BorrowedFd<'_>, place: TaskDescriptor) {
        let mut link = [MaybeUninit::uninit(); 64];
        match rustix::fs::readlinkat_raw(proc, place.path(), &mut link) {
            Ok((target, _)) => {
                if let Some(number) = namespace_link::number(target, b"net:[") {
                    self.networks.push((number, place));
                } else if let Some(number) = namespace_link::number(target, b"mnt:[") {
                    self.mounts.push((number, place));
                }
            }
            // Closed meanwhile, or one of those that refuse, which are counted as a whole.
            Err(errno) if has_ended(errno) || matches!(errno, Errno::ACCESS | Errno::PERM) => {}
            Err(errno) => self.failed.push((place.task.pid, errno)),
        }
    }
}
