//! Sockets of the kernel's own: what they serve, and what closes them.

use super::list_and;
use crate::management::kernel_socket::CloseEffect;
use crate::model::{KernelSocket, KernelSocketKind, Text};
use crate::render::escape::escape;
#[cfg(feature = "cli")]
use crate::{model::Socket, shell};

/// Returns what in the kernel uses a socket, in a phrase that can follow "for": `the vxlan interface vx0 and the vxlan
/// interface vx1`. `None` if that is not known.
pub(crate) fn kernel_sockets(kernel: &[KernelSocket]) -> Option<String> {
    let described: Vec<String> = kernel.iter().map(kernel_socket).collect();
    (!described.is_empty()).then(|| list_and(&described))
}

fn kernel_socket(kernel: &KernelSocket) -> String {
    use KernelSocketKind as Kind;
    let of = |what: &str| match &kernel.interface {
        Some(name) => format!("{what} {}", escape(name)),
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
            Some(name) => format!("the soft RoCE device {} (rxe)", escape(name)),
            None => "soft RoCE (rxe), which has no device any more".to_owned(),
        },
        Kind::Sctp => "SCTP over UDP (net.sctp.udp_port)".to_owned(),
        Kind::Nfsd => "the NFS server (nfsd)".to_owned(),
        Kind::Lockd => "the lock manager of NFS (lockd)".to_owned(),
        Kind::NfsCallback => "the callback service of an NFS 4.0 mount".to_owned(),
        Kind::Ksmbd => match &kernel.interface {
            Some(name) => format!("the SMB server (ksmbd) on {}", escape(name)),
            None => "the SMB server (ksmbd)".to_owned(),
        },
        Kind::Mptcp => format!("{} of the path manager", numbered("the MPTCP endpoint")),
        Kind::Rxrpc => "RxRPC, which the AFS client uses".to_owned(),
    };
    match &kernel.namespace {
        Some(namespace) => format!("{what} in the network namespace {}", escape(namespace)),
        None => what,
    }
}

/// Returns what closes a socket of the kernel's, all commands in one line.
#[cfg(feature = "cli")]
pub(crate) fn close_commands(kernel: &[KernelSocket], socket: &Socket) -> Option<String> {
    let lines = close_command_lines(kernel, socket);
    (!lines.is_empty()).then(|| lines.join("; "))
}

/// Returns what closes a socket of the kernel's, a sentence for each command.
#[cfg(feature = "cli")]
pub(crate) fn close_command_lines(kernel: &[KernelSocket], socket: &Socket) -> Vec<String> {
    let mut lines = Vec::new();
    for one in kernel {
        let namespace = one.namespace.as_ref().or(socket.namespace.as_ref());
        for close in one.close_commands(socket) {
            let Some(command) = shell::line(&close.command) else { continue };
            let line = close_command(one.kind, &command, close.effect, kernel.len() > 1, namespace);
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines
}

/// Returns what a command does that closes a socket of the kernel's, or helps to. `shared` tells whether several parts of
/// the kernel use the socket.
pub(crate) fn close_command(
    kind: KernelSocketKind,
    command: &str,
    effect: CloseEffect,
    shared: bool,
    namespace: Option<&Text>,
) -> String {
    use CloseEffect as Effect;
    let effect = match (effect, shared) {
        (Effect::Closes, false) => "closes the socket",
        (Effect::Closes, true) => "closes the socket once nothing else shares it",
        (Effect::TakesInterfaceDown, false) => "takes the interface down and closes the socket",
        (Effect::TakesInterfaceDown, true) => {
            "takes the interface down and closes the socket once nothing else shares it"
        }
        (Effect::RemovesInterface, false) => "removes the interface and closes the socket",
        (Effect::RemovesInterface, true) => "removes the interface, which is one that shares the socket",
        (Effect::EndsTunnel, _) => "ends the tunnel and its sessions",
        (Effect::RemovesEndpoint, _) => "removes the endpoint and closes the socket",
        (Effect::RemovesDevice, _) => "removes the RDMA device; up to Linux 6.12 its socket stays",
        (Effect::UnloadsModule, _) => "unloads the module and closes the socket, if nothing uses it",
        (Effect::StopsServer, _) => match kind {
            KernelSocketKind::Lockd => {
                "stops the NFS server and all its exports; the lock manager ends when no NFS mount uses it either"
            }
            KernelSocketKind::Nfsd => "stops the NFS server and all its exports",
            _ => "stops the server and all its shares",
        },
        (Effect::ListsUsers, _) => "lists the mounts that it serves; it ends when all of them are unmounted",
    };
    let within = namespace
        .map_or_else(String::new, |namespace| format!("in the network namespace {}, ", escape(namespace)));
    format!("{within}{command} {effect}")
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
            assert_eq!(KernelSocketKind::parse(name), Some(*kind));
            let kernel = KernelSocket { id: Some(7), ..interface(*kind, "x0") };
            let socket = socket(Protocol::Udp, Ipv4Addr::UNSPECIFIED, 4789);
            assert!(!close_command_lines(std::slice::from_ref(&kernel), &socket).is_empty(), "{name}");
            assert!(!kernel_socket(&kernel).is_empty());
        }
        assert_eq!(KernelSocketKind::parse("tun"), None);
    }

    #[test]
    fn commands_name_what_they_end() {
        let wildcard = socket(Protocol::Udp, Ipv4Addr::UNSPECIFIED, 4789);
        let one = [interface(KernelSocketKind::Vxlan, "vx0")];
        assert_eq!(kernel_sockets(&one).as_deref(), Some("the vxlan interface vx0"));
        assert_eq!(
            close_command_lines(&one, &wildcard),
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
            kernel_sockets(&two).as_deref(),
            Some("the vxlan interface vx0 and the vxlan interface vx1 in the network namespace blue")
        );
        let lines = close_command_lines(&two, &wildcard);
        assert_eq!(
            lines[0],
            "ip link set vx0 down takes the interface down and closes the socket once nothing else shares it"
        );
        assert!(lines[2].starts_with("in the network namespace blue, ip link set vx1 down"));
        let fou = [KernelSocket { interface: None, ..interface(KernelSocketKind::Fou, "") }];
        assert_eq!(
            close_command_lines(&fou, &socket(Protocol::Udp, Ipv6Addr::LOCALHOST, 5555)),
            ["ip fou del port 5555 -6 local ::1 closes the socket"]
        );
        let unsafe_name = [interface(KernelSocketKind::Geneve, "a b;c")];
        let lines = close_command_lines(&unsafe_name, &wildcard);
        // In the way of this system's shell, and not at all if it has none.
        match shell::quote(&"a b;c".into()) {
            Some(name) => assert!(lines[0].starts_with(&format!("ip link set {name} down"))),
            None => assert!(lines.is_empty()),
        }
    }
}
