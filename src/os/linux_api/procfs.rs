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
    let read = || Ok(parse(&read_at(&directory, name, u64::MAX)?));
    with_skipped(read()?, readings, read, |_| true, key)
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
}
