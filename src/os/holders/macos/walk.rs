//! The sockets in the descriptor tables of all processes that this one may look into, by libproc: those of the same
//! user, or with root of everybody. A descriptor that is closed meanwhile is left out.

use std::io;

use crate::model::{Gap, GapDetail, GapKind, GapReason, Text};
use crate::os::parse::xnu::{Entry, socket_fdinfo};
use crate::os::table::sys::kernel;

/// An internet socket under one descriptor of one process.
pub(in crate::os) struct Seen {
    pub(in crate::os) pid: u32,
    pub(in crate::os) descriptor: u32,
    pub(in crate::os) entry: Entry,
}

/// What was seen, and what not.
#[derive(Default)]
pub(in crate::os) struct Walked {
    pub(in crate::os) seen: Vec<Seen>,
    /// The processes that may not be looked into.
    pub(in crate::os) refused: Vec<u32>,
    /// How many processes could not be looked into for another reason, and the last of them.
    failed: usize,
    failure: Option<io::Error>,
}

impl Walked {
    /// Whether something was not looked into that should have been.
    pub(in crate::os) fn failures(&self) -> Option<Gap> {
        let failure = self.failure.as_ref()?;
        let detail = GapDetail::Descriptors(Some(Text::from_display(failure)));
        Some(Gap::new(GapKind::Descriptors, GapReason::Error, self.failed, detail, None))
    }

    fn fail(&mut self, error: io::Error) {
        self.failed += 1;
        self.failure = Some(error);
    }
}

/// Looks into every process.
pub(in crate::os) fn sockets() -> io::Result<Walked> {
    let mut walked = Walked::default();
    for pid in kernel::processes()? {
        match kernel::socket_descriptors(pid) {
            Ok(descriptors) => {
                if let Err(error) = look_into(pid, &descriptors, &mut walked.seen) {
                    walked.fail(error);
                }
            }
            Err(error) => match error.raw_os_error() {
                Some(libc::EPERM | libc::EACCES) => walked.refused.push(pid),
                // It has ended.
                Some(libc::ESRCH) => {}
                _ => walked.fail(error),
            },
        }
    }
    Ok(walked)
}

/// The sockets among these descriptors. The first error of those that no race explains is given back in the end.
fn look_into(pid: u32, descriptors: &[i32], seen: &mut Vec<Seen>) -> io::Result<()> {
    let mut failure = None;
    for number in descriptors {
        match kernel::socket_of(pid, *number) {
            Ok(bytes) => {
                let entry = socket_fdinfo::parse(&bytes);
                let descriptor = u32::try_from(*number).ok();
                if let (Some(entry), Some(descriptor)) = (entry, descriptor) {
                    seen.push(Seen { pid, descriptor, entry });
                }
            }
            // Closed by now, or another kind of file under the same number, or the process has ended.
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::EBADF | libc::EINVAL | libc::ENOTSUP | libc::EOPNOTSUPP | libc::ESRCH)
                ) => {}
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    failure.map_or(Ok(()), Err)
}
