//! Files of /proc (proc(5)), read as bytes; `parse::linux` has their parsers.

use std::hash::Hash;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::path::Arg;

use super::skipped::{FEW_READINGS, MANY_READINGS, with_skipped};
use crate::model::{Error, ErrorKind, Family, Protocol};
pub(in crate::os) use crate::os::parse::linux::proc_net::{NetSocket, parse_net, tcp_state};
pub(in crate::os) use crate::os::parse::linux::proc_stat::{Stat, parse_stat};
use crate::os::parse::linux::unix_diag::{self, UnixDiagEntry};
use crate::os::parse::linux::{sysctl, timens_offsets};
use crate::os::table_request::InetTable;

/// The most bytes that are read of a file other than the tables of /proc/net.
const LONGEST_FILE: u64 = 1 << 20;
/// The bytes of a page of the kernel, at least and at most.
const SHORTEST_PAGE: usize = 4 * 1024;
const LONGEST_PAGE: usize = 64 * 1024;
/// More bytes than a row of a table in /proc/net has: the longest are those of Unix sockets, with a path of 108 bytes.
const LONGEST_ROW: usize = 512;
/// The bytes of the first read.
const FIRST_READ: u64 = 2048;

/// The bytes of the first read of a record: a status has about 1,500.
const RECORD: usize = 4096;

/// Checks that /proc is a process file system.
///
/// # Errors
/// If it is another file system, or not mounted, as in a bare chroot.
pub(in crate::os) fn require() -> Result<(), Error> {
    let filesystem = rustix::fs::statfs("/proc").map_err(|errno| {
        Error::new(ErrorKind::Processes, "cannot list processes: /proc is not mounted")
            .because(io::Error::from(errno))
    })?;
    if filesystem.f_type != rustix::fs::PROC_SUPER_MAGIC {
        return Err(Error::new(
            ErrorKind::Processes,
            "cannot list processes: /proc is not a process file system",
        ));
    }
    Ok(())
}

/// Returns whether there may be processes that /proc does not show. The first pid namespace has a fixed number
/// (PROC_PID_INIT_INO in the kernel's proc_ns.h).
pub(in crate::os) fn is_in_pid_namespace() -> bool {
    std::fs::read_link("/proc/self/ns/pid").is_ok_and(|name| name.as_os_str() != "pid:[4026531836]")
}

/// Returns whether this process's cgroup namespace is the first one, which shows the whole tree (PROC_CGROUP_INIT_INO in the
/// kernel's proc_ns.h). A kernel without such namespaces (before 4.6) always shows it.
pub(in crate::os) fn sees_all_cgroups() -> bool {
    std::fs::read_link("/proc/self/ns/cgroup").map_or_else(
        |error| error.kind() == io::ErrorKind::NotFound,
        |name| name.as_os_str() == "cgroup:[4026531835]",
    )
}

/// Returns how many files are open on this machine (proc_sys_fs(5), file-nr). Each has at least one descriptor.
pub(in crate::os) fn open_files() -> Option<u64> {
    let counts = read_at(CWD, "/proc/sys/fs/file-nr", LONGEST_FILE).ok()?;
    sysctl::open_files(std::str::from_utf8(&counts).ok()?)
}

/// Returns whether a time namespace shifts the time since boot (time_namespaces(7)).
pub(in crate::os) fn counts_from_another_boot() -> bool {
    // A kernel without time namespaces has no such file.
    let offsets = std::fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default();
    timens_offsets::shift_boot_time(&offsets)
}

