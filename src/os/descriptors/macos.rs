//! The sockets in the descriptor tables of all processes that this one may inspect, by libproc: those of the same user,
//! or of every user as root. A descriptor that is closed meanwhile is left out.

use std::io;

use crate::model::{Gap, GapDetail, GapKind, GapReason, Text};
use crate::os::macos_api as kernel;
use crate::os::parse::xnu::{PcbEntry, socket_fdinfo};

/// An internet socket under one descriptor of one process.
pub(in crate::os) struct SocketDescriptor {
    pub(in crate::os) pid: u32,
    pub(in crate::os) descriptor: u32,
    pub(in crate::os) entry: PcbEntry,
}

/// The result of a walk through all descriptor tables.
#[derive(Default)]
pub(in crate::os) struct Walk {
    pub(in crate::os) found: Vec<SocketDescriptor>,
    /// The processes that may not be inspected.
    pub(in crate::os) refused: Vec<u32>,
    /// The number of processes that could not be inspected for another reason, and the last error.
    failed: usize,
    failure: Option<io::Error>,
}

impl Walk {
    /// Returns a gap if processes could not be inspected for a reason other than missing permission.
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

/// Inspects every process.
pub(in crate::os) fn sockets() -> io::Result<Walk> {
    let mut walked = Walk::default();
    for pid in kernel::processes()? {
        match kernel::socket_descriptors(pid) {
            Ok(descriptors) => {
                if let Err(error) = read_descriptors(pid, &descriptors, &mut walked.found) {
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

/// Adds the sockets among these descriptors. Returns the first error that no race explains, after all descriptors were
/// read.
fn read_descriptors(pid: u32, descriptors: &[i32], seen: &mut Vec<SocketDescriptor>) -> io::Result<()> {
    let mut failure = None;
    for number in descriptors {
        match kernel::socket_of(pid, *number) {
            Ok(bytes) => {
                let entry = socket_fdinfo::parse(&bytes);
                let descriptor = u32::try_from(*number).ok();
                if let (Some(entry), Some(descriptor)) = (entry, descriptor) {
                    seen.push(SocketDescriptor { pid, descriptor, entry });
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
