//! The parts of the kernel that open sockets. `os` finds them; `management` has the commands that close the sockets.

use super::Text;
use super::names::names;

/// A part of the kernel that uses a socket which no process has open.
///
/// ```
/// use allears::Query;
///
/// for unseen in Query::new().scan()?.listeners.into_iter().filter_map(|listener| listener.unseen) {
///     for kernel in unseen.kernel {
///         println!("used by {} {:?}", kernel.kind, kernel.interface);
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct KernelSocket {
    /// The kind of interface or service.
    pub kind: KernelSocketKind,
    /// The network interface, or the RDMA device of [`KernelSocketKind::Rxe`]. `None` if there is none, or if the kernel
    /// does not report it.
    pub interface: Option<Text>,
    /// The number by which it is managed: of an L2TP tunnel or of an MPTCP endpoint.
    pub id: Option<u32>,
    /// The network namespace of the interface, if that is not the socket's.
    pub namespace: Option<Text>,
}

/// A part of the Linux kernel that opens sockets by itself.
///
/// ```
/// use allears::KernelSocketKind;
///
/// assert_eq!("wireguard".parse(), Ok(KernelSocketKind::Wireguard));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum KernelSocketKind {
    /// A VXLAN interface.
    Vxlan,
    /// A Geneve interface.
    Geneve,
    /// A WireGuard interface of the kernel's implementation.
    Wireguard,
    /// A foo-over-udp receive port.
    Fou,
    /// A generic UDP encapsulation receive port.
    Gue,
    /// A Bareudp interface.
    Bareudp,
    /// A GTP interface that made its sockets itself.
    Gtp,
    /// An L2TP tunnel that the kernel opened itself.
    L2tp,
    /// Soft RoCE: an RDMA device over a network interface.
    Rxe,
    /// SCTP encapsulated in UDP.
    Sctp,
    /// The NFS server.
    Nfsd,
    /// The lock manager of NFS versions 2 and 3.
    Lockd,
    /// The callback service of an NFS 4.0 client.
    NfsCallback,
    /// The SMB server.
    Ksmbd,
    /// A listening endpoint of MPTCP's path manager.
    Mptcp,
    /// RxRPC, which the AFS client uses.
    Rxrpc,
}

names! { KernelSocketKind, "kernel socket kind":
    Vxlan => "vxlan",
    Geneve => "geneve",
    Wireguard => "wireguard",
    Fou => "fou",
    Gue => "gue",
    Bareudp => "bareudp",
    Gtp => "gtp",
    L2tp => "l2tp",
    Rxe => "rxe",
    Sctp => "sctp",
    Nfsd => "nfsd",
    Lockd => "lockd",
    NfsCallback => "nfs-callback",
    Ksmbd => "ksmbd",
    Mptcp => "mptcp",
    Rxrpc => "rxrpc",
}
