//! `wait --accepts` and `wait --http`: connections to addresses of this machine, and to no other.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::http::{self, HttpPath};
use super::pass::WaitAttempt;
use crate::act::{bind, probe};
use crate::bind_attempt::BindTarget;
use crate::model::Exposure;
use crate::model::compact::CompactCollect as _;
use crate::os::{self, LocalAddress, Row, threads};

/// How long one attempt takes at most, unless less is left of the timeout.
const LIMIT: Duration = Duration::from_secs(2);
/// What an attempt gets if less is left of the timeout, so that a timeout of zero is one attempt.
const SHORTEST_LIMIT: Duration = Duration::from_millis(500);
/// How long a connection has to stay open to count as accepted. A proxy whose server does not run closes it earlier.
const SETTLE: Duration = Duration::from_millis(100);
/// The most connections at the same time.
const MOST_CONCURRENT: usize = 32;

/// What is tested over a connection.
#[derive(Debug, Clone, Copy)]
pub(super) enum Test<'a> {
    Accepts,
    Http(&'a HttpPath),
}

/// Connects to each target, and returns the best result of each. `targets` has the addresses of each target. If the
/// timeout ends meanwhile, the rest is not connected to.
pub(super) fn attempt_all(
    targets: &[Vec<SocketAddr>],
    test: Test<'_>,
    left: Option<Duration>,
) -> Vec<WaitAttempt> {
    let limit = left.map_or(LIMIT, |left| left.clamp(SHORTEST_LIMIT, LIMIT));
    let jobs: Vec<(usize, SocketAddr)> = targets
        .iter()
        .enumerate()
        .flat_map(|(at, addresses)| addresses.iter().map(move |address| (at, *address)))
        .collect();
    let end = left.map(|left| Instant::now() + left.max(SHORTEST_LIMIT));
    let is_over = || end.is_some_and(|end| Instant::now() > end);
    let next = AtomicUsize::new(0);
    let done = threads::share(jobs.len().clamp(1, MOST_CONCURRENT), || {
        let mut done = Vec::new();
        while let Some((at, address)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = if is_over() { WaitAttempt::NoAnswer } else { attempt(*address, test, limit) };
            done.push((*at, result));
        }
        done
    });
    let mut best = vec![WaitAttempt::Refused; targets.len()];
    for (at, result) in done.into_iter().flatten() {
        if let Some(known) = best.get_mut(at)
            && (result.is_success(), result) > (known.is_success(), *known)
        {
            *known = result;
        }
    }
    best
}

fn attempt(address: SocketAddr, test: Test<'_>, limit: Duration) -> WaitAttempt {
    let deadline = Instant::now() + limit;
    // The connection ends with a reset, which leaves no TIME_WAIT on the port.
    let stream: TcpStream = match probe::connect(address, limit) {
        // A socket connects to itself if the system assigns it the port that it connects to.
        Ok(socket) if probe::is_connected_to_itself(&socket, address) => return WaitAttempt::Refused,
        Ok(socket) => socket.into(),
        Err(error) => {
            return match error.kind() {
                ErrorKind::TimedOut | ErrorKind::WouldBlock => WaitAttempt::NoAnswer,
                _ => WaitAttempt::Refused,
            };
        }
    };
    match test {
        Test::Accepts => stays_open(&stream),
        Test::Http(path) => http::get(&stream, address.port(), path, deadline),
    }
}

/// Returns whether the connection stays open. It sends nothing.
fn stays_open(stream: &TcpStream) -> WaitAttempt {
    let mut reader = stream;
    if stream.set_read_timeout(Some(SETTLE)).is_err() {
        return WaitAttempt::Closed;
    }
    // A server that sends first (SSH, SMTP) has accepted.
    match reader.read(&mut [0; 1]) {
        Ok(1..) => WaitAttempt::Open,
        Ok(0) => WaitAttempt::Closed,
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => WaitAttempt::Open,
            // A read with a timeout is interrupted when the process is stopped and continued (signal(7)).
            ErrorKind::Interrupted => stays_open(stream),
            _ => WaitAttempt::Closed,
        },
    }
}

/// The addresses of this machine, read on first use.
#[derive(Default)]
pub(super) struct OwnAddresses(Option<Vec<LocalAddress>>);

impl OwnAddresses {
    fn contains(&mut self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let is_own = |local: &LocalAddress| local.address.to_canonical() == address;
        address.is_loopback()
            || self.0.get_or_insert_with(|| os::local_addresses().unwrap_or_default()).iter().any(is_own)
    }
}

