//! Port numbers that no two trials share. Numbers are dealt from below the range that systems give out
//! by themselves, so neither a client's port nor a stranger's port 0 falls on them.

use super::fixture::{Fixture, Steps};
#[cfg(unix)]
use std::net::{Ipv4Addr, SocketAddr};
use std::net::{Ipv6Addr, UdpSocket};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 12_000;
/// A run is dealt its numbers from one block, which no other run on this machine has meanwhile.
const BLOCK: u16 = 1_000;
const BLOCKS: u16 = 18;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port that nothing on this machine uses now, and that no other trial is given.
///
/// A test needs such a number where several sockets share one port, or where the number itself is the
/// subject; being dealt only once is what keeps it free until the fixture takes it.
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

/// Listens without the options that forgive what others left behind, which the standard library sets.
#[cfg(unix)]
pub(crate) fn listen_without_reuse(address: SocketAddr) -> Result<std::os::fd::OwnedFd, nix::errno::Errno> {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockProtocol, SockType, SockaddrStorage};
    use nix::sys::socket::{bind, listen, setsockopt, socket, sockopt};
    use std::os::fd::AsRawFd as _;

    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let own = socket(family, SockType::Stream, SockFlag::empty(), None::<SockProtocol>)?;
    // No program that is started meanwhile may keep it open.
    fcntl(&own, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    if address.is_ipv6() {
        setsockopt(&own, sockopt::Ipv6V6Only, &true)?;
    }
    bind(own.as_raw_fd(), &SockaddrStorage::from(address))?;
    listen(&own, Backlog::new(8)?)?;
    Ok(own)
}

/// One block of numbers, this run's until it ends.
struct Claim {
    block: u16,
    #[cfg(target_os = "linux")]
    _name: Option<std::os::unix::net::UnixDatagram>,
}

impl Claim {
    /// A name in the abstract namespace has one user at a time, and leaves nothing behind.
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

/// Where runs cannot agree they are at least likely to differ.
fn any_block() -> u16 {
    let pid = std::process::id().wrapping_mul(2_654_435_761);
    u16::try_from(pid >> 16).expect("half of the bits") % BLOCKS
}

/// Starts fixtures that need the same port; `steps` gives the steps of each for that port.
pub(crate) fn start_on_one_port<const N: usize>(steps: impl Fn(u16) -> [Steps; N]) -> (u16, [Fixture; N]) {
    let port = port();
    (port, steps(port).map(Steps::start))
}
