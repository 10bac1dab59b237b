//! Verdicts on real sockets: for every mix of sockets, the verdict agrees with an actual bind.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use proptest::prelude::*;
use socket2::{Domain, Socket, Type};

use super::*;
use crate::model::System;
use crate::os::test_support::eventually;
use crate::verdict::VerdictKind;

#[derive(Debug, Clone)]
struct OtherSocket {
    address: IpAddr,
    v6only: bool,
    reuse_address: bool,
    reuse_port: bool,
    listens: bool,
}

fn addresses() -> Vec<IpAddr> {
    ["127.0.0.1", "127.0.0.2", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"]
        .iter()
        .map(|address| address.parse().unwrap())
        .collect()
}

fn any_other() -> impl Strategy<Value = OtherSocket> {
    (proptest::sample::select(addresses()), any::<[bool; 4]>()).prop_map(
        |(address, [v6only, reuse_address, reuse_port, listens])| OtherSocket {
            address,
            v6only: v6only && address != "::ffff:127.0.0.1".parse::<IpAddr>().unwrap(),
            reuse_address,
            reuse_port,
            listens,
        },
    )
}

/// Binds a socket to a port. `None` if the other sockets prevent that.
fn bind_beside(other: &OtherSocket, port: u16) -> Option<Socket> {
    let domain = if other.address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::STREAM, None).ok()?;
    if other.address.is_ipv6() {
        socket.set_only_v6(other.v6only).ok()?;
    }
    socket.set_reuse_address(other.reuse_address).ok()?;
    if other.reuse_port {
        os::reuse_port(&socket).ok()?;
    }
    socket.bind(&SocketAddr::new(other.address, port).into()).ok()?;
    if other.listens {
        socket.listen(4).ok()?;
    }
    Some(socket)
}

/// Returns an unused port, from a bind of the dual-stack wildcard to port 0.
fn free_port() -> u16 {
    let bind = |port| {
        TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).or_else(|_| TcpListener::bind(("0.0.0.0", port)))
    };
    let port = bind(0).unwrap().local_addr().unwrap().port();
    assert!(eventually(|| bind(port).is_ok()));
    port
}

fn target(address: Option<IpAddr>, port: u16) -> Target {
    match address {
        Some(address) => SocketAddr::new(address, port).to_string().parse().unwrap(),
        None => Target::port(port).unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_verdict_agrees_with_an_actual_bind(
        others in proptest::collection::vec(any_other(), 0..4),
        bind_target in proptest::option::of(proptest::sample::select(addresses())),
    ) {
        // A copy of an attempt's socket in a child of another test is there for one port, not for three.
        let mut result = Ok(());
        for _ in 0..3 {
            result = compare(&others, bind_target);
            if result.is_ok() {
                break;
            }
        }
        prop_assert!(result.is_ok(), "{}", result.unwrap_err());
    }
}

/// Compares a verdict with an actual bind. The error describes how they differ.
fn compare(others: &[OtherSocket], bind_target: Option<IpAddr>) -> Result<(), String> {
    let port = free_port();
    let _sockets: Vec<Socket> = others.iter().filter_map(|other| bind_beside(other, port)).collect();
    let verdict = why(&target(bind_target, port)).unwrap();
    let binds = |address: IpAddr| match address {
        // A server for both families sets IPV6_V6ONLY: systems have different defaults.
        IpAddr::V6(_) => {
            let socket = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
            socket.set_only_v6(false).unwrap();
            socket.set_reuse_address(os::SERVERS_REUSE).unwrap();
            socket.bind(&SocketAddr::new(address, port).into()).is_ok()
        }
        // The standard library binds as servers do on this system.
        IpAddr::V4(_) => TcpListener::bind(SocketAddr::new(address, port)).is_ok(),
    };
    let actual = match bind_target {
        Some(address) => binds(address),
        None => binds(Ipv4Addr::UNSPECIFIED.into()) && binds(Ipv6Addr::UNSPECIFIED.into()),
    };
    let own = std::process::id();
    // Windows does not list sockets that are bound and do not listen.
    let explained = actual
        || os::SYSTEM == System::Windows
        || matches!(verdict.kind, VerdictKind::Listening | VerdictKind::Bound)
            && verdict
                .standing_in_the_way
                .iter()
                .all(|listener| listener.holders.iter().any(|holder| holder.process.id.pid == own));
    if verdict.can_bind == Some(actual) && explained {
        return Ok(());
    }
    Err(format!("{others:?} {bind_target:?}: the bind returned {actual}, but {verdict:?}"))
}

#[test]
fn a_verdict_leaves_nothing_behind() {
    let port = free_port();
    for _ in 0..20 {
        assert!(eventually(|| why(&target(None, port)).unwrap().can_bind == Some(true)));
        assert!(eventually(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()));
    }
}
