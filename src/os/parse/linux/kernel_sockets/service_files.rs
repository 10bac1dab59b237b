//! Files in which services of the kernel report their ports, and the devices of RDMA. Pure.

use std::net::SocketAddr;

use super::{Bound, KernelSocketReport, reported, text};
use crate::model::{Family, KernelSocketKind, Protocol, Text};
use crate::os::parse::linux::netlink::{attributes, u32_at};

/// Reads a port, the whole content of a file.
pub(in crate::os) fn number(bytes: &[u8]) -> Option<u16> {
    std::str::from_utf8(bytes).ok()?.trim().parse().ok()
}

/// Returns the pids in /proc/PID/task/TID/children (proc_tid_children(5)).
pub(in crate::os) fn children_pids(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.split(u8::is_ascii_whitespace).filter_map(|pid| std::str::from_utf8(pid).ok()?.parse().ok())
}

/// Reads /proc/net/rxrpc/locals: `UDP   [::]:7001   11   1   0` after a line of headings.
pub(in crate::os) fn rxrpc_locals(bytes: &[u8]) -> Vec<KernelSocketReport> {
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
pub(in crate::os) fn nfsd_portlist(bytes: &[u8]) -> Vec<KernelSocketReport> {
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
pub(in crate::os) fn ksmbd_stats(bytes: &[u8]) -> Option<KernelSocketReport> {
    let text = String::from_utf8_lossy(bytes);
    let mut words = text.split_ascii_whitespace().skip(1);
    words.next().filter(|state| *state == "running")?;
    let port = words.next()?.parse().ok().filter(|port| *port > 0)?;
    let claim = reported(Protocol::Tcp, port, None, KernelSocketKind::Ksmbd);
    Some(KernelSocketReport { bound: Bound::Interface, ..claim })
}

/// A device of RDMA, or a port of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct RdmaDevice {
    pub(in crate::os) index: u32,
    pub(in crate::os) name: Text,
    /// Whether its network interface is in the namespace of the request.
    pub(in crate::os) is_here: bool,
}

/// Reads a message of RDMA's family of netlink (rdma/rdma_netlink.h).
pub(in crate::os) fn rdma_device(message: &[u8]) -> Option<RdmaDevice> {
    const DEV_INDEX: u16 = 1;
    const DEV_NAME: u16 = 2;
    const NDEV_INDEX: u16 = 50;
    let (mut index, mut name, mut is_here) = (None, None, false);
    attributes(message, |attribute, value| match attribute {
        DEV_INDEX => index = u32_at(value, 0),
        DEV_NAME => name = Some(text(value)),
        NDEV_INDEX => is_here = true,
        _ => {}
    });
    Some(RdmaDevice { index: index?, name: name?, is_here })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn children_of_a_process() {
        assert_eq!(children_pids(b"3 4 57 \n").collect::<Vec<_>>(), [3, 4, 57]);
        assert_eq!(children_pids(b" x \xff").count(), 0);
    }

    #[test]
    fn local_endpoints_of_rxrpc() {
        // Read on Linux 6.12.118 and 7.3.4, with the module kafs.
        let locals = b"Proto Local                                           Use Act RxQ\n\
                       UDP   [::]:7001                                        11   1   0\n";
        let claims = rxrpc_locals(locals);
        assert_eq!(claims.len(), 1);
        assert_eq!((claims[0].port, claims[0].family), (Some(7001), Some(Family::Ipv6)));
        assert_eq!(claims[0].bound, Bound::Wildcard);
        assert_eq!(
            rxrpc_locals(b"UDP   127.0.0.1:7002  1 1 0\n")[0].bound,
            Bound::Address([127, 0, 0, 1].into())
        );
    }

    #[test]
    fn ports_of_the_nfs_server() {
        let parsed: Vec<_> = nfsd_portlist(b"tcp 2049\nudp 2050\nrdma 20049\n")
            .into_iter()
            .map(|claim| (claim.protocol, claim.port))
            .collect();
        assert_eq!(parsed, [(Protocol::Tcp, Some(2049)), (Protocol::Udp, Some(2050))]);
        assert_eq!(nfsd_portlist(b"\n"), []);
    }

    #[test]
    fn the_port_of_ksmbd() {
        // Read on Linux 6.12.118 and 7.3.4, before and after ksmbd.mountd was started.
        assert_eq!(ksmbd_stats(b"2 startup 0 0\n"), None);
        assert_eq!(ksmbd_stats(b"2 startup 4450 0\n"), None);
        assert_eq!(ksmbd_stats(b"2 running 0 0\n"), None);
        let claim = ksmbd_stats(b"2 running 4450 0\n").unwrap();
        assert_eq!((claim.protocol, claim.port, claim.bound), (Protocol::Tcp, Some(4450), Bound::Interface));
    }

    #[test]
    fn devices_of_rdma() {
        let attribute = |kind: u16, value: &[u8]| {
            let mut bytes = u16::try_from(value.len() + 4).unwrap().to_ne_bytes().to_vec();
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes
        };
        let device = [attribute(1, &7_u32.to_ne_bytes()), attribute(2, b"rxe0\0")].concat();
        let here = [&device[..], &attribute(50, &2_u32.to_ne_bytes())].concat();
        let expected = |is_here| Some(RdmaDevice { index: 7, name: "rxe0".into(), is_here });
        assert_eq!(rdma_device(&device), expected(false));
        assert_eq!(rdma_device(&here), expected(true));
        assert_eq!(rdma_device(b""), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = rxrpc_locals(&bytes);
            let _ = nfsd_portlist(&bytes);
            let _ = ksmbd_stats(&bytes);
            let _ = rdma_device(&bytes);
            let _ = number(&bytes);
        }
    }
}
