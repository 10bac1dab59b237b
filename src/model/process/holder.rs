//! A process that has a socket open, and how that is known.

use crate::model::names::names;
use crate::model::{Process, Shared};

/// The evidence that a process holds a socket.
///
/// ```
/// use allears::{Evidence, Query};
///
/// for listener in Query::new().scan()?.listeners {
///     for holder in listener.holders {
///         if holder.evidence != Evidence::Descriptor {
///             println!("process {} is known by {}", holder.process.id.pid, holder.evidence);
///         }
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Evidence {
    /// The socket is in the process's descriptor table.
    Descriptor,
    /// The process belongs to the socket's cgroup. Likely, not certain.
    Cgroup,
    /// The operating system's own table names the process.
    Table,
    /// macOS: the process used the socket last. Likely, not certain.
    LastUser,
    /// macOS: the process used the socket last, according to netstat. Likely, not certain.
    Netstat,
    /// The process belongs to the socket's user, and its descriptors could not be read. Possible, not certain.
    User,
    /// The process's command line names the port, and its descriptors could not be read. Possible, not certain.
    Arguments,
    /// The process has the name of the service that the port or the socket's unit stands for, and its descriptors could
    /// not be read. Possible, not certain.
    Name,
    /// The process's cgroup or user listens on other ports, and its descriptors could not be read. Possible, not certain.
    Listens,
    /// The process is one of the few whose descriptors could not be read. There is no other evidence.
    Unread,
    /// Descriptors wait for the process in a message. The socket may be among them.
    Message,
    /// Linux: the process has the socket mapped into its memory.
    Mapping,
    /// Linux: a thread of the process waits in this system call on a closed descriptor, which keeps a socket open. Likely,
    /// not certain.
    WaitsIn(WaitingCall),
    /// Linux: the process has an io_uring with files or requests that the kernel does not name. Possible, not certain.
    Ring,
    /// Linux: the process has a context of asynchronous I/O (io_setup(2)). Possible, not certain.
    Aio,
    /// Linux: the kernel reported the process when it called bind(2) or listen(2). It may have ended.
    Call,
    /// Windows: the process is a child of the one that opened the socket and has ended, and may have inherited its
    /// handle. Possible, not certain.
    Child,
}

/// A process that has a socket open.
///
/// ```
/// use allears::{Evidence, Query};
///
/// for listener in Query::new().scan()?.listeners {
///     for holder in listener.holders {
///         if holder.evidence != Evidence::Descriptor {
///             println!("process {} is known by {}", holder.process.id.pid, holder.evidence);
///         }
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Holder {
    /// The process. Sockets with the same holder share it.
    pub process: Shared<Process>,
    /// Its descriptors of the socket, ascending. Empty if the system does not report them.
    pub descriptors: Vec<u32>,
    /// The evidence that it holds the socket.
    pub evidence: Evidence,
}

impl Evidence {
    /// Returns whether it concerns a process that may hold a socket without a descriptor.
    pub(crate) fn is_without_descriptor(self) -> bool {
        matches!(self, Evidence::Mapping | Evidence::WaitsIn(_) | Evidence::Ring | Evidence::Aio)
    }
}

names! { Evidence, "evidence":
    Descriptor => "descriptor",
    Cgroup => "cgroup",
    Table => "table",
    LastUser => "last-user",
    Netstat => "netstat",
    User => "user",
    Arguments => "arguments",
    Name => "name",
    Listens => "listens",
    Unread => "unread",
    Message => "message",
    Mapping => "mapping",
    WaitsIn(WaitingCall::Accept) => "waits-in-accept",
    WaitsIn(WaitingCall::Receive) => "waits-in-recv",
    WaitsIn(WaitingCall::Send) => "waits-in-send",
    WaitsIn(WaitingCall::Connect) => "waits-in-connect",
    WaitsIn(WaitingCall::Poll) => "waits-in-poll",
    WaitsIn(WaitingCall::Select) => "waits-in-select",
    Ring => "io-uring",
    Aio => "aio",
    Call => "call",
    Child => "child",
}

/// A system call that waits on a file, which keeps the file open.
///
/// ```
/// use allears::WaitingCall;
///
/// assert_eq!("accept".parse(), Ok(WaitingCall::Accept));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum WaitingCall {
    /// accept(2), accept4(2).
    Accept,
    /// recv(2), recvfrom(2), recvmsg(2), recvmmsg(2), read(2).
    Receive,
    /// send(2), sendto(2), sendmsg(2), sendmmsg(2), write(2).
    Send,
    /// connect(2).
    Connect,
    /// poll(2), ppoll(2).
    Poll,
    /// select(2), pselect(2).
    Select,
}

impl WaitingCall {
    /// Returns the name with the section of the manual: `accept(2)`.
    pub(crate) fn manual(self) -> &'static str {
        match self {
            WaitingCall::Accept => "accept(2)",
            WaitingCall::Receive => "recv(2)",
            WaitingCall::Send => "send(2)",
            WaitingCall::Connect => "connect(2)",
            WaitingCall::Poll => "poll(2)",
            WaitingCall::Select => "select(2)",
        }
    }
}

names! { WaitingCall, "system call":
    Accept => "accept",
    Receive => "recv",
    Send => "send",
    Connect => "connect",
    Poll => "poll",
    Select => "select",
}
