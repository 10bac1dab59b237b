//! The files of Unix sockets: which socket a path leads to, whatever name the socket was bound by.
//!
//! The kernel reports the file of a bound socket by device and inode number (UDIAG_SHOW_VFS, Linux 3.3). A hard link, a
//! new name, a bind mount, a symbolic link and a relative name all lead to the same file. The name that was bound does
//! not: it may be gone, or belong to a later server.
//!
//! This module connects to no stream socket and sends nothing.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::{procfs, unix_diag};
use crate::model::target::is_same_path;
use crate::model::{
    Endpoint, Gap, GapDetail, GapKind, GapReason, Help, PathContent, PathTarget, PrivilegePurpose, Socket,
    Text, UnixPath,
};
use crate::os::files::sys::Files;
use crate::os::files::sys::file_child::Operation;
use crate::os::files::sys::mounts::Route;
use crate::os::parse::linux::mountinfo::device_of_mount;
use crate::os::parse::linux::proc_fd;
use crate::os::parse::linux::unix_diag::SocketFile;
use crate::os::{Row, SocketTable, TableRequest, describe_error};

impl SocketFile {
    fn new(device: (u32, u32), inode: u64) -> SocketFile {
        let (major, minor) = device;
        #[expect(clippy::cast_possible_truncation, reason = "the kernel reports the lower half as well")]
        SocketFile { device: major << 20 | (minor & 0xf_ffff), inode: inode as u32 }
    }
}

/// The timeout for the file systems of all paths together.
const TIMEOUT: Duration = Duration::from_millis(500);
/// More than the mounts of any machine.
const LONGEST_MOUNTS: u64 = 16 << 20;

/// What is at a path.
enum PathContents {
    /// A socket: its file, by each device number that it may have, and a handle if it is on a local file system.
    Socket {
        files: Vec<SocketFile>,
        handle: Option<OwnedFd>,
    },
    OtherFile,
    Nothing,
    /// It cannot be read, for this reason.
    Unknown {
        reason: GapReason,
        why: String,
    },
}

/// Finds the sockets that these paths lead to: marks them in the table, adds those of other network namespaces, and
/// records what is at each path.
pub(in crate::os) fn find_unix_paths(paths: &[Text], request: &TableRequest, whole: &mut SocketTable) {
    let mut files = Files::new(Instant::now() + TIMEOUT);
    for path in paths {
        let found = match crate::os::files::paths::from_text(path) {
            Some(whole) => resolve(&mut files, &whole),
            // No file has such a name.
            None => PathContents::Nothing,
        };
        let holds = match found {
            PathContents::Socket { files, handle } => find_socket(path, &files, handle, request, whole),
            PathContents::OtherFile => {
                mark(&mut whole.rows, path, &[], PathTarget::OtherFile);
                PathContent::OtherFile
            }
            PathContents::Nothing => {
                mark(&mut whole.rows, path, &[], PathTarget::Nothing);
                PathContent::Nothing
            }
            PathContents::Unknown { reason, why } => {
                whole.complete = false;
                let detail = GapDetail::Path { path: path.clone(), error: why.as_str().into() };
                let helps = reason == GapReason::Permission && !crate::os::privileged();
                let help = helps.then_some(Help::Privileges(PrivilegePurpose::SeeOne));
                whole.gaps.push(Gap::new(GapKind::Paths, reason, 1, detail, help));
                PathContent::Unknown
            }
        };
        whole.paths.push(UnixPath { path: path.clone(), holds });
    }
}

/// Marks the rows that a path leads to, and the rows that were bound by this path but have another file. Returns
/// whether one of them listens, and whether there is any.
fn mark(rows: &mut [Row], path: &Text, files: &[SocketFile], otherwise: PathTarget) -> (bool, bool) {
    let (mut listens, mut any) = (false, false);
    for row in rows {
        let Endpoint::Unix { path: bound } = &row.socket.endpoint else { continue };
        let has_name = bound.as_ref().is_some_and(|bound| is_same_path(bound.as_bytes(), path.as_bytes()));
        // Without netlink the kernel reports only names.
        let Some(file) = row.file else { continue };
        if files.contains(&file) {
            any = true;
            listens |= row.socket.is_listener();
            match has_name {
                true => row.socket.path_leads_to = Some(PathTarget::Socket),
                false => row.socket.other_paths.push(path.clone()),
            }
        } else if has_name {
            row.socket.path_leads_to = Some(otherwise);
        }
    }
    (listens, any)
}

