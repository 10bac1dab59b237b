//! The advice of a verdict, as data. `render` writes a sentence for each, and quotes the commands.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{HttpServer, ShareOption, SuspectedPolicy};
use crate::bind_attempt::BindTarget;
use crate::management::kernel_socket::CloseEffect;
use crate::model::{
    Container, DescriptorStore, Family, Help, KernelSocketKind, Listener, Process, Protocol, Service, Text,
    Unseen,
};

/// One thing that would help. `Display` writes it as a sentence, in which names from outside are escaped, and commands are
/// quoted for the shell that they are typed in. A command is a list of words.
///
/// ```
/// use allears::Advice;
///
/// let verdict = allears::why(&allears::Target::port(10309)?)?;
/// for advice in &verdict.advice {
///     match advice {
///         Advice::StopService { service, .. } => println!("stop {}", service.name.to_string_lossy()),
///         advice => println!("{advice}"),
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Advice {
    /// Windows: list the excluded ranges of ports.
    ListExcludedRanges {
        /// The address family of the ranges.
        family: Family,
        /// The protocol of the ranges.
        protocol: Protocol,
    },
    /// Windows: remove the range that an administrator excluded.
    RemoveExcludedRange {
        /// The address family of the range.
        family: Family,
        /// The protocol of the range.
        protocol: Protocol,
        /// The range.
        range: RangeInclusive<u16>,
    },
    /// Windows: restart WinNAT, which chooses its ranges again.
    RestartWinNat,
    /// Use a port outside of the excluded ranges.
    UsePortOutside,
    /// Windows: find out whether Hyper-V or WinNAT excludes the port.
    FindExcludedRange,
    /// Find published container ports and NAT rules, because a server that binds here may never get a connection.
    FindForwarding,
    /// Run `allears why` with full permissions, which reads the forwarding rules.
    ReadForwardingRules {
        /// What to ask about.
        target: BindTarget,
    },
    /// Linux: list containers and NAT rules.
    ListForwardingRules,
    /// A server that binds here may never get a connection.
    ConnectionsBypass,
    /// Stop the container that the port belongs to.
    StopContainer {
        /// The container.
        container: Container,
        /// The command.
        command: Vec<Text>,
    },
    /// Stop the service that the port belongs to.
    StopService {
        /// The service.
        service: Service,
        /// The command.
        command: Vec<Text>,
    },
    /// Stop the socket unit that the port belongs to.
    StopSocketUnit {
        /// The socket unit.
        unit: Service,
        /// The service that it started, which has the port open too and is stopped with it.
        started: Option<Text>,
        /// The command.
        command: Vec<Text>,
    },
    /// Set SO_REUSEADDR before bind, as servers do.
    SetReuseAddress,
    /// Set an option to share the UDP port.
    SharePort(ShareOption),
    /// Wait until TIME_WAIT is over.
    WaitForTimeWait {
        /// What to wait for.
        target: BindTarget,
        /// How long at most.
        left: Option<Duration>,
        /// Whether this is an alternative to the advice before it.
        alternative: bool,
    },
    /// Let these processes close the other ends of connections.
    CloseOtherEnds(Vec<Listener>),
    /// Wait until the kernel gives the connection up.
    WaitForKernel {
        /// What to wait for.
        target: BindTarget,
        /// Whether this is an alternative to the advice before it.
        alternative: bool,
    },
    /// End the connection at either side: then a bind without SO_REUSEADDR succeeds too.
    EndConnection,
    /// End the connection at either side, or wait for its end.
    EndConnectionOrWait {
        /// What to wait for.
        target: BindTarget,
    },
    /// Linux: keep outgoing connections off the port.
    ReservePorts(Vec<RangeInclusive<u16>>),
    /// Linux: give the program CAP_NET_BIND_SERVICE.
    GrantCapability,
    /// Linux: let systemd bind the port and pass the socket to the program.
    UseSocketUnit {
        /// The port.
        port: u16,
    },
    /// Linux: lower the first port that needs no privilege.
    LowerPrivilegedLimit {
        /// The port.
        port: u16,
    },
    /// Use a port above the limit, and forward connections to it.
    ForwardFromPrivileged,
    /// Bind as root, or use a port above 1023.
    BindAsRoot,
    /// Wait until duplicate address detection ends.
    WaitForAddress {
        /// What to wait for.
        target: BindTarget,
    },
    /// Find the machine that has the same address.
    FindDuplicateAddress,
    /// Remove the address and add it again, because the kernel does not repeat a detection that failed.
    AddAddressAgain,
    /// Use one of this machine's own addresses, or the wildcard.
    UseLocalAddress,
    /// Linux: find a program that was started with this port, because a socket that is bound is not always listed.
    FindBoundSocket,
    /// Windows: list sockets that are bound and do not listen.
    ListBoundSockets {
        /// The port.
        port: u16,
    },
    /// Wait until the port is free.
    WaitUntilFree {
        /// What to wait for.
        target: BindTarget,
    },
    /// Find out whether this policy forbids the bind.
    CheckPolicy {
        /// The policy.
        suspect: SuspectedPolicy,
        /// The port.
        port: u16,
    },
    /// Find out which policy forbids the bind.
    FindPolicy,
    /// Resume a holder that does not run.
    Resume(Box<Process>),
    /// Close a socket of the kernel's.
    CloseKernelSocket {
        /// What in the kernel uses it.
        kind: KernelSocketKind,
        /// The network namespace that the command is run in, if it is another one.
        namespace: Option<Text>,
        /// The command.
        command: Vec<Text>,
        /// What the command does.
        effect: CloseEffect,
        /// Whether other parts of the kernel share the socket.
        shared: bool,
    },
    /// Take down what the kernel holds the socket for.
    TakeDownKernelUser,
    /// Wait for, or end, a process that holds the socket without a descriptor.
    EndUnseenHold(Unseen),
    /// Windows: end the program that HTTP.sys has the port for.
    EndHttpServer(HttpServer),
    /// Windows: stop the service that HTTP.sys has the port for.
    StopHttpService {
        /// The service.
        service: Text,
        /// The command.
        command: Vec<Text>,
    },
    /// Windows: stop the one of these services that HTTP.sys has the port for.
    StopOneOfHttpServices(Vec<Text>),
    /// Windows: turn file sharing off, or use another port.
    TurnOffFileSharing,
    /// Windows: find the program that HTTP.sys has the port for.
    FindHttpServer,
    /// Windows: stop the service of svchost.exe that has the port.
    StopHostedService,
    /// Stop the unit whose descriptor store has the socket.
    ReleaseDescriptorStore {
        /// The store.
        store: Box<DescriptorStore>,
        /// The commands, in their order.
        commands: Vec<Vec<Text>>,
    },
    /// List the socket units of a service manager, which usually holds the socket for one of them.
    ListSocketUnits {
        /// The user of the service manager. `None` for the first process of the system.
        uid: Option<u32>,
        /// The command.
        command: Vec<Text>,
    },
    /// Run what shows the holder.
    ShowHolder {
        /// What shows the holder.
        help: Help,
    },
    /// Ask from outside of this container, or with more permissions.
    AskOutside,
    /// Run `allears free`, which explains what a process that stands for others holds the port for. It does not end it.
    FreeByManager {
        /// The process.
        process: Box<Process>,
        /// What to free.
        target: BindTarget,
        /// Whether the advice before it frees the port.
        managed: bool,
        /// Whether `allears free` needs full permissions.
        privileged: bool,
    },
    /// Run `allears free`.
    Free {
        /// What to free.
        target: BindTarget,
        /// Whether it needs full permissions.
        privileged: bool,
    },
    /// The process has to close the socket, or end.
    CloseSocket,
    /// Wait until the socket listens.
    WaitUntilListening {
        /// What to wait for.
        target: BindTarget,
    },
}
