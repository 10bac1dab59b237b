//! `why` compared with the system: it agrees with a real bind, for random mixes of sockets.

#![cfg(unix)]

use crate::support::{Cmd, Output, in_new_netns, live_test};
use nix::errno::Errno;
use nix::sys::socket::{Backlog, SockType, SockaddrStorage, bind, connect, listen, setsockopt, sockopt};
use serde_json::Value;
use std::fmt;
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

/// Mixes for each worker. Every address is requested in each.
const MIXES: usize = 120;
const WORKERS: u64 = 2;
const AT_LEAST: usize = 2_000;
/// ALLEARS_SEED sets another seed.
const SEED: u64 = 0x00a1_1ea5;
/// Sockets of a mix stay for a while, so each mix has its own port from here on.
const FIRST: u16 = 20_000;
/// The destination of connections from the port.
const FAR: u16 = 9_090;

/// The generator splitmix64: the same seed gives the same mixes everywhere.
struct SeededRandom(u64);

impl SeededRandom {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).expect("below a limit that fits")
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum SocketUse {
    Bound,
    Listening,
    /// Connected from the port.
    Client,
    /// A connection to the port that the server closed first.
    Lingering,
    Udp,
}

/// One socket of a mix.
#[derive(Clone, Copy)]
struct Member {
    usage: SocketUse,
    address: IpAddr,
    reuse_address: bool,
    reuse_port: bool,
    v6_only: bool,
}

impl fmt::Debug for Member {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} {}", self.usage, self.address)?;
        for (set, name) in
            [(self.reuse_address, "reuseaddr"), (self.reuse_port, "reuseport"), (self.v6_only, "v6only")]
        {
            if set {
                write!(formatter, " {name}")?;
            }
        }
        Ok(())
    }
}

const MAPPED: IpAddr = IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped());
const V4: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)),
    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
];
const V6: [IpAddr; 3] = [IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::UNSPECIFIED), MAPPED];

impl Member {
    fn any(random: &mut SeededRandom) -> Self {
        let usage = match random.below(18) {
            0..6 => SocketUse::Listening,
            6..11 => SocketUse::Bound,
            11..13 => SocketUse::Client,
            13..15 => SocketUse::Lingering,
            _ => SocketUse::Udp,
        };
        let address = if random.one_in(2) { random.pick(&V4) } else { random.pick(&V6) };
        let mapped = matches!(address, IpAddr::V6(six) if six.to_ipv4_mapped().is_some());
        Self {
            usage,
            address,
            reuse_address: random.one_in(2),
            reuse_port: random.one_in(3),
            v6_only: address.is_ipv6() && !mapped && random.one_in(2),
        }
    }

    /// Opens it, if the other sockets allow it.
    fn stage(self, port: u16) -> Result<Vec<OwnedFd>, Errno> {
        let kind = if self.usage == SocketUse::Udp { SockType::Datagram } else { SockType::Stream };
        let own = open(self.address, kind)?;
        setsockopt(&own, sockopt::ReuseAddr, &self.reuse_address)?;
        setsockopt(&own, sockopt::ReusePort, &self.reuse_port)?;
        if self.address.is_ipv6() {
            setsockopt(&own, sockopt::Ipv6V6Only, &self.v6_only)?;
        }
        bind_to(&own, self.address, port)?;
        // A connection goes to a specific address of the socket's family.
        let peer = match self.address {
            IpAddr::V6(six) if six.to_ipv4_mapped().is_none() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            IpAddr::V6(_) => MAPPED,
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        match self.usage {
            SocketUse::Bound | SocketUse::Udp => {}
            SocketUse::Listening => listen(&own, Backlog::new(8)?)?,
            SocketUse::Client => {
                connect(own.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(peer, FAR)))?
            }
            SocketUse::Lingering => {
                listen(&own, Backlog::new(8)?)?;
                let there = if self.address.is_unspecified() { peer } else { self.address };
                return linger(own, SocketAddr::new(there, port)).map(|()| Vec::new());
            }
        }
        Ok(vec![own])
    }
}

/// Leaves a connection to the listener that its near end closed first, and closes the listener.
fn linger(listener: OwnedFd, there: SocketAddr) -> Result<(), Errno> {
    let client = open(there.ip(), SockType::Stream)?;
    connect(client.as_raw_fd(), &SockaddrStorage::from(there))?;
    let listener = TcpListener::from(listener);
    listener.set_nonblocking(true).map_err(|_| Errno::EIO)?;
    // The connection may have reached another listener of the mix; then none arrives here.
    let deadline = Instant::now() + Duration::from_millis(50);
    while Instant::now() < deadline {
        if let Ok((near, _)) = listener.accept() {
            drop(near);
            let ended = TcpStream::from(client).read(&mut [0]);
            return ended.map(|_| ()).map_err(|_| Errno::EIO);
        }
    }
    Ok(())
}

fn open(address: IpAddr, kind: SockType) -> Result<OwnedFd, Errno> {
    // Created with close-on-exec, so that no program that another test is starting inherits it.
    let kind = if kind == SockType::Stream { socket2::Type::STREAM } else { socket2::Type::DGRAM };
    let socket = socket2::Socket::new(socket2::Domain::for_address(SocketAddr::new(address, 0)), kind, None);
    socket.map(OwnedFd::from).map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or_default()))
}

fn bind_to(socket: &OwnedFd, address: IpAddr, port: u16) -> Result<(), Errno> {
    bind(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(address, port)))
}