/// Searches for the socket of a file, in the nearest table first.
fn find_socket(
    path: &Text,
    files: &[SocketFile],
    handle: Option<OwnedFd>,
    request: &TableRequest,
    whole: &mut SocketTable,
) -> PathContent {
    let by_name_alone = whole.rows.iter().any(|row| row.file.is_none() && is_bound_by(&row.socket, path));
    let (listens, mut any) = mark(&mut whole.rows, path, files, PathTarget::OtherFile);
    if listens || by_name_alone {
        return PathContent::Listener;
    }
    let unix_alone = TableRequest {
        tcp: false,
        udp: false,
        udplite: false,
        sctp_dccp: false,
        unix: true,
        all: true,
        namespaces: false,
        ..*request
    };
    let is_file = |row: &Row| row.file.is_some_and(|file| files.contains(&file));
    if !any && !request.all {
        let entries = unix_diag::sockets(true).unwrap_or_default();
        any = entries.iter().any(|entry| entry.file.is_some_and(|file| files.contains(&file)));
    }
    if any {
        return PathContent::BoundSocket;
    }
    if let Some(Bound::Absent) = handle.as_ref().map(|handle| is_bound(handle.as_fd())) {
        return PathContent::AbandonedSocket;
    }
    // The kernel has a socket for the file in another network namespace, or did not report whether it has one.
    let mut others = SocketTable::empty();
    if !request.namespaces {
        crate::os::table::sys::add_other_namespaces(&unix_alone, &mut others);
    }
    others.rows.retain(is_file);
    let (listens, any) = mark(&mut others.rows, path, files, PathTarget::OtherFile);
    others.rows.retain(|row| request.all || row.socket.is_listener());
    whole.rows.extend(others.rows);
    if listens || any {
        return if listens { PathContent::Listener } else { PathContent::BoundSocket };
    }
    whole.complete = false;
    let detail = GapDetail::PathOfUnknownSocket(path.clone());
    let help = (!crate::os::privileged()).then_some(Help::Privileges(PrivilegePurpose::SeeOne));
    whole.gaps.push(Gap::new(GapKind::Paths, GapReason::Namespace, 1, detail, help));
    whole.gaps.extend(others.gaps);
    PathContent::Unknown
}

fn is_bound_by(socket: &Socket, path: &Text) -> bool {
    let Endpoint::Unix { path: Some(bound) } = &socket.endpoint else { return false };
    socket.is_listener() && is_same_path(bound.as_bytes(), path.as_bytes())
}

/// Finds out what is at a path, without waiting for a file system that does not answer.
fn resolve(files: &mut Files, path: &Path) -> PathContents {
    if !path.is_absolute() {
        let why = "the current directory is unknown".to_owned();
        return PathContents::Unknown { reason: GapReason::Error, why };
    }
    // The child process that reads the path has another pid.
    let own = path.strip_prefix("/proc/self").or_else(|_| path.strip_prefix("/proc/thread-self"));
    let own = own.map(|rest| PathBuf::from(format!("/proc/{}", std::process::id())).join(rest));
    let path = own.as_deref().unwrap_or(path);
    match files.route(path, true) {
        Route::Local(place) => {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            match rustix::fs::open(&place, flags, Mode::empty()) {
                Ok(handle) => found_at(handle),
                Err(errno) => not_found(errno),
            }
        }
        // The local file system refuses this call for the same reason as before.
        Route::Absent => match rustix::fs::statat(CWD, path, rustix::fs::AtFlags::empty()) {
            Err(errno) => not_found(errno),
            Ok(_) => not_found(Errno::AGAIN),
        },
        Route::Remote => match files.ask_status(path) {
            Some(Ok(status)) if status.is_socket() => {
                let device = (rustix::fs::major(status.device), rustix::fs::minor(status.device));
                let mut known = vec![SocketFile::new(device, status.inode)];
                let mount = files.ask_for(Operation::MountId, path).and_then(Result::ok);
                let mount = mount.and_then(|reply| reply.data.first_chunk().copied()).map(u64::from_ne_bytes);
                let device = mount.and_then(|mount| device_of_mount(&mounts_of(path)?, mount));
                known.extend(device.map(|device| SocketFile::new(device, status.inode)));
                known.dedup();
                PathContents::Socket { files: known, handle: None }
            }
            Some(Ok(_)) => PathContents::OtherFile,
            Some(Err(errno)) => not_found(errno),
            None => {
                let why = files.take_failure().unwrap_or_else(|| "its file system did not answer".to_owned());
                PathContents::Unknown { reason: GapReason::Timeout, why }
            }
        },
    }
}

fn not_found(errno: Errno) -> PathContents {
    let reason = match errno {
        // A name that is too long, or links in a circle, lead nowhere.
        Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::LOOP => return PathContents::Nothing,
        Errno::ACCESS | Errno::PERM => GapReason::Permission,
        _ => GapReason::Error,
    };
    PathContents::Unknown { reason, why: describe_error(&io::Error::from(errno)) }
}

