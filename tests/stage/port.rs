//! Port numbers that no two trials share. Numbers are dealt from below the range that systems give out
//! by themselves, so neither a client's port nor a stranger's port 0 falls on them.

use super::fixture::{Fixture, Steps};
use std::net::{Ipv6Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 12_000;
const COUNT: u16 = 18_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port that nothing on this machine uses now, and that no other trial is given.
///
/// A test needs such a number where several sockets share one port, or where the number itself is the
/// subject; being dealt only once is what keeps it free until the fixture takes it.
pub(crate) fn port() -> u16 {
    // Two runs at a time begin at different places.
    let begin = std::process::id().wrapping_mul(2_654_435_761) % u32::from(COUNT);
    for _ in 0..COUNT {
        let dealt = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let offset = u16::try_from((begin + dealt) % u32::from(COUNT)).expect("below COUNT");
        let port = FIRST + offset;
        let tcp = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port));
        let udp = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port));
        if tcp.is_ok() && udp.is_ok() {
            return port;
        }
    }
    panic!("no port between {FIRST} and {} is free", FIRST + COUNT);
}

/// Starts fixtures that need the same port; `steps` gives the steps of each for that port.
pub(crate) fn on_one_port<const N: usize>(steps: impl Fn(u16) -> [Steps; N]) -> (u16, [Fixture; N]) {
    let port = port();
    (port, steps(port).map(Steps::start))
}
