//! Port numbers that no two tests share. They are below the ephemeral range, so no client and no bind to port 0 gets
//! one of them.

use super::fixture::{Fixture, Steps};
#[cfg(unix)]
use std::net::{Ipv4Addr, SocketAddr};
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
        let tcp = listen_anywhere(port);
        let udp = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port));
        if tcp.is_ok() && udp.is_ok() {
            return port;
        }
    }
    panic!("no port from {begin} on is free");
}

#[cfg(unix)]
fn listen_anywhere(port: u16) -> Result<[std::os::fd::OwnedFd; 2], nix::errno::Errno> {
    Ok([
        listen_without_reuse((Ipv4Addr::UNSPECIFIED, port).into())?,
        listen_without_reuse((Ipv6Addr::UNSPECIFIED, port).into())?,
    ])
}

#[cfg(not(unix))]
fn listen_anywhere(port: u16) -> std::io::Result<std::net::TcpListener> {
    std::net::TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
}

/// Listens without SO_REUSEADDR, which the standard library sets.
#[cfg(unix)]
pub(crate) fn listen_without_reuse(address: SocketAddr) -> Result<std::os::fd::OwnedFd, nix::errno::Errno> {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockProtocol, SockType, SockaddrStorage};
    use nix::sys::socket::{bind, listen, setsockopt, socket, sockopt};
    use std::os::fd::AsRawFd as _;

    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let own = socket(family, SockType::Stream, SockFlag::empty(), None::<SockProtocol>)?;
    // A program that is started meanwhile must not inherit it.
    fcntl(&own, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    if address.is_ipv6() {
        setsockopt(&own, sockopt::Ipv6V6Only, &true)?;
    }
    bind(own.as_raw_fd(), &SockaddrStorage::from(address))?;
    listen(&own, Backlog::new(8)?)?;
    Ok(own)
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

/// A block that probably differs between runs, for systems on which they cannot agree.
fn any_block() -> u16 {
    let pid = std::process::id().wrapping_mul(2_654_435_761);
    u16::try_from(pid >> 16).expect("half of the bits") % BLOCKS
}

/// Starts fixtures on the same port. `steps` returns the steps of each for that port.
pub(crate) fn start_on_one_port<const N: usize>(steps: impl Fn(u16) -> [Steps; N]) -> (u16, [Fixture; N]) {
    let port = port();
    (port, steps(port).map(Steps::start))
}
