//! JSON, schema `allears/1`: written and read back with nothing lost.
//!
//! These types are the document; they share nothing with what is shown to people. Whatever is not valid UTF-8 is
//! written with U+FFFD, and its bytes in base64 under a sibling key that ends in `_bytes`.

mod asked;
mod escaping_formatter;
mod reading;
#[cfg(test)]
mod tests;
mod writing;

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

#[cfg(feature = "cli")]
pub(crate) use reading::long_document;
pub use reading::read;
pub use writing::{write, write_lines};
#[cfg(feature = "cli")]
pub(crate) use writing::{write_document, write_gap, write_line};

/// The schema written, and the only one read.
pub const SCHEMA: &str = "allears/1";

/// A document as it is written: a listener becomes JSON when its turn has come, so that not all of them are in memory
/// twice.
#[derive(Serialize)]
struct WrittenDocument<'a> {
    schema: &'a str,
    host: String,
    os: String,
    taken_at: Timestamp,
    privileged: bool,
    user_namespace: Option<UserNamespaceJson>,
    complete: bool,
    asked: Option<Vec<asked::AskedJson>>,
    listeners: writing::EachListener<'a>,
    paths: Vec<PathJson>,
    gaps: Vec<GapJson>,
}

/// A document as it is read. The tests read back what was written.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    schema: Option<String>,
    host: String,
    os: String,
    taken_at: Timestamp,
    privileged: bool,
    #[serde(default)]
    user_namespace: Option<UserNamespaceJson>,
    complete: bool,
    #[serde(default)]
    asked: Option<Vec<asked::AskedJson>>,
    listeners: reading::ListenersJson,
    #[serde(default)]
    paths: Vec<PathJson>,
    gaps: Vec<GapJson>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct UserNamespaceJson {
    id: u64,
    users: Vec<UserRangeJson>,
}

#[derive(Serialize, Deserialize)]
struct UserRangeJson {
    first: u32,
    outside: u32,
    count: u32,
}

#[derive(Serialize)]
struct ListenerLine<'a> {
    schema: &'a str,
    host: &'a str,
    taken_at: Timestamp,
    #[serde(flatten)]
    listener: ListenerJson,
}

#[derive(Serialize)]
struct GapLine<'a> {
    schema: &'a str,
    host: &'a str,
    taken_at: Timestamp,
    gap: GapJson,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ListenerJson {
    protocol: String,
    family: String,
    address: Option<IpAddr>,
    port: Option<u16>,
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    interface: Option<String>,
    state: String,
    peer: Option<PeerJson>,
    dual_stack: Option<bool>,
    exposure: String,
    inode: Option<u64>,
    uid: Option<u32>,
    user: Option<String>,
    /// Set only if the system usually reports the user and did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_unknown: Option<String>,
    queue: Option<QueueJson>,
    namespace: Option<String>,
    #[serde(default)]
    other_paths: Vec<String>,
    #[serde(default)]
    path_leads_to: Option<String>,
    service: Option<ServiceJson>,
    container: Option<ContainerJson>,
    /// Present only for sockets that a service manager keeps for a service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    descriptor_store: Option<DescriptorStoreJson>,
    holders: Vec<HolderJson>,
    unseen: Option<UnseenJson>,
    connections: Option<Vec<ConnectionJson>>,
    #[serde(default)]
    probe: Option<ProbeJson>,
    note: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct PathJson {
    path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    holds: String,
}

#[derive(Serialize, Deserialize)]
struct ProbeJson {
    outcome: String,
    milliseconds: f64,
}

#[derive(Serialize, Deserialize)]
struct PeerJson {
    address: IpAddr,
    port: u16,
}

#[derive(Serialize, Deserialize)]
struct QueueJson {
    waiting: u32,
    limit: Option<u32>,
}

#[derive(Serialize, Deserialize)]
struct ServiceJson {
    manager: String,
    name: String,
    scope: String,
    /// Only for a user's own manager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    /// Only for socket units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    activates: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct DescriptorStoreJson {
    unit: ServiceJson,
    active: Option<bool>,
    preserved: Option<bool>,
}

#[derive(Serialize, Deserialize)]
struct ContainerJson {
    runtime: String,
    id: String,
    /// Only for a user's own engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    name: Option<String>,
    image: Option<String>,
    port: Option<u16>,
    /// Only for containers of Compose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compose: Option<ComposeJson>,
}

#[derive(Serialize, Deserialize)]
struct ComposeJson {
    project: String,
    service: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct HolderJson {
    pid: u32,
    start: Option<u64>,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name_bytes: Option<String>,
    command: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command_bytes: Option<Vec<String>>,
    #[serde(default)]
    script: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    script_bytes: Option<String>,
    #[serde(default)]
    script_change: Option<String>,
    executable: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    executable_bytes: Option<String>,
    #[serde(default)]
    executable_change: Option<String>,
    directory: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    directory_bytes: Option<String>,
    project: Option<ProjectJson>,
    uid: Option<u32>,
    user: Option<String>,
    /// Set only if the system usually reports the user and did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_unknown: Option<String>,
    started_at: Option<Timestamp>,
    descriptors: Vec<u32>,
    evidence: String,
    parents: Vec<RelatedProcessJson>,
    #[serde(default)]
    children: Option<Vec<RelatedProcessJson>>,
    #[serde(default)]
    supervisor: Option<SupervisorJson>,
    service: Option<ServiceJson>,
    container: Option<ContainerJson>,
    #[serde(default)]
    condition: Option<ConditionJson>,
}

#[derive(Serialize, Deserialize)]
struct ConditionJson {
    state: String,
    shell: Option<RelatedProcessJson>,
    tracer: Option<RelatedProcessJson>,
    freezer: Option<FreezerJson>,
}

#[derive(Serialize, Deserialize)]
struct FreezerJson {
    version: u8,
    cgroup: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cgroup_bytes: Option<String>,
    control: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    control_bytes: Option<String>,
    scope: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct ProjectJson {
    directory: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    directory_bytes: Option<String>,
    marker: String,
    #[serde(default)]
    branch: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    branch_bytes: Option<String>,
    #[serde(default)]
    worktree: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    worktree_bytes: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct SupervisorJson {
    kind: String,
    pid: u32,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name_bytes: Option<String>,
    #[serde(default)]
    terminal: Option<bool>,
}

#[derive(Serialize, Deserialize)]
struct RelatedProcessJson {
    pid: u32,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name_bytes: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct UnseenJson {
    reason: String,
    help: Option<String>,
    candidates: Vec<CandidateJson>,
    /// For sockets that are the kernel's own, or may be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    kernel: Vec<KernelSocketJson>,
}

#[derive(Serialize, Deserialize)]
struct KernelSocketJson {
    kind: String,
    interface: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    interface_bytes: Option<String>,
    id: Option<u32>,
    namespace: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct CandidateJson {
    pid: u32,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name_bytes: Option<String>,
    evidence: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ConnectionJson {
    address: IpAddr,
    port: u16,
    state: String,
    clients: Vec<CandidateJson>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct GapJson {
    what: String,
    reason: String,
    count: u64,
    detail: String,
    help: Option<String>,
}
