//! What holds this port, and if nothing seems to, how sure can one be?
//!
//! `allears` reads the operating system's socket table, finds the processes that hold the listeners in it,
//! and says what it could not see. A [`Query`] is answered by a [`Snapshot`]:
//!
//! ```
//! use allears::Query;
//!
//! let snapshot = Query::new().port(10309)?.scan()?;
//! for listener in &snapshot.listeners {
//!     let holders: Vec<u32> = listener.holders.iter().map(|holder| holder.process.id.pid).collect();
//!     println!("{} is held by {holders:?}", listener.socket.endpoint);
//!     if let Some(unseen) = &listener.unseen {
//!         println!("somebody who could not be seen holds it: {}", unseen.reason);
//!     }
//! }
//! if snapshot.listeners.is_empty() && snapshot.complete {
//!     println!("nothing listens on port 10309");
//! }
//! # Ok::<(), allears::Error>(())
//! ```
//!
//! Whether a port could be bound, and what stands in the way if not, is answered by [`why`] with a [`Verdict`]:
//!
//! ```
//! let verdict = allears::why(&allears::Target::port(10309)?)?;
//! println!("{}: {}", verdict.kind, verdict.reason);
//! # Ok::<(), allears::Error>(())
//! ```
//!
//! What is known of a port number, whatever machine it is on, is answered by [`about`] with an [`About`].
//!
//! The library neither writes to a terminal nor reads the environment nor ends the process.
//!
//! # What each system can tell
//!
//! The public types are the same everywhere; what a system does not tell is `None`, and where something
//! could not be read a [`Gap`] says so.
//!
//! | | Linux | macOS | Windows |
//! | --- | --- | --- | --- |
//! | listeners of other users | yes | yes; where the system shortens its list, with privilege, else a gap says so | yes |
//! | holders of other users' listeners | with privilege; else [`Unseen`] | with privilege; else [`Unseen`], and who used the socket last | yes |
//! | the user of a socket | yes | yes, as far as the list goes | no |
//! | inode | yes | no | no |
//! | descriptors | yes | yes | no |
//!
//! Linux: the `NETLINK_SOCK_DIAG` socket table (sock_diag(7)) and `/proc/PID/fd` (proc(5)). macOS: the sysctls
//! `net.inet.tcp.pcblist_n` and `net.inet.udp.pcblist_n`, and libproc's `proc_pidfdinfo`. Windows:
//! `GetExtendedTcpTable` and `GetExtendedUdpTable`. On other systems the build ends and says so.

#![cfg_attr(
    not(feature = "cli"),
    expect(
        dead_code,
        unused_imports,
        reason = "the command alone prints; the library shares the modules that know what is printed"
    )
)]

mod act;
mod bind_attempt;
#[cfg(feature = "cli")]
pub mod cli;
mod compare;
mod enrich;
#[cfg(all(allears_internals, not(feature = "cli")))]
compile_error!("allears_internals needs the feature cli");
#[cfg(allears_internals)]
#[doc(hidden)]
pub mod internals;
mod management;
mod model;
mod os;
mod plan;
mod port_info;
mod port_sharing;
mod program_label;
pub mod render;
mod scan;
#[cfg(feature = "cli")]
mod screen;
mod select;
mod shell;
mod target_syntax;
mod verdict;

pub use act::{
    FreeObstacle, FreeOptions, FreeOutcome, FreePart, FreePlan, FreeRefusal, FreeRefusalReason, FreeRestart,
    FreeStep, FreedStep, Restarter, StepResult, WaitFor, WaitResult, Watch, free, probe::probe_listeners,
    wait, watch, why,
};
pub use bind_attempt::{BindTarget, Overlap};
pub use compare::{Change, ChangeKind, Comparison, Difference, changes, compare};
pub use management::{Via as FreeVia, kernel_socket::ReleaseEffect};
pub use model::{
    Call, Candidate, Compose, Condition, Connection, Container, ContainerRuntime, DescriptorStore, EndSignal,
    Endpoint, Error, ErrorKind, Evidence, Exposure, Family, FileChange, Freezer, FreezerScope, Gap,
    GapDetail, GapKind, GapReason, GitHead, Help, Holder, HolderSearch, KernelSocket, KernelSocketKind,
    Listener, MissingRights, NetshList, NotAsked, Outcome, Parent, PathContent, PathTarget, Probe, Process,
    ProcessId, Project, Protocol, Purpose, Queue, Reader, Reason, Selection, Service, ServiceManager,
    ServiceScope, SilentRuntime, Snapshot, Socket, State, Supervisor, Target, TargetError, Text, UnixPath,
    UnknownName, UnknownUser, UnlistedBound, UnreadRules, Unseen, UserName, UserNamespace, UserRange,
};
pub use port_info::{
    About, Assignment, Neighbour, Neighbours, PortRange, Registration, Use, UseStatus, about,
};
pub use scan::Query;
pub use verdict::{
    Advice, BindResult, BoundHistory, Fact, Hindrance, HttpServer, Localhost, LocalhostAnswer,
    OrphanedConnection, OtherEnd, PortUsage, Preference, Relay, ShareOption, Shared, SharedBy, Suspect,
    Verdict, VerdictKind, VerdictReason,
};
