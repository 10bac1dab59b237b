//! Kernel services that report their ports in files, through the RDMA family of netlink, or to rpcbind.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::net::netlink::RDMA;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::links::text;
use super::{Bound, Claim, Strength, kernel_socket};
use crate::model::{Family, KernelSocket, KernelSocketKind, Protocol, Text};
use crate::os::namespaces::sys as namespace;
use crate::os::table::sys::netlink::{attributes, dump, u32_at};

/// The port of RoCE v2 (ROCE_V2_UDP_DPORT of the kernel's rdma/ib_verbs.h).
const ROCE_PORT: u16 = 4791;
/// The most bytes that are read of a file.
const LONGEST_FILE: u64 = 1 << 20;
/// The timeout for rpcbind.
const TIMEOUT: Duration = Duration::from_millis(200);
/// The most bytes of a list of registrations. One registration takes about 80.
const LONGEST_LIST: usize = 1 << 18;

pub(in crate::os) fn claims(protocols: &BTreeSet<Protocol>) -> Vec<Claim> {
    // A service of the whole machine has its sockets in the first network namespace.
    let first = namespace::is_own(1) == Some(true);
    let mut claims = Vec::new();
    let (tcp, udp) = (protocols.contains(&Protocol::Tcp), protocols.contains(&Protocol::Udp));
    if udp {
        claims.extend(sctp());
        claims.extend(parse_rxrpc(&read("/proc/thread-self/net/rxrpc/locals").unwrap_or_default()));
        claims.extend(rxe(first));
    }
    if first {
        claims.extend(parse_portlist(&read("/proc/fs/nfsd/portlist").unwrap_or_default()));
        claims.extend(lockd());
        if tcp {
            claims.extend(read("/sys/class/ksmbd-control/stats").and_then(|bytes| parse_ksmbd(&bytes)));
            claims.extend(nfs_callback());
        }
    }
    claims
}

fn read(path: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(LONGEST_FILE).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn number(bytes: &[u8]) -> Option<u16> {
    std::str::from_utf8(bytes).ok()?.trim().parse().ok()
}

/// Returns the claim of a port that the kernel reports for both families, or for one.
fn reported(protocol: Protocol, port: u16, family: Option<Family>, kind: KernelSocketKind) -> Claim {
    Claim {
        protocol,
        port: Some(port),
        family,
        bound: Bound::Wildcard,
        strength: Strength::Reported,
        kernel: kernel_socket(kind),
    }
}

/// Returns the port of SCTP over UDP (RFC 6951), Linux 5.11. The file is that of the opening thread's namespace.
fn sctp() -> Option<Claim> {
    let port = number(&read("/proc/sys/net/sctp/udp_port")?).filter(|port| *port > 0)?;
    Some(reported(Protocol::Udp, port, None, KernelSocketKind::Sctp))
}

/// Reads /proc/net/rxrpc/locals: `UDP   [::]:7001   11   1   0` after a line of headings.
pub(in crate::os) fn parse_rxrpc(bytes: &[u8]) -> Vec<Claim> {
    let text = String::from_utf8_lossy(bytes);
    let claim = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let address = words.next().filter(|word| word.starts_with("UDP")).and_then(|_| words.next())?;
        let at: SocketAddr = address.parse().ok()?;
        let family = if at.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 };
        let mut claim = reported(Protocol::Udp, at.port(), Some(family), KernelSocketKind::Rxrpc);
        if !at.ip().is_unspecified() {
            claim.bound = Bound::Address(at.ip());
        }
        Some(claim)
    };
    text.lines().filter_map(claim).collect()
}

/// Reads the portlist of the NFS server's file system: `tcp 2049`, a line for each socket.
pub(in crate::os) fn parse_portlist(bytes: &[u8]) -> Vec<Claim> {
    let text = String::from_utf8_lossy(bytes);
    let claim = |line: &str| {
        let (transport, port) = line.split_once(' ')?;
        let protocol = match transport {
            "tcp" | "tcp-ipv6" => Protocol::Tcp,
            "udp" | "udp-ipv6" => Protocol::Udp,
            _ => return None,
        };
        Some(reported(protocol, port.trim().parse().ok()?, None, KernelSocketKind::Nfsd))
    };
    text.lines().filter_map(claim).collect()
}

/// Reads ksmbd's stats: `2 running 445 0`, where the second number is the port. It has a socket for each interface.
pub(in crate::os) fn parse_ksmbd(bytes: &[u8]) -> Option<Claim> {
    let text = String::from_utf8_lossy(bytes);
    let mut words = text.split_ascii_whitespace().skip(1);
    words.next().filter(|state| *state == "running")?;
    let port = words.next()?.parse().ok().filter(|port| *port > 0)?;
    let claim = reported(Protocol::Tcp, port, None, KernelSocketKind::Ksmbd);
    Some(Claim { bound: Bound::Interface, ..claim })
}

