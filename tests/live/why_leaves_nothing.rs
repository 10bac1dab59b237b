//! `why` only tries: it leaves nothing on the port, listens nowhere, and sends nothing to anybody it found.

use crate::stage::{Look, Need, folder, in_own_network, port};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, listen, setsockopt,
    socket, sockopt,
};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::{AsRawFd as _, OwnedFd};

cases![
    a_port_asked_about_can_be_had_at_once[Need::Linux, Need::Root, Need::Ipv6, Need::NETWORK_NAMESPACE],
    nothing_is_listened_on_and_nobody_called[Need::Linux, Need::STRACE],
    a_listener_is_not_called[Need::Linux],
];

/// Listens without any option that would forgive what others left behind.
pub(crate) fn listen_strictly(address: SocketAddr) -> Result<OwnedFd, Errno> {
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

fn a_port_asked_about_can_be_had_at_once() {
    in_own_network(|| {
        for port in 20_000..20_100 {
            let mut own = Vec::new();
            let asked = Look::at(["why".to_owned(), port.to_string()]).run().code(0);
            // Whoever comes next sets no option that would forgive a trace.
            for address in [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)] {
                let listening = listen_strictly(SocketAddr::new(address, port));
                asked.must(listening.is_ok(), &format!("bind and listen right after it: {listening:?}"));
                own.push(listening);
            }
        }
    });
}

fn nothing_is_listened_on_and_nobody_called() {
    let port = port();
    let _server = TcpListener::bind(("127.0.0.1", port)).expect("a listener");
    let log = folder().join("why-calls");
    let trace = ["strace", "-f", "-e", "trace=listen,connect,sendto,sendmsg,sendmmsg", "-o"];
    let words = trace.into_iter().chain([log.to_str().expect("a path in text")]);
    for (target, code) in [(port.to_string(), 1), (format!("127.0.0.2:{port}"), 0)] {
        let seen = Look::at(["why".to_owned(), target]).through(words.clone()).run().code(code);
        let calls = std::fs::read_to_string(&log).expect("strace writes what it saw");
        seen.must(!calls.contains("listen("), "it never listens");
        let called = calls.lines().find(|line| line.contains("AF_INET") && line.contains("127.0.0.1"));
        seen.equal(called, None, "it sends nothing to who was found listening");
    }
}

fn a_listener_is_not_called() {
    let port = port();
    let server = TcpListener::bind(("127.0.0.1", port)).expect("a listener");
    server.set_nonblocking(true).expect("do not wait for connections");
    let seen = Look::at(["why".to_owned(), port.to_string()]).run().code(1);
    let came = server.accept().map_err(|error| error.kind()).map(|(_, peer)| peer);
    seen.equal(came, Err(ErrorKind::WouldBlock), "it connects to nobody who was found listening");
}
