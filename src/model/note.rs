//! Notes: facts about a listener that no other field of it has. `render` makes the sentences.

use std::net::{IpAddr, SocketAddr};

use super::Text;
use super::names::names;

/// A fact about a listener that no other field of it has, such as where a forwarded port leads. The sentence is
/// `note.to_string()`.
///
/// ```
/// use allears::{Note, Query};
///
/// for listener in Query::new().scan()?.listeners {
///     match listener.note.as_deref() {
///         Some(Note::UnexpectedHolder { port, usual, .. }) => {
///             println!("{port} is usually {}", usual.to_string_lossy());
///         }
///         Some(note) => println!("{note}"),
///         None => {}
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Note {
    /// A Unix socket is at the path that a program uses by default.
    DefaultPath {
        /// The program, or what it serves there.
        program: Text,
    },
    /// wineserver holds it for a Windows program, which holds it too once it has made a call on it.
    Wineserver,
    /// Other machines can reach it, and it gives control over this machine or a process.
    OpenToNetwork {
        /// The port.
        port: u16,
        /// What it is.
        service: OpenService,
    },
    /// Its holder forwards connections to another place.
    ForwardedByProcess(ForwardedTo),
    /// A login over ssh opened it: by `-R` of its ssh, or to forward X11.
    SshLogin {
        /// The port.
        port: u16,
    },
    /// macOS: AirPlay Receiver.
    AirPlay {
        /// The port.
        port: u16,
    },
    /// Another program usually has the port.
    UnexpectedHolder {
        /// The port.
        port: u16,
        /// The name of what the port is usually for.
        usual: Text,
        /// The name of the process that holds it.
        holder: Text,
    },
    /// Windows: a process or the kernel holds it for another program, a container or a virtual machine.
    HeldOnBehalf(WindowsProxy),
    /// Windows: several services run in the process, and which of them has the socket is unknown.
    SeveralServices {
        /// The name of the process.
        process: Text,
        /// The names of the services.
        services: Vec<Text>,
    },
    /// A proxy passes connections to this address, which is a container's. Which container is unknown.
    ProxiedToContainer(SocketAddr),
    /// Rules of a container runtime forward it. There is no socket.
    ForwardedByRuntime {
        /// Loopback addresses at which it is not forwarded.
        not_at: Vec<IpAddr>,
    },
    /// A rule of nftables forwards it. There is no socket.
    ForwardedByRule(NftablesRule),
    /// It was not probed, because it receives only from this interface.
    NotProbed {
        /// The interface.
        interface: Text,
    },
    /// A sentence, from a document.
    Other(Text),
}

/// A service that gives every client control over the machine or a process.
///
/// ```
/// use allears::OpenService;
///
/// assert_eq!("docker-api".parse(), Ok(OpenService::DockerApi));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum OpenService {
    /// Docker's API without authentication.
    DockerApi,
    /// The debugger of a Java process.
    JavaDebugger,
    /// The debugger of a browser.
    BrowserDebugger,
    /// The debugger of a JavaScript process.
    JavaScriptDebugger,
}

/// Where a process forwards the connections to its listener, by its command line.
///
/// ```
/// use allears::ForwardedTo;
///
/// let to = ForwardedTo::Ssh { to: "db:5432".into(), by: "jump.example".into() };
/// assert!(to.to_string().contains("db:5432"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ForwardedTo {
    /// ssh forwards to a host and port, or to a path, as the far end resolves them.
    Ssh {
        /// The host and port, or the path.
        to: Text,
        /// The host that ssh is connected to.
        by: Text,
    },
    /// ssh is a SOCKS proxy: the client names the destination.
    Socks {
        /// The host that ssh is connected to.
        by: Text,
    },
    /// `kubectl port-forward` forwards to a pod, or to one that it selected by another resource.
    Kubernetes {
        /// `kubectl` or `oc`.
        by: Text,
        /// `svc/db`; a name alone is that of a pod.
        resource: Text,
        /// The number or the name of the port.
        port: Text,
        /// The namespace, if the command line has it.
        namespace: Option<Text>,
    },
    /// socat connects to its other address.
    Socat {
        /// The address as socat was given it, without options: `TCP:db:5432`.
        to: Text,
    },
    /// qemu forwards to its guest.
    Guest {
        /// The address of the guest, if the command line has it.
        address: Option<Text>,
        /// The port in the guest.
        port: Text,
    },
}

/// A process of Windows that holds ports on behalf of others.
///
/// ```
/// use allears::WindowsProxy;
///
/// assert!(WindowsProxy::Kernel { port: 80 }.to_string().contains("HTTP.sys"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum WindowsProxy {
    /// wslrelay passes connections to a program in WSL.
    WslRelay,
    /// wslhost passes connections to a program in WSL.
    WslHost,
    /// Docker Desktop, usually for a published port of a container.
    DockerDesktop,
    /// The network of Docker Desktop, usually for a published port of a container.
    DockerDesktopNetwork,
    /// Hyper-V, for a virtual machine or a container.
    HyperV,
    /// Hyper-V's worker process of a virtual machine.
    HyperVWorker,
    /// The kernel, for file sharing over NetBIOS.
    NetBios,
    /// The kernel, for file sharing (SMB).
    Smb,
    /// The kernel, usually by its web server HTTP.sys for another program.
    Kernel {
        /// The port.
        port: u16,
    },
}

/// A rule of nftables that forwards connections.
///
/// ```
/// use allears::{Note, Query};
///
/// for listener in Query::new().port(10309)?.scan()?.listeners {
///     if let Some(Note::ForwardedByRule(rule)) = listener.note.as_deref() {
///         println!("by table {}, chain {}", rule.table.to_string_lossy(), rule.chain.to_string_lossy());
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct NftablesRule {
    /// Its table.
    pub table: Text,
    /// Its chain.
    pub chain: Text,
    /// Whether it applies to connections from this machine, and not to those from others.
    pub from_here: bool,
    /// Whether it has conditions, or others before it, that connections to the port may not meet.
    pub conditional: bool,
    /// The address that connections go to; `None` if it is this machine's, or unknown.
    pub address: Option<IpAddr>,
    /// The port that connections go to; `None` if unknown.
    pub port: Option<u16>,
}

names! { OpenService, "service open to the network":
    DockerApi => "docker-api",
    JavaDebugger => "java-debugger",
    BrowserDebugger => "browser-debugger",
    JavaScriptDebugger => "javascript-debugger",
}
