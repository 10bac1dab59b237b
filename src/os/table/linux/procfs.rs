//! Files of /proc (proc(5)), read as bytes. Parsers take bytes, so that they can be tried without a kernel.

use std::collections::HashSet;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::path::Arg;

use crate::model::{Error, ErrorKind, Family, Protocol, State};
use crate::os::table::netstat2::Table;

/// The most that is read of any file here but the tables of /proc/net.
const LONGEST_FILE: u64 = 1 << 20;
/// What is read of a file at first.
const FIRST_READ: u64 = 2048;

/// Fails where /proc is not a process file system, as in a bare chroot.
pub(in crate::os) fn require() -> Result<(), Error> {
    let error = |source: io::Error| {
        Error::new(ErrorKind::Processes, "cannot look at processes: /proc is not mounted here")
            .because(source)
    };
    let filesystem = rustix::fs::statfs("/proc").map_err(|errno| error(errno.into()))?;
    if filesystem.f_type != rustix::fs::PROC_SUPER_MAGIC {
        return Err(error(io::Error::other("it is another file system")));
    }
    Ok(())
}

/// Whether there may be processes outside of what /proc shows. The first pid namespace has a fixed number
/// (PROC_PID_INIT_INO in the kernel's proc_ns.h).
pub(in crate::os) fn is_in_pid_namespace() -> bool {
    std::fs::read_link("/proc/self/ns/pid").is_ok_and(|name| name.as_os_str() != "pid:[4026531836]")
}

/// Whether this process's cgroup namespace is the first one, which shows the whole tree (PROC_CGROUP_INIT_INO in the
/// kernel's proc_ns.h). A kernel without such namespaces (before 4.6) always shows it.
pub(in crate::os) fn sees_all_cgroups() -> bool {
    std::fs::read_link("/proc/self/ns/cgroup").map_or_else(
        |error| error.kind() == io::ErrorKind::NotFound,
        |name| name.as_os_str() == "cgroup:[4026531835]",
    )
}

/// How many files are open on this machine (proc_sys_fs(5), file-nr). Each has one descriptor at least.
pub(in crate::os) fn open_files() -> Option<u64> {
    let counts = std::fs::read_to_string("/proc/sys/fs/file-nr").ok()?;
    counts.split_ascii_whitespace().next()?.parse().ok()
}

/// Whether a time namespace shifts the time since boot (time_namespaces(7)): its offsets are lines such as
/// `boottime 3600 0`.
pub(in crate::os) fn counts_from_another_boot() -> bool {
    // A kernel without time namespaces has no such file.
    let offsets = std::fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default();
    let shifted = |line: &str| line.split_ascii_whitespace().skip(1).any(|number| number != "0");
    offsets.lines().any(|line| line.starts_with("boottime") && shifted(line))
}

/// Whether this /proc hides other users' processes (hidepid): then even the first process is not there.
pub(in crate::os) fn hides_processes() -> bool {
    let first = std::fs::symlink_metadata("/proc/1");
    first.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// A file below an open directory, up to a limit.
pub(in crate::os) fn read_at(directory: impl AsFd, name: impl Arg, limit: u64) -> io::Result<Vec<u8>> {
    let file = rustix::fs::openat(directory, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    // Room for most files at once: without it the first reads are of 32 bytes.
    let mut bytes = Vec::with_capacity(usize::try_from(limit.min(FIRST_READ)).unwrap_or_default());
    std::fs::File::from(file).take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What /proc/PID/stat tells of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct Stat {
    /// The name of the main thread: 15 bytes at most, any bytes but NUL.
    pub(in crate::os) name: Vec<u8>,
    /// The letter of its state: R, S, D, T, t, Z, ...
    pub(in crate::os) state: char,
    pub(in crate::os) parent: u32,
    /// Its process group.
    pub(in crate::os) group: u32,
    /// Its session.
    pub(in crate::os) session: u32,
    /// Its start, in clock ticks since boot.
    pub(in crate::os) start: u64,
    /// The number of its controlling terminal, 0 for none.
    pub(in crate::os) terminal: u64,
    /// How many threads it has.
    pub(in crate::os) threads: u64,
    /// Whether it is a thread of the kernel.
    pub(in crate::os) kernel: bool,
}

/// /proc/PID/stat of the process whose directory this is.
pub(in crate::os) fn stat(process: impl AsFd) -> Option<Stat> {
    parse_stat(&read_at(process, "stat", LONGEST_FILE).ok()?)
}

/// The name may hold spaces and parentheses: it ends at the last one.
pub(in crate::os) fn parse_stat(bytes: &[u8]) -> Option<Stat> {
    const PF_KTHREAD: u64 = 0x0020_0000;
    let open = bytes.iter().position(|byte| *byte == b'(')?;
    let close = bytes.iter().rposition(|byte| *byte == b')')?;
    let name = bytes.get(open + 1..close)?.to_vec();
    let rest = std::str::from_utf8(bytes.get(close + 1..)?).ok()?;
    // The state is field 3 of proc_pid_stat(5).
    let field = |number: usize| rest.split_ascii_whitespace().nth(number - 3)?.parse::<u64>().ok();
    let id = |number: usize| u32::try_from(field(number)?).ok();
    Some(Stat {
        name,
        state: rest.split_ascii_whitespace().next()?.chars().next()?,
        parent: id(4)?,
        // Kernel threads have none of these two; some kernels write -1 for a process that ends at this moment.
        group: id(5).unwrap_or(0),
        session: id(6).unwrap_or(0),
        start: field(22)?,
        // A signed number, but those of terminals are small.
        terminal: field(7).unwrap_or(0),
        threads: field(20)?,
        kernel: field(9)? & PF_KTHREAD != 0,
    })
}

/// The user a process acts as: whose its directory is. Where a process may not be dumped what is in there is root's,
/// but never the directory itself (proc(5) is silent on it; task_dump_owner in the kernel's fs/proc/base.c).
pub(in crate::os) fn effective_uid(pid: u32) -> Option<u32> {
    Some(rustix::fs::stat(format!("/proc/{pid}")).ok()?.st_uid)
}

/// A socket as /proc/net lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct NetSocket {
    pub(in crate::os) local: SocketAddr,
    pub(in crate::os) peer: Option<SocketAddr>,
    /// The kernel's number of the state: 1 established, 7 closed, 10 listen.
    pub(in crate::os) state: u8,
    pub(in crate::os) uid: u32,
}

/// /proc/net of this thread's network namespace.
pub(in crate::os) fn own_net() -> Result<OwnedFd, Error> {
    let path = "/proc/thread-self/net";
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| {
        Error::new(ErrorKind::SocketTable, format!("cannot open {path}")).because(io::Error::from(errno))
    })
}

/// The sockets of a table with their inode numbers, from a directory such as /proc/net. Inode 0 stands for those that
/// have outlived their holders.
pub(in crate::os) fn net_sockets(directory: impl AsFd, table: Table) -> Result<Vec<(u64, NetSocket)>, Error> {
    let name = match (table.protocol, table.family) {
        (Protocol::Tcp, Family::Ipv4) => "tcp",
        (Protocol::Tcp, _) => "tcp6",
        (Protocol::UdpLite, Family::Ipv4) => "udplite",
        (Protocol::UdpLite, _) => "udplite6",
        (_, Family::Ipv4) => "udp",
        (..) => "udp6",
    };
    match read_at(directory, name, u64::MAX) {
        Ok(bytes) => Ok(parse_net(&bytes)),
        // A kernel without IPv6 has no such table.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => {
            Err(Error::new(ErrorKind::SocketTable, format!("cannot read /proc/net/{name}")).because(error))
        }
    }
}

