//! The commands that close a socket of the kernel's own, and the phrases for what it serves. Pure.

use crate::model::{Family, KernelSocket, KernelSocketKind, Socket, Text};
use crate::shell;

/// A command that closes a socket of the kernel's, or helps to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Release {
    pub(crate) command: Vec<String>,
    pub(crate) effect: ReleaseEffect,
}

/// What a command does besides closing the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReleaseEffect {
    /// The socket is closed, and with it the encapsulation that it serves.
    Closes,
    /// The interface stays, and carries no traffic.
    TakesInterfaceDown,
    /// The interface is gone.
    RemovesInterface,
    /// The tunnel ends.
    EndsTunnel,
    /// The endpoint is no longer announced.
    RemovesEndpoint,
    /// The RDMA device is gone; the socket may stay until the module is unloaded.
    RemovesDevice,
    /// A module of the kernel is unloaded, if nothing uses it.
    UnloadsModule,
    /// A server ends.
    StopsServer,
    /// Nothing: it lists what keeps the socket.
    ListsUsers,
}

impl KernelSocket {
    /// Returns the commands that close `socket`, the mildest first. They are run in the namespace of the interface.
    ///
    /// Source: which operation of a device opens and closes its socket is in the kernel's drivers/net. The commands were
    /// run on Linux 6.12.118 and 7.3.4 and closed the socket, except those for L2TP, lockd and bareudp, which were not run.
    pub(crate) fn releases(&self, socket: &Socket) -> Vec<Release> {
        use KernelSocketKind as Kind;
        use ReleaseEffect as Effect;
        let release = |words: &[&str], effect| Release {
            command: words.iter().map(|word| (*word).to_owned()).collect(),
            effect,
        };
        let interface = self.interface.as_ref().and_then(Text::as_str);
        let id = self.id.map(|id| id.to_string());
        let port = socket.endpoint.port().unwrap_or_default().to_string();
        match (self.kind, interface, id.as_deref()) {
            (Kind::Vxlan | Kind::Geneve | Kind::Wireguard | Kind::Bareudp, Some(name), _) => vec![
                release(&["ip", "link", "set", name, "down"], Effect::TakesInterfaceDown),
                release(&["ip", "link", "del", name], Effect::RemovesInterface),
            ],
            (Kind::Gtp, Some(name), _) => {
                vec![release(&["ip", "link", "del", name], Effect::RemovesInterface)]
            }
            (Kind::Fou | Kind::Gue, ..) => {
                let mut words = vec!["ip", "fou", "del", "port", &port];
                if socket.family() == Family::Ipv6 {
                    words.push("-6");
                }
                let local = socket.endpoint.address().filter(|address| !address.is_unspecified());
                let local = local.map(|address| address.to_string());
                if let Some(local) = &local {
                    words.extend(["local", local]);
                }
                vec![release(&words, Effect::Closes)]
            }
            (Kind::L2tp, _, Some(id)) => {
                vec![release(&["ip", "l2tp", "del", "tunnel", "tunnel_id", id], Effect::EndsTunnel)]
            }
            (Kind::Mptcp, _, Some(id)) => {
                vec![release(&["ip", "mptcp", "endpoint", "delete", "id", id], Effect::RemovesEndpoint)]
            }
            (Kind::Rxe, device, _) => {
                let device =
                    device.map(|name| release(&["rdma", "link", "del", name], Effect::RemovesDevice));
                let unload = release(&["modprobe", "-r", "rdma_rxe"], Effect::UnloadsModule);
                device.into_iter().chain([unload]).collect()
            }
            (Kind::Sctp, ..) => vec![release(&["sysctl", "-w", "net.sctp.udp_port=0"], Effect::Closes)],
            (Kind::Nfsd, ..) => vec![release(&["rpc.nfsd", "0"], Effect::StopsServer)],
            // It runs for the server and for mounts alike.
            (Kind::Lockd, ..) => vec![
                release(&["findmnt", "-t", "nfs"], Effect::ListsUsers),
                release(&["rpc.nfsd", "0"], Effect::StopsServer),
            ],
            (Kind::NfsCallback, ..) => vec![release(&["findmnt", "-t", "nfs4"], Effect::ListsUsers)],
            (Kind::Ksmbd, ..) => vec![release(&["ksmbd.control", "--shutdown"], Effect::StopsServer)],
            (Kind::Rxrpc, ..) => vec![
                release(&["findmnt", "-t", "afs"], Effect::ListsUsers),
                release(&["modprobe", "-r", "kafs"], Effect::UnloadsModule),
            ],
            _ => Vec::new(),
        }
    }
}