fn found_at(handle: OwnedFd) -> PathContents {
    let stat = match rustix::fs::fstat(&handle) {
        Ok(stat) => stat,
        Err(errno) => return not_found(errno),
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
        return PathContents::OtherFile;
    }
    let device = (rustix::fs::major(stat.st_dev), rustix::fs::minor(stat.st_dev));
    let mut files = vec![SocketFile::new(device, stat.st_ino)];
    // btrfs, and overlayfs over several file systems, give a file another device than that of their mount.
    files.extend(mount_device(handle.as_fd()).map(|device| SocketFile::new(device, stat.st_ino)));
    files.dedup();
    PathContents::Socket { files, handle: Some(handle) }
}

/// Returns the device of the mount that an open file is on: field 3 of its line in mountinfo (proc_pid_mountinfo(5)).
fn mount_device(handle: BorrowedFd<'_>) -> Option<(u32, u32)> {
    let info = procfs::read_at(CWD, format!("/proc/thread-self/fdinfo/{}", handle.as_raw_fd()), 4096).ok()?;
    device_of_mount(&mounts_of(Path::new("/"))?, proc_fd::mount_number(&info)?)
}

/// Reads the mounts among which a path is: those of its process if it is below a process in /proc.
fn mounts_of(path: &Path) -> Option<Vec<u8>> {
    let below = path.strip_prefix("/proc").ok().and_then(|rest| rest.iter().next());
    let process = below.filter(|name| name.as_encoded_bytes().iter().all(u8::is_ascii_digit));
    let table = Path::new("/proc").join(process.unwrap_or("thread-self".as_ref())).join("mountinfo");
    procfs::read_at(CWD, table, LONGEST_MOUNTS).ok()
}

/// Whether the kernel has a socket bound to a file.
#[derive(Debug, PartialEq, Eq)]
enum Bound {
    /// No socket is bound to it, in any network namespace.
    Absent,
    /// A stream or seqpacket socket.
    Stream,
    /// A datagram socket.
    Datagrams,
    /// The kernel did not report it.
    Unknown,
}

/// Asks the kernel whether a socket is bound to the file of one. connect(2) with a datagram socket looks up the file's
/// socket in every network namespace, refuses one of another type (EPROTOTYPE) before that socket is touched, and
/// reports ECONNREFUSED only if there is none (unix_find_bsd of net/unix/af_unix.c, alike since Linux 2.6). It does
/// connect to a datagram socket, which sends nothing.
fn is_bound(file: BorrowedFd<'_>) -> Bound {
    let attempt = || -> Result<(), Errno> {
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        // The handle is used because the path may lead elsewhere by now, or be too long for an address.
        let address = SocketAddrUnix::new(format!("/proc/thread-self/fd/{}", file.as_raw_fd()))?;
        rustix::net::connect(&socket, &address)
    };
    match attempt() {
        Ok(()) => Bound::Datagrams,
        Err(Errno::CONNREFUSED) => Bound::Absent,
        Err(Errno::PROTOTYPE) => Bound::Stream,
        Err(_) => Bound::Unknown,
    }
}

impl Files {
    /// Asks the child what is at a path. `None` if it did not answer.
    fn ask_status(&mut self, path: &Path) -> Option<Result<crate::os::files::status::Status, Errno>> {
        self.ask_for(Operation::Status, path).map(|reply| reply.map(|reply| reply.status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::test_support::eventually;
    use std::os::unix::net::{UnixDatagram, UnixListener};

    #[test]
    fn the_kernel_tells_whether_a_socket_is_bound_to_a_file() {
        let folder = std::env::temp_dir().join(format!("allears-bound-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let open = |name: &str| {
            rustix::fs::open(folder.join(name), OFlags::PATH | OFlags::NOFOLLOW, Mode::empty()).unwrap()
        };
        let listener = UnixListener::bind(folder.join("stream")).unwrap();
        let datagrams = UnixDatagram::bind(folder.join("datagrams")).unwrap();
        assert_eq!(is_bound(open("stream").as_fd()), Bound::Stream);
        assert_eq!(is_bound(open("datagrams").as_fd()), Bound::Datagrams);
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock, "nobody connected");
        drop((listener, datagrams));
        for name in ["stream", "datagrams"] {
            assert!(eventually(|| is_bound(open(name).as_fd()) == Bound::Absent), "{name}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_device_is_written_as_the_kernel_writes_it() {
        let file = SocketFile::new((254, 1), 0x1_0000_0007);
        assert_eq!(file, SocketFile { device: 0x0fe0_0001, inode: 7 });
    }
}