/// Returns the addresses to connect to: that of the target if it is this machine's, otherwise those that reach its
/// listeners over loopback. Without a listener both loopback addresses, because a rule of the kernel may answer.
pub(super) fn addresses(target: &BindTarget, listeners: &[Row], own: &mut OwnAddresses) -> Vec<SocketAddr> {
    let with_port = |address: IpAddr| SocketAddr::new(address, target.port);
    let addresses: BTreeSet<SocketAddr> = match target.address {
        Some(any) if any.is_unspecified() => probe::loopback(Some(any)).into_iter().map(with_port).collect(),
        Some(address) if own.contains(address) => [bind::socket_address(target, address)].into(),
        Some(_) => BTreeSet::new(),
        None => {
            let is_dual =
                |row: &&Row| row.socket.exposure() == Exposure::All && row.socket.takes_ipv4() != Some(false);
            let of_listeners = listeners.iter().filter_map(|row| probe::probe_address(&row.socket));
            // A socket can be bound to an address that is not this machine's (IP_FREEBIND).
            let mut found: BTreeSet<SocketAddr> =
                of_listeners.filter(|address| own.contains(address.ip())).collect_set();
            if listeners.is_empty() {
                found.extend(probe::loopback(None).into_iter().map(with_port));
            } else if found.iter().any(|address| address.ip() == IpAddr::V6(Ipv6Addr::LOCALHOST))
                && listeners.iter().any(|row| is_dual(&row))
            {
                // The machine may have no ::1.
                found.insert(with_port(Ipv4Addr::LOCALHOST.into()));
            }
            found
        }
    };
    addresses.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use super::*;
    use crate::model::Protocol;
    use crate::os::test_support::eventually;

    fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    fn one(address: SocketAddr, test: Test<'_>) -> WaitAttempt {
        attempt_all(&[vec![address]], test, None).remove(0)
    }

    #[test]
    fn a_connection_that_stays_open_is_accepted() {
        let (listener, address) = listener();
        assert_eq!(one(address, Test::Accepts), WaitAttempt::Open);
        drop(listener);
        assert!(eventually(|| one(address, Test::Accepts) == WaitAttempt::Refused));
    }

    #[test]
    fn a_connection_that_is_closed_at_once_is_not() {
        let (listener, address) = listener();
        std::thread::spawn(move || listener.incoming().for_each(drop));
        // On a busy machine the thread may need more than 100 ms to close.
        let is_closed = || one(address, Test::Accepts) == WaitAttempt::Closed;
        assert!((0..100).any(|_| is_closed()));
    }

    #[test]
    fn a_status_is_read_and_the_best_address_counts() {
        let (listener, address) = listener();
        let server = std::thread::spawn(move || {
            for status in ["503 No", "302 Found"] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 512];
                let length = stream.read(&mut request).unwrap();
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let host = format!("Host: localhost:{}\r\n", address.port());
                assert!(
                    request.starts_with("GET /health HTTP/1.1\r\n") && request.contains(&host),
                    "{request}"
                );
                write!(stream, "HTTP/1.1 {status}\r\nLocation: /elsewhere\r\n\r\n").unwrap();
            }
            listener
        });
        let path = HttpPath::parse("/health").unwrap();
        assert_eq!(one(address, Test::Http(&path)), WaitAttempt::Status(503));
        let (closed, refused) = self::listener();
        drop(closed);
        assert!(eventually(|| one(refused, Test::Accepts) == WaitAttempt::Refused));
        let best = attempt_all(&[vec![refused, address], vec![]], Test::Http(&path), None);
        assert_eq!(best, [WaitAttempt::Status(302), WaitAttempt::Refused]);
        drop(server.join().unwrap());
    }

    #[test]
    fn only_addresses_of_this_machine_are_connected_to() {
        let target = |address: Option<&str>| BindTarget {
            protocol: Protocol::Tcp,
            address: address.map(|text| text.parse().unwrap()),
            interface: None,
            port: 80,
        };
        let mut own = OwnAddresses::default();
        let mut of = |address| {
            let addresses = addresses(&target(address), &[], &mut own);
            addresses.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(of(None), ["127.0.0.1:80", "[::1]:80"]);
        assert_eq!(of(Some("0.0.0.0")), ["127.0.0.1:80"]);
        assert_eq!(of(Some("127.0.0.1")), ["127.0.0.1:80"]);
        assert!(of(Some("192.0.2.1")).is_empty() && of(Some("2001:db8::1")).is_empty());
    }
}