/// Returns what a socket of the kernel's serves, in a phrase that can follow "for".
pub(crate) fn described(kernel: &KernelSocket) -> String {
    use KernelSocketKind as Kind;
    let of = |what: &str| match &kernel.interface {
        Some(name) => format!("{what} {}", name.to_string_lossy()),
        None => what.to_owned(),
    };
    let numbered = |what: &str| match kernel.id {
        Some(id) => format!("{what} {id}"),
        None => what.to_owned(),
    };
    let what = match kernel.kind {
        Kind::Vxlan => of("the vxlan interface"),
        Kind::Geneve => of("the geneve interface"),
        Kind::Wireguard => of("the WireGuard interface"),
        Kind::Bareudp => of("the bareudp interface"),
        Kind::Gtp => of("the GTP interface"),
        Kind::Fou => "a foo-over-udp port (fou)".to_owned(),
        Kind::Gue => "a generic UDP encapsulation port (gue)".to_owned(),
        Kind::L2tp => numbered("the L2TP tunnel"),
        Kind::Rxe => match &kernel.interface {
            Some(name) => format!("the soft RoCE device {} (rxe)", name.to_string_lossy()),
            None => "soft RoCE (rxe), which has no device any more".to_owned(),
        },
        Kind::Sctp => "SCTP over UDP (net.sctp.udp_port)".to_owned(),
        Kind::Nfsd => "the NFS server (nfsd)".to_owned(),
        Kind::Lockd => "the lock manager of NFS (lockd)".to_owned(),
        Kind::NfsCallback => "the callback service of an NFS 4.0 mount".to_owned(),
        Kind::Ksmbd => match &kernel.interface {
            Some(name) => format!("the SMB server (ksmbd) on {}", name.to_string_lossy()),
            None => "the SMB server (ksmbd)".to_owned(),
        },
        Kind::Mptcp => format!("{} of the path manager", numbered("the MPTCP endpoint")),
        Kind::Rxrpc => "RxRPC, which the AFS client uses".to_owned(),
    };
    match &kernel.namespace {
        Some(namespace) => format!("{what} in the network namespace {}", namespace.to_string_lossy()),
        None => what,
    }
}

/// Returns what all of several sockets' owners are, in one phrase: `the vxlan interface vx0 and the vxlan interface vx1`.
pub(crate) fn described_all(kernel: &[KernelSocket]) -> Option<String> {
    let described: Vec<String> = kernel.iter().map(described).collect();
    let (last, others) = described.split_last()?;
    Some(match others {
        [] => last.clone(),
        others => format!("{} and {last}", others.join(", ")),
    })
}