/// Returns the ports of soft RoCE. Up to Linux 6.12 its sockets are in the first namespace whatever the device's, and
/// stay until the module is unloaded; in 7.3 they are in that of the network interface, and end with the last device
/// (both observed).
fn rxe(first: bool) -> Vec<Claim> {
    if !std::fs::exists("/sys/module/rdma_rxe").unwrap_or(false) {
        return Vec::new();
    }
    let claim = |device: Option<Text>, strength| Claim {
        strength,
        kernel: KernelSocket { interface: device, ..kernel_socket(KernelSocketKind::Rxe) },
        ..reported(Protocol::Udp, ROCE_PORT, None, KernelSocketKind::Rxe)
    };
    let devices: Vec<(Text, bool)> = rdma_devices().into_iter().filter(|(name, _)| is_rxe(name)).collect();
    let here = |(name, here): &(Text, bool)| {
        let strength = if *here && first { Strength::Reported } else { Strength::Fixed };
        claim(Some(name.clone()), strength)
    };
    match devices.is_empty() {
        true => vec![claim(None, Strength::Fixed)],
        false => devices.iter().map(here).collect(),
    }
}

/// Returns the RDMA devices, and whether the network interface of each is in this namespace. The module is loaded already,
/// so that the request loads none.
fn rdma_devices() -> Vec<(Text, bool)> {
    const GET: u16 = (5 << 10) + 1;
    const PORT_GET: u16 = (5 << 10) + 5;
    const DEV_INDEX: u16 = 1;
    const DEV_NAME: u16 = 2;
    const NDEV_INDEX: u16 = 50;
    let collect = |kind: u16, request: &[u8]| {
        let found: RefCell<Vec<(u32, Text, bool)>> = RefCell::new(Vec::new());
        let mut each = |bytes: &[u8]| {
            let (mut index, mut name, mut here) = (None, None, false);
            attributes(bytes, |attribute, value| match attribute {
                DEV_INDEX => index = u32_at(value, 0),
                DEV_NAME => name = Some(text(value)),
                NDEV_INDEX => here = true,
                _ => {}
            });
            if let (Some(index), Some(name)) = (index, name) {
                found.borrow_mut().push((index, name, here));
            }
        };
        match dump(Some(RDMA), kind, request, kind, &mut each, &mut || found.borrow_mut().clear()) {
            Ok(()) => found.into_inner(),
            Err(_) => Vec::new(),
        }
    };
    let device = |(index, name, _): (u32, Text, bool)| {
        let mut request = Vec::with_capacity(8);
        request.extend(8_u16.to_ne_bytes());
        request.extend(DEV_INDEX.to_ne_bytes());
        request.extend(index.to_ne_bytes());
        (name, collect(PORT_GET, &request).iter().any(|(_, _, here)| *here))
    };
    collect(GET, &[]).into_iter().map(device).collect()
}

/// Returns whether an RDMA device is soft RoCE, the only kind with this file (drivers/infiniband/sw/rxe/rxe_verbs.c).
fn is_rxe(name: &Text) -> bool {
    let name = name.as_str().filter(|name| !name.contains('/'));
    name.is_some_and(|name| std::fs::exists(format!("/sys/class/infiniband/{name}/parent")).unwrap_or(false))
}

/// Returns the ports of the NFS lock manager. They are in two files if an administrator chose them, and otherwise
/// registered with rpcbind. A lock manager that is a process registers the same, so the kernel's must be running.
fn lockd() -> Vec<Claim> {
    if !std::fs::exists("/proc/sys/fs/nfs").unwrap_or(false) || !kernel_thread_runs(b"lockd") {
        return Vec::new();
    }
    let chosen = |path, protocol| {
        let port = number(&read(path)?).filter(|port| *port > 0)?;
        Some(reported(protocol, port, None, KernelSocketKind::Lockd))
    };
    let mut claims: Vec<Claim> = chosen("/proc/sys/fs/nfs/nlm_tcpport", Protocol::Tcp).into_iter().collect();
    claims.extend(chosen("/proc/sys/fs/nfs/nlm_udpport", Protocol::Udp));
    if let Ok(registered) = ask_rpcbind() {
        claims.extend(parse_registrations(&registered));
    }
    claims
}

/// Returns the port of the callback service of NFS 4.0 mounts. Only an administrator's choice of its port is reported.
fn nfs_callback() -> Option<Claim> {
    let mounts = read("/proc/thread-self/mountinfo")?;
    let is_4_0 = |line: &[u8]| contains(line, b" - nfs4 ") && contains(line, b"vers=4.0,");
    if !mounts.split(|byte| *byte == b'\n').any(is_4_0) {
        return None;
    }
    let port = read("/sys/module/nfs/parameters/callback_tcpport").and_then(|bytes| number(&bytes));
    let port = port.filter(|port| *port > 0);
    Some(Claim {
        protocol: Protocol::Tcp,
        port,
        family: None,
        bound: Bound::Wildcard,
        strength: if port.is_some() { Strength::Reported } else { Strength::Possible },
        kernel: kernel_socket(KernelSocketKind::NfsCallback),
    })
}