/// Binds as a server with SO_REUSEADDR does, which TCP servers set, and no other option.
fn tried(address: SocketAddr, kind: SockType, v6_only: Option<bool>) -> Result<(), Errno> {
    let own = open(address.ip(), kind).expect("open a socket");
    setsockopt(&own, sockopt::ReuseAddr, &(kind == SockType::Stream)).expect("SO_REUSEADDR");
    if let Some(only) = v6_only {
        setsockopt(&own, sockopt::Ipv6V6Only, &only).expect("IPV6_V6ONLY");
    }
    bind_to(&own, address.ip(), address.port())
}

/// A question. Without an address it concerns the wildcards of both families.
struct BindQuery {
    kind: SockType,
    address: Option<IpAddr>,
    port: u16,
}

impl BindQuery {
    fn all(port: u16) -> Vec<Self> {
        let addresses = V4.into_iter().chain(V6).map(Some).chain([None]);
        let tcp = addresses.map(|address| Self { kind: SockType::Stream, address, port });
        let udp = [None, Some(V4[0]), Some(V6[1])];
        tcp.chain(udp.map(|address| Self { kind: SockType::Datagram, address, port })).collect()
    }

    fn target(&self) -> String {
        let protocol = if self.kind == SockType::Datagram { "udp/" } else { "" };
        let place = self.address.map(|ip| SocketAddr::new(ip, self.port).to_string());
        format!("{protocol}{}", place.unwrap_or_else(|| self.port.to_string()))
    }

    fn by_bind(&self) -> Result<(), Errno> {
        let tried = |ip, v6_only| tried(SocketAddr::new(ip, self.port), self.kind, v6_only);
        match self.address {
            Some(address) => tried(address, None),
            None => {
                tried(IpAddr::V4(Ipv4Addr::UNSPECIFIED), None)?;
                tried(IpAddr::V6(Ipv6Addr::UNSPECIFIED), Some(true))
            }
        }
    }
}

/// Returns what the answer claims and a bind disproves.
fn disagreement(output: &Output, reported: &Value, bound: Result<(), Errno>) -> Option<&'static str> {
    let verdict = |wanted: &[&str]| wanted.iter().any(|one| reported["verdict"] == *one);
    if reported["can_bind"] != bound.is_ok() {
        return Some("can_bind");
    }
    if output.status.code() != Some(i32::from(bound.is_err())) {
        return Some("exit status");
    }
    let Err(error) = bound else {
        return verdict(&["listening"]).then_some("nothing listens where a bind succeeds");
    };
    if reported["error"] != format!("{error:?}") {
        return Some("error");
    }
    if !verdict(&["listening", "bound", "time-wait", "connection"]) {
        return Some("a socket that was staged is the reason");
    }
    let named = reported["standing_in_the_way"].as_array().is_some_and(|sockets| !sockets.is_empty());
    (!named).then_some("what stands in the way is not named")
}

/// Runs `why` and binds, while the sockets stay as they are. Returns what does not agree.
fn check(query: &BindQuery) -> Option<String> {
    // A thread of another test that is starting a program has, for a moment, a copy of every socket of this process,
    // including closed ones. A disagreement is therefore checked again.
    let mut wrong = None;
    for _ in 0..3 {
        let bound = query.by_bind();
        let output = Cmd::new(["why", "--json", &query.target()]).run();
        let reported = serde_json::from_slice(&output.stdout);
        let reported: Value =
            reported.unwrap_or_else(|error| output.fail(&format!("no JSON document: {error}")));
        let what = disagreement(&output, &reported, bound)?;
        let said = ["verdict", "can_bind", "error"].map(|key| format!("{key} {}", reported[key])).join(", ");
        wrong = Some(format!("why {}: {what}; a bind gives {bound:?}, it says {said}", query.target()));
        std::thread::sleep(Duration::from_millis(50));
    }
    wrong
}

/// Checks one mix after another. Returns the number of questions, and what did not agree.
fn check_mixes(seed: u64) -> (usize, Vec<String>) {
    let mut random = SeededRandom(seed);
    let (mut requested, mut wrong) = (0, Vec::new());
    let far = TcpListener::bind((Ipv6Addr::UNSPECIFIED, FAR)).expect("what connections go to");
    far.set_nonblocking(true).expect("do not wait for connections");
    for port in (FIRST..).take(MIXES) {
        let mut staged = Vec::new();
        let mut there = Vec::new();
        for _ in 0..=random.below(4) {
            let member = Member::any(&mut random);
            // If the other sockets of the mix allow it.
            if let Ok(open) = member.stage(port) {
                there.push(member);
                staged.extend(open);
            }
        }
        let shown = format!("{there:?} on port {port}, ALLEARS_SEED={seed}");
        for query in BindQuery::all(port) {
            wrong.extend(check(&query).map(|what| format!("{what}\n  staged: {shown}")));
            requested += 1;
        }
        drop(staged);
        while far.accept().is_ok() {}
    }
    (requested, wrong)
}

#[live_test(Linux, Root, Ipv6, Kernel(6, 8), NETWORK_NAMESPACE, OwnProcess)]
fn the_answer_agrees_with_a_real_bind() {
    let seed = std::env::var("ALLEARS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED);
    let found = std::thread::scope(|scope| {
        let ask = |worker| scope.spawn(move || in_new_netns(|| check_mixes(seed + worker)));
        let workers: Vec<_> = (0..WORKERS).map(ask).collect();
        let joined = workers.into_iter().map(|worker| match worker.join() {
            Ok(found) => found,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.collect::<Vec<_>>()
    });
    let requested: usize = found.iter().map(|(requested, _)| requested).sum();
    let wrong: Vec<String> = found.into_iter().flat_map(|(_, wrong)| wrong).collect();
    assert!(requested >= AT_LEAST, "only {requested} questions asked");
    let shown = wrong.iter().take(20).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {requested} answers do not agree with a bind:\n{shown}", wrong.len());
}