/// The lines of /proc/net/tcp and its like. A line that is not understood is left out, and so is one that says again
/// what an earlier one said: the kernel writes a page at a time, and where sockets come meanwhile some are on two.
pub(in crate::os) fn parse_net(bytes: &[u8]) -> Vec<(u64, NetSocket)> {
    let line = |line: &[u8]| {
        let mut fields = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
        let local = parse_net_address(fields.nth(1)?)?;
        let peer = parse_net_address(fields.next()?)?;
        let state = u8::from_str_radix(fields.next()?, 16).ok()?;
        let uid = fields.nth(3)?.parse().ok()?;
        let inode = fields.nth(1)?.parse().ok()?;
        Some((inode, NetSocket { local, peer: (peer.port() != 0).then_some(peer), state, uid }))
    };
    let mut known = HashSet::new();
    bytes
        .split(|byte| *byte == b'\n')
        .skip(1)
        .filter_map(line)
        .filter(|(inode, socket)| known.insert((*inode, socket.local, socket.peer)))
        .collect()
}

/// `0100007F:1F90`: words of 32 bits in the machine's own byte order, then the port.
fn parse_net_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let digits = address.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let address = match address.len() {
        8 => IpAddr::from(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let mut bytes = [0; 16];
            for (byte, value) in bytes.iter_mut().zip(words.iter().flatten()) {
                *byte = *value;
            }
            IpAddr::from(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

/// TCP's states by the kernel's numbers (include/net/tcp_states.h).
pub(in crate::os) fn tcp_state(number: u8) -> State {
    match number {
        1 => State::Established,
        2 => State::SynSent,
        // 12 is a connection that is still being made, and has no socket of its own yet.
        3 | 12 => State::SynReceived,
        4 => State::FinWait1,
        5 => State::FinWait2,
        6 => State::TimeWait,
        7 => State::Closed,
        8 => State::CloseWait,
        9 => State::LastAck,
        10 => State::Listen,
        11 => State::Closing,
        _ => State::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_look_like_the_rest_of_the_line() {
        let rest = " S 1 2 3 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 777 0 0";
        for name in ["node", "a)\n\u{1b}[31m", "(x", "", ") R 9 9", "a b"] {
            let stat = parse_stat(format!("42 ({name}){rest}").as_bytes()).unwrap();
            assert_eq!(stat.name, name.as_bytes());
            assert_eq!((stat.parent, stat.start, stat.kernel), (1, 777, false));
        }
        let kernel = b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0";
        assert!(parse_stat(kernel).unwrap().kernel);
        for torn in [&b""[..], b"42", b"42 (x", b"42 (x) S 1", b")("] {
            assert_eq!(parse_stat(torn), None);
        }
    }

    #[test]
    fn lines_of_proc_net() {
        let table = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            1: 0100007F:2845 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 4711 2 0 0\n\
            2: 0100007F:2846 0100007F:0035 01 00000000:00000000 00:00000000 00000000     0        0 4712 2 0 0\n\
            3: torn\n\
            1: 0100007F:2845 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 4711 2 0 0\n";
        let sockets = parse_net(table);
        assert_eq!(sockets.len(), 2);
        let socket =
            |inode| sockets.iter().find(|(known, _)| *known == inode).map(|(_, socket)| socket).unwrap();
        let bound = socket(4711);
        assert_eq!((bound.local, bound.peer), ("127.0.0.1:10309".parse().unwrap(), None));
        assert_eq!((bound.state, bound.uid), (7, 1000));
        assert_eq!(socket(4712).peer, Some("127.0.0.1:53".parse().unwrap()));
        let six = b"h\n 0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 7 0 9\n";
        assert_eq!(parse_net(six)[0].1.local, "[::1]:80".parse().unwrap());
    }
}
