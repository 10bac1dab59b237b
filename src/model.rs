//! The facts: sockets, processes, snapshots and gaps, the same types on every system. Depends on nothing else in the
//! library.

pub(crate) mod compact;
pub(crate) mod end_signal;
mod endpoint;
pub(crate) mod error;
mod error_name;
mod forwarding;
pub(crate) mod gap;
mod help;
pub(crate) mod kernel_socket;
pub(crate) mod managers;
pub(crate) mod names;
mod note;
mod open_enum;
pub(crate) mod process;
pub(crate) mod process_table;
pub(crate) mod request;
mod security_module;
pub(crate) mod selection;
pub(crate) mod shared;
pub(crate) mod snapshot;
pub(crate) mod socket;
mod sources;
mod system;
pub(crate) mod target;
pub(crate) mod text;
mod unseen;

pub use end_signal::EndSignal;
pub use endpoint::Endpoint;
pub use error::{Error, ErrorKind};
pub use error_name::ErrorName;
pub(crate) use forwarding::{ForwardingRule, ForwardingRules};
pub use gap::{
    Gap, GapDetail, GapKind, GapReason, NetshList, NotCovered, SilentRuntime, UnlistedBound, UnreadRules,
    UnreadableReply,
};
pub use help::{Help, MissingPermissions, OpenFilesLimit, PrivilegePurpose, ScanTarget};
pub use kernel_socket::{KernelSocket, KernelSocketKind};
pub use managers::{ContainerRuntime, ServiceManager, ServiceScope};
pub use names::UnknownName;
pub use note::{ForwardedTo, NftablesRule, Note, OpenService, WindowsProxy};
pub use process::{
    Compose, Condition, Container, Evidence, FileChange, Freezer, FreezerScope, GitHead, Holder, Process,
    ProcessId, Project, RelatedProcess, Service, Supervisor, SupervisorKind, WaitingCall,
};
pub use request::{HolderSearch, Reader};
pub use security_module::{Confinement, SecurityModule};
pub use selection::{Selection, UserName};
pub use shared::Shared;
pub use snapshot::{
    Connection, DescriptorStore, Listener, PathContent, Probe, ProbeOutcome, Snapshot, UnixPath,
    UserNamespace, UserRange,
};
pub use socket::{AcceptQueue, Exposure, Family, PathTarget, Protocol, Socket, State, UnknownUser};
pub use sources::{BpfStep, BpfUnavailable, HolderMethod, Sources, TableRead, TableSource};
pub use system::System;
pub use target::{Target, TargetError};
pub use text::Text;
pub use unseen::{Candidate, Unseen, UnseenReason};
