//! Listeners, holders and gaps of one moment on one machine.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;

use super::names::names;
use super::{Candidate, Container, Gap, Holder, Note, Service, Socket, Sources, State, System, Text, Unseen};
use crate::model::Selection;
use crate::model::compact::CompactSort as _;

/// Listeners, holders and gaps of one moment on one machine.
///
/// ```
/// use allears::Query;
///
/// let snapshot = Query::new().port(10309)?.scan()?;
/// match snapshot.is_answered() {
///     Some(true) => println!("{} listeners", snapshot.listeners.len()),
///     Some(false) => println!("nothing listens on port 10309"),
///     None => println!("not every socket could be read: {:?}", snapshot.gaps),
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// The machine's name.
    pub host: Text,
    /// The operating system.
    pub os: System,
    /// The time at which it was taken.
    pub taken_at: Timestamp,
    /// Whether it was taken with full privileges (root, or an elevated process on Windows).
    pub privileged: bool,
    /// The user namespace to which the uids belong. `None` for the initial one, and on systems other than Linux.
    pub user_namespace: Option<UserNamespace>,
    /// Whether it has every requested socket. Only then does an absent listener mean that nothing listens. Holders that
    /// could not be observed do not count.
    pub complete: bool,
    /// The selections that it was taken with. Each narrows the one before it. `None` if unknown, as in documents of older
    /// versions: then it counts as a snapshot of every TCP and UDP listener.
    #[cfg_attr(feature = "serde", serde(rename = "asked"))]
    pub selections: Option<Vec<Selection>>,
    /// The listeners (or, with [`crate::Query::all`], all sockets), ordered by port, protocol, address and pid.
    pub listeners: Vec<Listener>,
    /// The files at the requested paths, if they explain the result. Linux only.
    pub paths: Vec<UnixPath>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
    /// How it was read, if there are several ways. Not part of the JSON document.
    pub sources: Sources,
}

/// A user namespace other than the initial one (user_namespaces(7)). Uids of two snapshots are comparable only if both
/// were taken in the same namespace.
///
/// ```
/// use allears::Query;
///
/// if let Some(namespace) = Query::new().scan()?.user_namespace {
///     println!("uids are those of user namespace {}", namespace.id);
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct UserNamespace {
    /// The inode number that identifies it while it exists.
    pub id: u64,
    /// The users that are mapped into it.
    pub users: Vec<UserRange>,
}

/// A range of users that are mapped into a user namespace: a line of /proc/PID/uid_map.
///
/// ```
/// use allears::Query;
///
/// for range in Query::new().scan()?.user_namespace.into_iter().flat_map(|namespace| namespace.users) {
///     println!("{} users from {} on", range.count, range.first);
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct UserRange {
    /// The first uid in the namespace.
    pub first: u32,
    /// The uid of that user in the parent namespace.
    pub outside: u32,
    /// The number of users.
    pub count: u32,
}

/// A requested path of a Unix socket, and the file at it.
///
/// ```
/// use allears::{Query, Target};
///
/// let target: Target = "/run/no-such.sock".parse().expect("it is a path");
/// for path in Query::from(target).scan()?.paths {
///     println!("{}: {}", path.path.to_string_lossy(), path.holds);
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct UnixPath {
    /// The absolute path.
    pub path: Text,
    /// The file there.
    pub holds: PathContent,
}

/// The file at a path of a Unix socket.
///
/// ```
/// use allears::{PathContent, Query, Target};
///
/// let target: Target = "/run/no-such.sock".parse().expect("it is a path");
/// for path in Query::from(target).scan()?.paths {
///     if path.holds == PathContent::AbandonedSocket {
///         println!("{} is left over", path.path.to_string_lossy());
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PathContent {
    /// A socket that listens.
    Listener,
    /// A socket that is bound there and does not listen: a datagram socket, or one that does not listen yet.
    BoundSocket,
    /// The file of a socket that no longer exists: the kernel has no socket bound to it.
    AbandonedSocket,
    /// A directory, or a file that is not a socket.
    OtherFile,
    /// No file.
    Nothing,
    /// The file could not be determined.
    Unknown,
}

/// A socket with its holders.
///
/// Most sockets here listen. A scan with [`crate::Query::all`] also returns connections and sockets in TIME_WAIT, which have
/// the same fields: [`crate::Socket::is_listener`] tells them apart.
///
/// ```
/// use allears::Query;
///
/// for listener in Query::new().scan()?.listeners {
///     match listener.head() {
///         Some(holder) => println!("{}: {}", listener.socket.endpoint, holder.process.name.to_string_lossy()),
///         None => println!("{}: {:?}", listener.socket.endpoint, listener.unseen),
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Listener {
    /// The socket itself.
    pub socket: Socket,
    /// The service that the socket itself belongs to. It may be known even if no holder is.
    pub service: Option<Box<Service>>,
    /// The container that the socket itself belongs to.
    pub container: Option<Box<Container>>,
    /// The unit for which systemd keeps the socket in its descriptor store. Linux only.
    pub descriptor_store: Option<Box<DescriptorStore>>,
    /// The processes that have it open, ordered by pid.
    pub holders: Vec<Holder>,
    /// Why the list of holders is or may be incomplete.
    pub unseen: Option<Box<Unseen>>,
    /// The connections to it, if requested with [`crate::Query::connections`].
    pub connections: Option<Vec<Connection>>,
    /// The result of connecting to it, if [`crate::probe_listeners`] did.
    pub probe: Option<Probe>,
    /// A fact that no other field has.
    pub note: Option<Box<Note>>,
}

