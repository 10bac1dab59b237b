//! Kernel services that report their ports in files, through the RDMA family of netlink, or to rpcbind.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::net::netlink::RDMA;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::model::{KernelSocket, KernelSocketKind, Protocol, Text};
use crate::os::linux_api::netlink::dump;
use crate::os::namespaces::sys as namespace;
use crate::os::parse::linux::kernel_sockets::rpcbind_reply::{LAST_FRAGMENT, fragment, lock_manager};
use crate::os::parse::linux::kernel_sockets::service_files::{
    RdmaDevice, children_pids, ksmbd_stats, nfsd_portlist, number, rdma_device, rxrpc_locals,
};
use crate::os::parse::linux::kernel_sockets::{Bound, KernelSocketReport, Strength, kernel_socket, reported};
use crate::os::parse::linux::mountinfo::has_nfs_4_0;

/// The port of RoCE v2 (ROCE_V2_UDP_DPORT of the kernel's rdma/ib_verbs.h).
const ROCE_PORT: u16 = 4791;
/// The most bytes that are read of a file.
const LONGEST_FILE: u64 = 1 << 20;
/// The timeout for rpcbind.
const TIMEOUT: Duration = Duration::from_millis(200);
/// The most bytes of a list of registrations. One registration takes about 80.
const LONGEST_LIST: usize = 1 << 18;

pub(in crate::os) fn claims(protocols: &BTreeSet<Protocol>) -> Vec<KernelSocketReport> {
    // A service of the whole machine has its sockets in the first network namespace.
    let first = namespace::is_own(1) == Some(true);
    let mut claims = Vec::new();
    let (tcp, udp) = (protocols.contains(&Protocol::Tcp), protocols.contains(&Protocol::Udp));
    if udp {
        claims.extend(sctp());
        claims.extend(rxrpc_locals(&read("/proc/thread-self/net/rxrpc/locals").unwrap_or_default()));
        claims.extend(rxe(first));
    }
    if first {
        claims.extend(nfsd_portlist(&read("/proc/fs/nfsd/portlist").unwrap_or_default()));
        claims.extend(lockd());
        if tcp {
            claims.extend(read("/sys/class/ksmbd-control/stats").and_then(|bytes| ksmbd_stats(&bytes)));
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

/// Returns the port of SCTP over UDP (RFC 6951), Linux 5.11. The file is that of the opening thread's namespace.
fn sctp() -> Option<KernelSocketReport> {
    let port = number(&read("/proc/sys/net/sctp/udp_port")?).filter(|port| *port > 0)?;
    Some(reported(Protocol::Udp, port, None, KernelSocketKind::Sctp))
}

/// Returns the ports of soft RoCE. Up to Linux 6.12 its sockets are in the first namespace whatever the device's, and
/// stay until the module is unloaded; in 7.3 they are in that of the network interface, and end with the last device
/// (both observed).
fn rxe(first: bool) -> Vec<KernelSocketReport> {
    if !std::fs::exists("/sys/module/rdma_rxe").unwrap_or(false) {
        return Vec::new();
    }
    let claim = |device: Option<Text>, strength| KernelSocketReport {
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
    let collect = |kind: u16, request: &[u8]| {
        let found: RefCell<Vec<RdmaDevice>> = RefCell::new(Vec::new());
        let mut each = |bytes: &[u8]| found.borrow_mut().extend(rdma_device(bytes));
        match dump(Some(RDMA), kind, request, kind, &mut each, &mut || found.borrow_mut().clear()) {
            Ok(()) => found.into_inner(),
            Err(_) => Vec::new(),
        }
    };
    let device = |device: RdmaDevice| {
        let mut request = Vec::with_capacity(8);
        request.extend(8_u16.to_ne_bytes());
        request.extend(DEV_INDEX.to_ne_bytes());
        request.extend(device.index.to_ne_bytes());
        (device.name, collect(PORT_GET, &request).iter().any(|port| port.is_here))
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
fn lockd() -> Vec<KernelSocketReport> {
    if !std::fs::exists("/proc/sys/fs/nfs").unwrap_or(false) || !kernel_thread_runs(b"lockd") {
        return Vec::new();
    }
    let chosen = |path, protocol| {
        let port = number(&read(path)?).filter(|port| *port > 0)?;
        Some(reported(protocol, port, None, KernelSocketKind::Lockd))
    };
    let mut claims: Vec<KernelSocketReport> =
        chosen("/proc/sys/fs/nfs/nlm_tcpport", Protocol::Tcp).into_iter().collect();
    claims.extend(chosen("/proc/sys/fs/nfs/nlm_udpport", Protocol::Udp));
    if let Ok(registered) = ask_rpcbind() {
        claims.extend(lock_manager(&registered));
    }
    claims
}

/// Returns the port of the callback service of NFS 4.0 mounts. Only an administrator's choice of its port is reported.
fn nfs_callback() -> Option<KernelSocketReport> {
    let mounts = read("/proc/thread-self/mountinfo")?;
    if !has_nfs_4_0(&mounts) {
        return None;
    }
    let port = read("/sys/module/nfs/parameters/callback_tcpport").and_then(|bytes| number(&bytes));
    let port = port.filter(|port| *port > 0);
    Some(KernelSocketReport {
        protocol: Protocol::Tcp,
        port,
        family: None,
        bound: Bound::Wildcard,
        strength: if port.is_some() { Strength::Reported } else { Strength::Possible },
        kernel: kernel_socket(KernelSocketKind::NfsCallback),
    })
}

/// Returns whether the kernel runs a thread of this name. Kernel threads are children of process 2.
fn kernel_thread_runs(name: &[u8]) -> bool {
    let Some(children) = read("/proc/2/task/2/children") else { return false };
    children_pids(&children)
        .any(|pid| read(&format!("/proc/{pid}/comm")).is_some_and(|comm| comm.trim_ascii_end() == name))
}

/// Asks rpcbind for its registrations (RFC 1833, RPCBPROC_DUMP of version 4), over its Unix socket.
fn ask_rpcbind() -> io::Result<Vec<u8>> {
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
        let (length, is_last) = fragment(&mark).unwrap_or((0, true));
        if answer.len().saturating_add(length) > LONGEST_LIST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        answer.extend(receive(length)?);
        if is_last {
            return Ok(answer);
        }
    }
}
