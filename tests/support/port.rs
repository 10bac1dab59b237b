//! Port numbers that no two tests share. They are below the ephemeral range, so no client and no bind to port 0 gets
//! one of them.

use super::fixture::{Fixture, Steps};
#[cfg(unix)]
use socket2::{Domain, Socket, Type};
#[cfg(unix)]
use std::net::SocketAddr;
#[cfg(not(target_os = "linux"))]
use std::net::{Ipv6Addr, UdpSocket};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 12_000;
/// Each run takes its numbers from one block, which no other run on this machine uses meanwhile.
const BLOCK: u16 = 1_000;
const BLOCKS: u16 = 18;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// Returns a port that nothing on this machine uses, and that no other test gets.
///
/// A test needs such a number if several sockets share one port, or if the number itself is tested. It stays free until
/// the fixture binds it, because each number is used once.
pub(crate) fn port() -> u16 {
    static CLAIM: OnceLock<Claim> = OnceLock::new();
    let begin = FIRST + CLAIM.get_or_init(Claim::new).block * BLOCK;
    for _ in 0..BLOCK {
        let port = begin + NEXT.fetch_add(1, Ordering::Relaxed) % BLOCK;
        if is_unused(port) {
            return port;
        }
    }
    panic!("no port from {begin} on is free");
}

/// Returns whether no socket has this port. It reads the table instead of attempting a bind: a program that another test is starting would have a
/// copy of the socket of an attempt, and hold the port for a moment.
#[cfg(target_os = "linux")]
fn is_unused(port: u16) -> bool {
    let local = format!(":{port:04X}");
    ["tcp", "tcp6", "udp", "udp6"].iter().all(|table| {
        let table = std::fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap_or_default();
        let mut addresses = table.lines().skip(1).filter_map(|line| line.split_ascii_whitespace().nth(1));
        !addresses.any(|address| address.ends_with(&local))
    })
}

#[cfg(not(target_os = "linux"))]
fn is_unused(port: u16) -> bool {
    let tcp = std::net::TcpListener::bind((Ipv6Addr::UNSPECIFIED, port));
    let udp = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port));
    tcp.is_ok() && udp.is_ok()
}

/// Listens without SO_REUSEADDR, which the standard library sets.
#[cfg(unix)]
pub(crate) fn listen_without_reuse(address: SocketAddr) -> std::io::Result<std::os::fd::OwnedFd> {
    // Created with close-on-exec, so that no program that another test is starting inherits it.
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(8)?;
    Ok(socket.into())
}

/// One block of numbers, which this run owns until it ends.
struct Claim {
    block: u16,
    #[cfg(target_os = "linux")]
    _name: Option<std::os::unix::net::UnixDatagram>,
}

impl Claim {
    /// Claims a block by a name in the abstract namespace, which has one user at a time and leaves nothing behind.
    #[cfg(target_os = "linux")]
    fn new() -> Self {
        use std::os::linux::net::SocketAddrExt as _;
        let claimed = (0..BLOCKS).find_map(|block| {
            let name = format!("allears-live-ports-{block}");
            let name = std::os::unix::net::SocketAddr::from_abstract_name(name).ok()?;
            let name = std::os::unix::net::UnixDatagram::bind_addr(&name).ok()?;
            Some(Self { block, _name: Some(name) })
        });
        claimed.unwrap_or(Self { block: any_block(), _name: None })
    }

    #[cfg(not(target_os = "linux"))]
    fn new() -> Self {
        Self { block: any_block() }
    }
}

/// Returns a block that probably differs between runs, for systems on which they cannot coordinate.
fn any_block() -> u16 {
    let pid = std::process::id().wrapping_mul(2_654_435_761);
    u16::try_from(pid >> 16).expect("half of the bits") % BLOCKS
}

/// Starts fixtures on the same port. `steps` returns the steps of each for that port.
pub(crate) fn start_on_one_port<const N: usize>(steps: impl Fn(u16) -> [Steps; N]) -> (u16, [Fixture; N]) {
    let port = port();
    (port, steps(port).map(Steps::start))
}