/// A socket in systemd's descriptor store: it stays open when its service ends.
///
/// ```
/// use allears::Query;
///
/// for store in Query::new().scan()?.listeners.into_iter().filter_map(|listener| listener.descriptor_store) {
///     println!("kept for {}", store.unit.name.to_string_lossy());
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct DescriptorStore {
    /// The service.
    pub unit: Service,
    /// Whether the service runs. `None` if systemd does not report it.
    pub active: Option<bool>,
    /// Whether the socket stays open when the service is stopped. `None` if systemd does not report it. Before systemd 254
    /// it never stays open.
    pub preserved: Option<bool>,
}

/// A connection that a listener accepted.
///
/// ```
/// use allears::Query;
///
/// for listener in Query::new().connections(true).scan()?.listeners {
///     for connection in listener.connections.into_iter().flatten() {
///         println!("{} is connected to {}", connection.peer, listener.socket.endpoint);
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Connection {
    /// The address and port of the other end.
    pub peer: SocketAddr,
    /// Its state.
    pub state: State,
    /// The processes at the other end, ordered by pid, if they are on this machine and could be observed.
    pub clients: Vec<Candidate>,
}

/// The result of connecting to a listener over loopback.
///
/// ```
/// use allears::{Query, probe_listeners};
///
/// let mut snapshot = Query::new().port(10309)?.scan()?;
/// probe_listeners(&mut snapshot);
/// for probe in snapshot.listeners.iter().filter_map(|listener| listener.probe) {
///     println!("{} after {:?}", probe.outcome, probe.took);
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Probe {
    /// The outcome.
    pub outcome: ProbeOutcome,
    /// The time it took.
    pub took: Duration,
}

/// The outcome of a connection attempt.
///
/// ```
/// use allears::ProbeOutcome;
///
/// assert_eq!("refuses".parse(), Ok(ProbeOutcome::Refuses));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ProbeOutcome {
    /// It was connected. The kernel connects; [`Socket::queue`] shows whether the program accepts.
    Accepts,
    /// The kernel connected it, and no process accepts: all holders are known, and none of them runs.
    Connects,
    /// It was refused.
    Refuses,
    /// No answer came within the limit.
    Silent,
    /// It could not be attempted: no route, too many open files.
    Failed,
}

impl Listener {
    pub(crate) fn new(socket: Socket) -> Listener {
        Listener {
            socket,
            service: None,
            container: None,
            descriptor_store: None,
            holders: Vec::new(),
            unseen: None,
            connections: None,
            probe: None,
            note: None,
        }
    }

    /// Returns the description of holders that no descriptor table shows.
    pub(crate) fn unseen_alone(&self) -> Option<&Unseen> {
        self.unseen.as_deref().filter(|_| self.holders.is_empty())
    }

    /// Returns the pid that orders listeners with equal sockets.
    fn first_pid(&self) -> Option<u32> {
        self.holders.first().map(|holder| holder.process.id.pid)
    }
}

impl Snapshot {
    /// Returns whether there is a listener. `None` if there is none and the snapshot is incomplete.
    pub fn is_answered(&self) -> Option<bool> {
        match (self.listeners.is_empty(), self.complete) {
            (false, _) => Some(true),
            (true, true) => Some(false),
            (true, false) => None,
        }
    }

    /// Sorts listeners, holders and descriptors, so that equal snapshots become equal documents.
    pub(crate) fn sort(&mut self) {
        Snapshot::sort_listeners(&mut self.listeners);
    }

    /// Sorts listeners, their holders, and the descriptors of each holder.
    pub(crate) fn sort_listeners(listeners: &mut [Listener]) {
        for listener in listeners.iter_mut() {
            listener.holders.compact_sort_by_key(|holder| holder.process.id);
            for holder in &mut listener.holders {
                holder.descriptors.sort_unstable();
                holder.descriptors.dedup();
            }
        }
        // By places: there may be a hundred thousand, and each takes half a kilobyte.
        listeners.compact_sort_by(|a, b| {
            a.socket
                .order(&b.socket)
                .then_with(|| a.first_pid().cmp(&b.first_pid()))
                .then_with(|| a.socket.inode.cmp(&b.socket.inode))
        });
    }
}

names! { PathContent, "path content":
    Listener => "listener",
    BoundSocket => "bound-socket",
    AbandonedSocket => "abandoned-socket",
    OtherFile => "other-file",
    Nothing => "nothing",
    Unknown => "unknown",
}

names! { ProbeOutcome, "outcome":
    Accepts => "accepts",
    Connects => "connects",
    Refuses => "refuses",
    Silent => "silent",
    Failed => "failed",
}