/// Returns whether this /proc hides other users' processes (hidepid): then even the first process is missing.
pub(in crate::os) fn hides_processes() -> bool {
    let first = std::fs::symlink_metadata("/proc/1");
    first.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Reads a file below an open directory, up to a limit in bytes.
pub(in crate::os) fn read_at(directory: impl AsFd, name: impl Arg, limit: u64) -> io::Result<Vec<u8>> {
    let file = rustix::fs::openat(directory, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    // Room for most files at once: without it the first reads are of 32 bytes.
    let mut bytes = Vec::with_capacity(usize::try_from(limit.min(FIRST_READ)).unwrap_or_default());
    std::fs::File::from(file).take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a file below an open directory that the kernel writes as one record, up to a limit in bytes: stat, status, cmdline
/// or cgroup of a process (seq_file's single_open, and proc_pid_cmdline_read). A read that leaves room in the buffer has
/// reached its end, so that no further one has to find that out.
pub(in crate::os) fn read_record(directory: impl AsFd, name: impl Arg, limit: u64) -> io::Result<Vec<u8>> {
    let file = rustix::fs::openat(directory, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(limit.min(RECORD));
    loop {
        rustix::io::retry_on_intr(|| rustix::io::read(&file, spare_capacity(&mut bytes)))?;
        if bytes.len() < bytes.capacity() || bytes.len() >= limit {
            bytes.truncate(limit);
            return Ok(bytes);
        }
        bytes.reserve(bytes.capacity());
    }
}

/// Reads the /proc/PID/stat of the process whose directory this is.
pub(in crate::os) fn stat(process: impl AsFd) -> Option<Stat> {
    parse_stat(&read_record(process, "stat", LONGEST_FILE).ok()?)
}

/// Reads the /proc/PID/stat of the process that has this pid now.
pub(in crate::os) fn stat_of(pid: u32) -> Option<Stat> {
    parse_stat(&read_record(CWD, format!("/proc/{pid}/stat"), LONGEST_FILE).ok()?)
}

/// Returns the effective user of a process: the owner of its directory. The files in the directory of a process that may
/// not be dumped belong to root, but the directory itself never does (task_dump_owner in the kernel's fs/proc/base.c).
pub(in crate::os) fn effective_uid(pid: u32) -> Option<u32> {
    Some(rustix::fs::stat(format!("/proc/{pid}")).ok()?.st_uid)
}

/// Opens the /proc/net of this thread's network namespace.
pub(in crate::os) fn own_net() -> Result<OwnedFd, Error> {
    let path = "/proc/thread-self/net";
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| {
        Error::new(ErrorKind::SocketTable, format!("cannot open {path}")).because(io::Error::from(errno))
    })
}

/// Returns the sockets of a table with their inode numbers, from a directory such as /proc/net. A socket that has outlived
/// its holders has inode 0.
pub(in crate::os) fn net_sockets(
    directory: impl AsFd,
    table: InetTable,
) -> Result<Vec<(u64, NetSocket)>, Error> {
    let name = match (table.protocol, table.family) {
        (Protocol::Tcp, Family::Ipv4) => "tcp",
        (Protocol::Tcp, _) => "tcp6",
        (Protocol::UdpLite, Family::Ipv4) => "udplite",
        (Protocol::UdpLite, _) => "udplite6",
        (_, Family::Ipv4) => "udp",
        (..) => "udp6",
    };
    let readings = if table.protocol == Protocol::Tcp { FEW_READINGS } else { MANY_READINGS };
    let key = |(inode, socket): &(u64, NetSocket)| (*inode, socket.local, socket.peer);
    match read_list(directory, name, readings, parse_net, key) {
        // A kernel without IPv6 has no such table.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed.map_err(|error| {
            Error::new(ErrorKind::SocketTable, format!("cannot read /proc/net/{name}")).because(error)
        }),
    }
}

/// Returns the sockets of a directory's table of Unix sockets.
pub(in crate::os) fn unix_sockets(directory: impl AsFd) -> Result<Vec<UnixDiagEntry>, Error> {
    read_list(directory, "unix", FEW_READINGS, unix_diag::parse_proc, |socket| socket.inode)
        .map_err(|error| Error::new(ErrorKind::SocketTable, "cannot read /proc/net/unix").because(error))
}

/// Reads a table of /proc/net, with the rows that a reading skips.
fn read_list<T, K: Hash + Eq>(
    directory: impl AsFd,
    name: &str,
    readings: usize,
    parse: impl Fn(&[u8]) -> Vec<T>,
    key: impl Fn(&T) -> K,
) -> io::Result<Vec<T>> {
    let (table, is_one_page) = read_pages(&directory, name)?;
    let rows = parse(&table);
    if is_one_page {
        // Nothing can be skipped between two pages.
        return Ok(rows);
    }
    let again = || Ok(parse(&read_pages(&directory, name)?.0));
    with_skipped(rows, readings, again, |_| true, key)
}

/// Reads a table of /proc/net, and returns whether the kernel wrote it as one page.
///
/// The kernel ends a page only if the next row does not fit in (seq_read in its fs/seq_file.c), so that a short page is
/// the last one. A further read would only find the end, for which the kernel passes through all sockets of the machine
/// again (tcp_seq_start).
fn read_pages(directory: impl AsFd, name: &str) -> io::Result<(Vec<u8>, bool)> {
    let file = rustix::fs::openat(directory, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut table = Vec::new();
    let mut pages = 0;
    loop {
        table.reserve(LONGEST_PAGE);
        let read = rustix::io::retry_on_intr(|| rustix::io::read(&file, spare_capacity(&mut table)))?;
        if read > 0 {
            pages += 1;
        }
        if read + LONGEST_ROW <= SHORTEST_PAGE {
            return Ok((table, pages < 2));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_whole() {
        let own = rustix::fs::open("/proc/self", OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        for name in ["cmdline", "cgroup", "status"] {
            let (record, whole) =
                (read_record(&own, name, u64::MAX).unwrap(), read_at(&own, name, u64::MAX).unwrap());
            // Counts in a status change from reading to reading.
            assert_eq!(record.get(..100), whole.get(..100), "{name}");
            assert!(record.len().abs_diff(whole.len()) < 8, "{name}");
        }
        assert_eq!(read_record(&own, "cmdline", 3).unwrap().len(), 3);
        assert_eq!(read_record(&own, "none", 3).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    /// Longer than the first read, and exactly as long.
    #[test]
    fn a_record_can_be_longer_than_a_read() {
        for length in [RECORD - 1, RECORD, RECORD + 1, 5 * RECORD] {
            // The arguments with their ends: sh, -c, read x, and the last one.
            let last = "x".repeat(length - "sh\0-c\0read x\0\0".len());
            let mut child = std::process::Command::new("sh");
            let mut child =
                child.args(["-c", "read x", &last]).stdin(std::process::Stdio::piped()).spawn().unwrap();
            let read = || read_record(CWD, format!("/proc/{}/cmdline", child.id()), u64::MAX).unwrap();
            // Until sh has replaced this program.
            let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
            while read().first() != Some(&b's') && std::time::Instant::now() < deadline {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            let command = read();
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(command.len(), length);
            assert_eq!(command.split(|byte| *byte == 0).nth(3), Some(last.as_bytes()));
        }
    }

    /// Every number of rows: the table ends before, at and after the end of a page.
    #[test]
    fn every_row_is_read_wherever_a_page_ends() {
        use std::net::{TcpListener, UdpSocket};
        let inode = |socket: &dyn AsFd| rustix::fs::fstat(socket.as_fd()).unwrap().st_ino;
        let mut sockets = (Vec::new(), Vec::new());
        let mut inodes = (Vec::new(), Vec::new());
        for _ in 0..64 {
            sockets.0.extend(TcpListener::bind("127.0.0.1:0"));
            sockets.1.extend(UdpSocket::bind("127.0.0.1:0"));
            inodes.0.extend(sockets.0.last().map(|socket| inode(socket)));
            inodes.1.extend(sockets.1.last().map(|socket| inode(socket)));
            for (protocol, inodes) in [(Protocol::Tcp, &inodes.0), (Protocol::Udp, &inodes.1)] {
                let table = InetTable { protocol, family: Family::Ipv4 };
                let listed = net_sockets(own_net().unwrap(), table).unwrap();
                for inode in inodes {
                    let count = listed.iter().filter(|(listed, _)| listed == inode).count();
                    assert_eq!(count, 1, "{protocol}, {} sockets", inodes.len());
                }
            }
        }
        assert_eq!((inodes.0.len(), inodes.1.len()), (64, 64));
    }
}
