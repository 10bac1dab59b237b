//! Commands that close a socket that the kernel itself holds, as words. Pure.

use crate::model::names::names;
use crate::model::{Family, KernelSocket, KernelSocketKind, Socket, Text};

/// A command that closes a kernel socket, or helps to close it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CloseCommand {
    pub(crate) command: Vec<String>,
    pub(crate) effect: CloseEffect,
}

/// The effect of a command that closes a kernel socket.
///
/// ```
/// use allears::CloseEffect;
///
/// assert_eq!("removes-interface".parse(), Ok(CloseEffect::RemovesInterface));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseEffect {
    /// The socket is closed, and the encapsulation that it serves ends.
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
    /// The command closes nothing: it lists what uses the socket.
    ListsUsers,
}

impl KernelSocket {
    /// Returns the commands that close `socket`, the mildest first. They have to run in the namespace of the interface.
    ///
    /// The kernel's drivers/net show which operation of a device opens and closes its socket. The commands were tested on
    /// Linux 6.12.118 and 7.3.4 and closed the socket. Those for L2TP, lockd and bareudp were not tested.
    pub(crate) fn close_commands(&self, socket: &Socket) -> Vec<CloseCommand> {
        use CloseEffect as Effect;
        use KernelSocketKind as Kind;
        let close = |words: &[&str], effect| CloseCommand {
            command: words.iter().map(|word| (*word).to_owned()).collect(),
            effect,
        };
        let interface = self.interface.as_ref().and_then(Text::as_str);
        let id = self.id.map(|id| id.to_string());
        let port = socket.endpoint.port().unwrap_or_default().to_string();
        match (self.kind, interface, id.as_deref()) {
            (Kind::Vxlan | Kind::Geneve | Kind::Wireguard | Kind::Bareudp, Some(name), _) => vec![
                close(&["ip", "link", "set", name, "down"], Effect::TakesInterfaceDown),
                close(&["ip", "link", "del", name], Effect::RemovesInterface),
            ],
            (Kind::Gtp, Some(name), _) => {
                vec![close(&["ip", "link", "del", name], Effect::RemovesInterface)]
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
                vec![close(&words, Effect::Closes)]
            }
            (Kind::L2tp, _, Some(id)) => {
                vec![close(&["ip", "l2tp", "del", "tunnel", "tunnel_id", id], Effect::EndsTunnel)]
            }
            (Kind::Mptcp, _, Some(id)) => {
                vec![close(&["ip", "mptcp", "endpoint", "delete", "id", id], Effect::RemovesEndpoint)]
            }
            (Kind::Rxe, device, _) => {
                let device = device.map(|name| close(&["rdma", "link", "del", name], Effect::RemovesDevice));
                let unload = close(&["modprobe", "-r", "rdma_rxe"], Effect::UnloadsModule);
                device.into_iter().chain([unload]).collect()
            }
            (Kind::Sctp, ..) => vec![close(&["sysctl", "-w", "net.sctp.udp_port=0"], Effect::Closes)],
            (Kind::Nfsd, ..) => vec![close(&["rpc.nfsd", "0"], Effect::StopsServer)],
            // lockd serves both the NFS server and NFS mounts.
            (Kind::Lockd, ..) => vec![
                close(&["findmnt", "-t", "nfs"], Effect::ListsUsers),
                close(&["rpc.nfsd", "0"], Effect::StopsServer),
            ],
            (Kind::NfsCallback, ..) => vec![close(&["findmnt", "-t", "nfs4"], Effect::ListsUsers)],
            (Kind::Ksmbd, ..) => vec![close(&["ksmbd.control", "--shutdown"], Effect::StopsServer)],
            (Kind::Rxrpc, ..) => vec![
                close(&["findmnt", "-t", "afs"], Effect::ListsUsers),
                close(&["modprobe", "-r", "kafs"], Effect::UnloadsModule),
            ],
            _ => Vec::new(),
        }
    }
}

names! { CloseEffect, "effect of a command":
    Closes => "closes",
    TakesInterfaceDown => "takes-interface-down",
    RemovesInterface => "removes-interface",
    EndsTunnel => "ends-tunnel",
    RemovesEndpoint => "removes-endpoint",
    RemovesDevice => "removes-device",
    UnloadsModule => "unloads-module",
    StopsServer => "stops-server",
    ListsUsers => "lists-users",
}