/// Returns what closes a socket, a sentence for each command.
pub(crate) fn release_lines(kernel: &[KernelSocket], socket: &Socket) -> Vec<String> {
    use ReleaseEffect as Effect;
    let mut lines = Vec::new();
    let shared = kernel.len() > 1;
    for one in kernel {
        let namespace = one.namespace.as_ref().or(socket.namespace.as_ref());
        for release in one.releases(socket) {
            let Some(command) = shell::line(&release.command) else { continue };
            let told = match (release.effect, shared) {
                (Effect::Closes, false) => "closes the socket",
                (Effect::Closes, true) => "closes the socket once nothing else shares it",
                (Effect::TakesInterfaceDown, false) => "takes the interface down and closes the socket",
                (Effect::TakesInterfaceDown, true) => {
                    "takes the interface down and closes the socket once nothing else shares it"
                }
                (Effect::RemovesInterface, false) => "removes the interface and closes the socket",
                (Effect::RemovesInterface, true) => {
                    "removes the interface, which is one that shares the socket"
                }
                (Effect::EndsTunnel, _) => "ends the tunnel and its sessions",
                (Effect::RemovesEndpoint, _) => "removes the endpoint and closes the socket",
                (Effect::RemovesDevice, _) => "removes the RDMA device; up to Linux 6.12 its socket stays",
                (Effect::UnloadsModule, _) => "unloads the module and closes the socket, if nothing uses it",
                (Effect::StopsServer, _) => match one.kind {
                    KernelSocketKind::Lockd => {
                        "stops the NFS server and all its exports; the lock manager ends when no NFS mount uses it either"
                    }
                    KernelSocketKind::Nfsd => "stops the NFS server and all its exports",
                    _ => "stops the server and all its shares",
                },
                (Effect::ListsUsers, _) => {
                    "lists the mounts that it serves; it ends when all of them are unmounted"
                }
            };
            let within = namespace.map_or_else(String::new, |namespace| {
                format!("in the network namespace {}, ", namespace.to_string_lossy())
            });
            let line = format!("{within}{command} {told}");
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::model::{Endpoint, Protocol, State};

    fn socket(protocol: Protocol, address: impl Into<IpAddr>, port: u16) -> Socket {
        let endpoint = Endpoint::Ip { address: address.into(), port, interface: None };
        Socket::new(protocol, endpoint, State::Bound)
    }

    fn interface(kind: KernelSocketKind, name: &str) -> KernelSocket {
        KernelSocket { kind, interface: Some(name.into()), id: None, namespace: None }
    }

    #[test]
    fn every_kind_has_a_name_and_a_way_to_close_it() {
        for (kind, name) in KernelSocketKind::NAMES {
            assert_eq!(KernelSocketKind::parse(name), Some(kind));
            let kernel = KernelSocket { id: Some(7), ..interface(kind, "x0") };
            let socket = socket(Protocol::Udp, Ipv4Addr::UNSPECIFIED, 4789);
            assert!(!release_lines(std::slice::from_ref(&kernel), &socket).is_empty(), "{name}");
            assert!(!described(&kernel).is_empty());
        }
        assert_eq!(KernelSocketKind::parse("tun"), None);
    }

    #[test]
    fn commands_name_what_they_end() {
        let wildcard = socket(Protocol::Udp, Ipv4Addr::UNSPECIFIED, 4789);
        let one = [interface(KernelSocketKind::Vxlan, "vx0")];
        assert_eq!(described_all(&one).as_deref(), Some("the vxlan interface vx0"));
        assert_eq!(
            release_lines(&one, &wildcard),
            [
                "ip link set vx0 down takes the interface down and closes the socket",
                "ip link del vx0 removes the interface and closes the socket"
            ]
        );
        let two = [
            interface(KernelSocketKind::Vxlan, "vx0"),
            KernelSocket { namespace: Some("blue".into()), ..interface(KernelSocketKind::Vxlan, "vx1") },
        ];
        assert_eq!(
            described_all(&two).as_deref(),
            Some("the vxlan interface vx0 and the vxlan interface vx1 in the network namespace blue")
        );
        let lines = release_lines(&two, &wildcard);
        assert_eq!(
            lines[0],
            "ip link set vx0 down takes the interface down and closes the socket once nothing else shares it"
        );
        assert!(lines[2].starts_with("in the network namespace blue, ip link set vx1 down"));
        let fou = [KernelSocket { interface: None, ..interface(KernelSocketKind::Fou, "") }];
        assert_eq!(
            release_lines(&fou, &socket(Protocol::Udp, Ipv6Addr::LOCALHOST, 5555)),
            ["ip fou del port 5555 -6 local ::1 closes the socket"]
        );
        let unsafe_name = [interface(KernelSocketKind::Geneve, "a b;c")];
        let lines = release_lines(&unsafe_name, &wildcard);
        // In the way of this system's shell, and not at all if it has none.
        match shell::quote(&"a b;c".into()) {
            Some(name) => assert!(lines[0].starts_with(&format!("ip link set {name} down"))),
            None => assert!(lines.is_empty()),
        }
    }
}
