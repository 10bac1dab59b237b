//! What holds this port, and if nothing seems to, why can it not be bound?
//!
//! `allears` reads the operating system's socket table, finds the processes that hold each listener, and reports what it
//! could not see. It runs on Linux, macOS and Windows, without a daemon and without the programs `ss`, `lsof` and
//! `netstat`.
//!
//! # Who holds a port?
//! A [`Query`] is answered by a [`Snapshot`]:
//!
//! ```
//! use allears::Query;
//!
//! let snapshot = Query::new().port(10309)?.scan()?;
//! for listener in &snapshot.listeners {
//!     for holder in &listener.holders {
//!         println!("{} is held by process {}", listener.socket.endpoint, holder.process.id.pid);
//!     }
//!     if let Some(unseen) = &listener.unseen {
//!         println!("{} has a holder that could not be seen: {}", listener.socket.endpoint, unseen.reason);
//!     }
//! }
//! if snapshot.listeners.is_empty() && snapshot.complete {
//!     println!("nothing listens on port 10309");
//! }
//! # Ok::<(), allears::Error>(())
//! ```
//!
//! # Can a port be bound?
//! [`why`] attempts a bind, and explains a failure with a [`Verdict`]:
//!
//! ```
//! let verdict = allears::why(&allears::Target::port(10309)?)?;
//! println!("{}: {}", verdict.kind, verdict.reason);
//! # Ok::<(), allears::Error>(())
//! ```
//!
//! # Free it, wait for it, watch it
//! [`free()`] returns a plan; nothing happens until you run it. [`wait()`] blocks until a port is listened on, answers
//! or is free, [`wait_many()`] until several are. [`watch()`] compares one pass with the next.
//!
//! ```no_run
//! use std::time::Duration;
//! use allears::{FreeOptions, Target, WaitFor};
//!
//! let target = Target::port(3000)?;
//! for plan in allears::free(&target, &FreeOptions::new())? {
//!     println!("{} processes would be ended", plan.steps().len());
//!     if plan.refusals().is_empty() {
//!         println!("free: {:?}", plan.run()?.is_free());
//!     }
//! }
//! let waited = allears::wait(&target, WaitFor::Listening, Some(Duration::from_secs(30)))?;
//! println!("listening: {}", waited.reached);
//! # Ok::<(), allears::Error>(())
//! ```
//!
//! # More
//! - [`about`] finds a port number in the IANA registry and among common uses, without reading anything of the machine.
//! - [`compare()`] and [`changes()`] find the differences between two snapshots.
//! - [`probe_listeners`] connects to each listener of a snapshot.
//! - [`render::json`] writes and reads the versioned documents of the command.
//!
//! # Platforms
//! The types are the same everywhere. What a system cannot report is `None`, and what could not be read is a [`Gap`].
//! Each platform has a [`guide`]: [Linux](guide::linux), [macOS](guide::macos), [Windows](guide::windows). On other
//! systems the build stops with one line.
//!
//! | | Linux | macOS | Windows |
//! | --- | --- | --- | --- |
//! | listeners of other users | yes | yes; if the system shortens its list, as root, else a gap | yes |
//! | holders of other users' listeners | as root, else [`Unseen`] | as root, else [`Unseen`] with the last user | yes |
//! | user of a socket | yes | yes | no |
//! | inode | yes | no | no |
//! | descriptors | yes | yes | no |
//!
//! # Features
//! - `cli` (default): the command `allears`. Use the library with `default-features = false`.
//! - `serde`: `Serialize` and `Deserialize` for the facts: snapshots, sockets, processes.
//!
//! The library does not write to a terminal, read the environment or end the process.

mod act;
mod bind_attempt;
#[cfg(feature = "cli")]
pub mod cli;
mod compare;
mod enrich;
pub mod guide;
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
    FreeObstacle, FreeOptions, FreeOutcome, FreePlan, FreeRefusal, FreeRefusalReason, FreeRestart, FreeStep,
    FreeStepReason, FreedStep, NextOptions, NextPorts, Restarter, SkipReason, SkippedPort, StepAction,
    StepFailure, StepResult, WaitAttempt, WaitFor, WaitOptions, WaitResult, Watch, free, next_ports,
    probe::probe_listeners, wait, wait_many, watch, why,
};
pub use bind_attempt::{BindTarget, Overlap};
pub use compare::{Change, ChangeKind, Comparison, Difference, changes, compare};
pub use management::{RestarterKind, Via as FreeVia, kernel_socket::CloseEffect};
pub use model::{
    AcceptQueue, BpfStep, BpfUnavailable, Candidate, Compose, Condition, Confinement, Connection, Container,
    ContainerRuntime, DescriptorStore, EndSignal, Endpoint, Error, ErrorKind, ErrorName, Evidence, Exposure,
    Family, FileChange, ForwardedTo, Freezer, FreezerScope, Gap, GapDetail, GapKind, GapReason, GitHead,
    Help, Holder, HolderMethod, HolderSearch, KernelSocket, KernelSocketKind, Listener, MissingPermissions,
    NetshList, NftablesRule, NotCovered, Note, OpenFilesLimit, OpenService, PathContent, PathTarget,
    PrivilegePurpose, Probe, ProbeOutcome, Process, ProcessId, Project, Protocol, Reader, RelatedProcess,
    ScanTarget, SecurityModule, Selection, Service, ServiceManager, ServiceScope, Shared, SilentRuntime,
    Snapshot, Socket, Sources, State, Supervisor, SupervisorKind, System, TableRead, TableSource, Target,
    TargetError, Text, UnixPath, UnknownName, UnknownUser, UnlistedBound, UnreadRules, UnreadableReply,
    Unseen, UnseenReason, UserName, UserNamespace, UserRange, WaitingCall, WindowsProxy,
};
pub use port_info::{
    About, Assignment, CommonUse, Neighbour, Neighbours, PortRange, Registration, UseStatus, about,
};
pub use scan::Query;
pub use verdict::{
    Advice, BindResult, BoundHistory, Fact, Hindrance, HttpServer, Localhost, LocalhostAnswer,
    OrphanedConnection, OtherEnd, PortUsage, Preference, ProxyPurpose, ShareOption, SharedBy,
    SharedListeners, SuspectedPolicy, Verdict, VerdictKind, VerdictReason,
};