fn contains(line: &[u8], part: &[u8]) -> bool {
    line.windows(part.len()).any(|window| window == part)
}

/// Returns whether the kernel runs a thread of this name. Kernel threads are children of process 2.
fn kernel_thread_runs(name: &[u8]) -> bool {
    let Some(children) = read("/proc/2/task/2/children") else { return false };
    let children = String::from_utf8_lossy(&children).into_owned();
    children
        .split_ascii_whitespace()
        .any(|pid| read(&format!("/proc/{pid}/comm")).is_some_and(|comm| comm.trim_ascii_end() == name))
}

/// Asks rpcbind for its registrations (RFC 1833, RPCBPROC_DUMP of version 4), over its Unix socket.
fn ask_rpcbind() -> io::Result<Vec<u8>> {
    const LAST_FRAGMENT: u32 = 1 << 31;
    let until = Instant::now() + TIMEOUT;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new("/run/rpcbind.sock")?)?;
    let mut stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    // xid, call, RPC version 2, rpcbind, version 4, dump; no credentials, no verifier.
    let call: [u32; 10] = [1, 0, 2, 100_000, 4, 4, 0, 0, 0, 0];
    let mut message = (LAST_FRAGMENT | 40).to_be_bytes().to_vec();
    call.iter().for_each(|word| message.extend(word.to_be_bytes()));
    stream.write_all(&message)?;
    let mut receive = |count: usize| -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        let mut filled = 0;
        while filled < count {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            stream.set_read_timeout(Some(left))?;
            match stream.read(bytes.get_mut(filled..).unwrap_or_default()) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bytes)
    };
    let mut answer = Vec::new();
    loop {
        let mark = receive(4)?;
        let mark = word(&mark, 0).unwrap_or(LAST_FRAGMENT);
        let length = usize::try_from(mark & !LAST_FRAGMENT).unwrap_or(usize::MAX);
        if answer.len().saturating_add(length) > LONGEST_LIST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        answer.extend(receive(length)?);
        if mark & LAST_FRAGMENT != 0 {
            return Ok(answer);
        }
    }
}

/// Reads the lock manager's registrations in rpcbind's answer: only those of root, because every user may register.
pub(in crate::os) fn parse_registrations(answer: &[u8]) -> Vec<Claim> {
    const LOCK_MANAGER: u32 = 100_021;
    let mut claims = Vec::new();
    // xid, reply, accepted, a verifier of no bytes, success.
    let accepted = [(4, 1), (8, 0), (16, 0), (20, 0)];
    if accepted.iter().any(|(at, value)| word(answer, *at) != Some(*value)) {
        return claims;
    }
    let mut at = 24;
    while word(answer, at) == Some(1) {
        let Some(program) = word(answer, at + 4) else { break };
        at += 12;
        let Some(strings) = (0..3).map(|_| string(answer, &mut at)).collect::<Option<Vec<_>>>() else {
            break;
        };
        let [network, address, owner] = strings.as_slice() else { break };
        if program != LOCK_MANAGER || *owner != b"superuser" {
            continue;
        }
        let (protocol, family) = match *network {
            b"tcp" => (Protocol::Tcp, Family::Ipv4),
            b"tcp6" => (Protocol::Tcp, Family::Ipv6),
            b"udp" => (Protocol::Udp, Family::Ipv4),
            b"udp6" => (Protocol::Udp, Family::Ipv6),
            _ => continue,
        };
        // A universal address ends in the two bytes of its port: `0.0.0.0.8.1`.
        let mut parts =
            address.rsplit(|byte| *byte == b'.').map(|part| number(part).filter(|part| *part < 256));
        let (low, high) = (parts.next().flatten(), parts.next().flatten());
        if let (Some(low), Some(high)) = (low, high) {
            let claim = reported(protocol, high << 8 | low, Some(family), KernelSocketKind::Lockd);
            if !claims.contains(&claim) {
                claims.push(claim);
            }
        }
    }
    claims
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// Reads a string of XDR (RFC 4506), padded to four bytes.
fn string<'a>(bytes: &'a [u8], at: &mut usize) -> Option<&'a [u8]> {
    let length = usize::try_from(word(bytes, *at)?).ok()?;
    let start = *at + 4;
    let found = bytes.get(start..start.checked_add(length)?)?;
    *at = start + length.checked_next_multiple_of(4)?;
    Some(found)
}

#[cfg(test)]
mod tests;
