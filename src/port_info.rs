//! Port numbers: their range, their entries in the IANA registry, and what commonly listens on them. Built-in tables only:
//! the answer is the same on every system. Depends on `model` only.

mod common_uses;
mod registry;
mod service_names;
mod services_file;
pub(crate) mod socket_paths;
mod tables;
pub(crate) mod windows;

use std::ops::RangeInclusive;

use crate::model::names::{names, variant_names};
use crate::model::{Protocol, System};

#[cfg(feature = "cli")]
pub(crate) use service_names::beginning_with;
pub(crate) use service_names::named;
pub(crate) use service_names::{ServicePorts, Similar, is_name, nearest};
pub(crate) use services_file::Services;
#[cfg(feature = "cli")]
pub(crate) use services_file::ServicesFile;
pub(crate) use windows::FILE_SHARING;

/// The protocols that have ports and a registry.
const PROTOCOLS: [Protocol; 4] = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp, Protocol::Dccp];

/// The built-in facts about a port number.
///
/// ```
/// let about = allears::about(5432);
/// assert_eq!(about.range.as_str(), "registered");
/// assert!(about.uses.iter().any(|it| it.tool.contains("PostgreSQL")));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct About {
    /// The port.
    pub port: u16,
    /// The range it belongs to.
    pub range: PortRange,
    /// Its registrations for TCP, UDP, SCTP and DCCP, in this order.
    pub registry: [(Protocol, Registration); 4],
    /// What commonly listens there, whether or not the registry agrees, the best documented first.
    pub uses: Vec<CommonUse>,
    /// The nearest assigned ports. `None` if the port is assigned, or if TCP and UDP cannot have it assigned.
    pub neighbours: Option<Neighbours>,
}

/// The ranges of port numbers (RFC 6335, section 6).
///
/// ```
/// use allears::PortRange;
///
/// assert_eq!(PortRange::from(443), PortRange::System);
/// assert_eq!(PortRange::Dynamic.ports(), 49152..=65535);
/// assert_eq!("registered".parse(), Ok(PortRange::Registered));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PortRange {
    /// 0-1023: assigned after review by the IETF. Many systems let only privileged processes bind these.
    System,
    /// 1024-49151: assigned on application.
    Registered,
    /// 49152-65535: never assigned.
    Dynamic,
}

/// The registry's answer for one port and protocol: always exactly one of these.
///
/// ```
/// use allears::{Protocol, Registration};
///
/// assert_eq!(allears::about(50000).registration(Protocol::Tcp), &Registration::Dynamic);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Registration {
    /// These services have it, all of them equally. Never empty.
    Assigned(Vec<Assignment>),
    /// Listed without a name, and not available. In the registry's words: `Reserved`, `De-registered`, ...
    Reserved(&'static str),
    /// Not assigned.
    Unassigned,
    /// In the range that is never assigned.
    Dynamic,
}

/// A service in the registry.
///
/// ```
/// use allears::{Protocol, Registration};
///
/// let about = allears::about(22);
/// let Registration::Assigned(services) = about.registration(Protocol::Tcp) else { panic!("ssh has it") };
/// assert_eq!(services[0].name, "ssh");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Assignment {
    /// Its name: `postgresql`.
    pub name: &'static str,
    /// Its description in the registry. May be empty.
    pub description: &'static str,
    /// The range, if several ports were assigned as one: a weaker hint than a port of its own.
    pub range: Option<RangeInclusive<u16>>,
}

/// Something that commonly listens on a port.
///
/// ```
/// for it in allears::about(3000).uses {
///     println!("{} ({})", it.tool, it.status.as_str());
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommonUse {
    /// The protocol.
    pub protocol: Protocol,
    /// The ports, both ends included.
    pub ports: RangeInclusive<u16>,
    /// What it is.
    pub tool: &'static str,
    /// The system, if it exists on that one only.
    pub platform: Option<System>,
    /// Its kind: `db`, `web-dev`, `os`, ...
    pub category: &'static str,
    /// A remark.
    pub note: Option<&'static str>,
    /// How well documented this is.
    pub status: UseStatus,
    /// Names of its processes, separated by commas. Empty if unknown.
    pub(crate) programs: &'static str,
}

/// How well documented a common use is, the best first.
///
/// ```
/// use allears::UseStatus;
///
/// assert!(UseStatus::Iana < UseStatus::List, "the best documented comes first");
/// assert_eq!("primary".parse(), Ok(UseStatus::Primary));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum UseStatus {
    /// The registry agrees.
    Iana,
    /// The documentation of the tool or of the system states it.
    Primary,
    /// Third-party lists state it.
    List,
}

/// The assigned ports on either side.
///
/// ```
/// if let Some(neighbours) = allears::about(10309).neighbours {
///     assert!(neighbours.below.is_none_or(|it| it.port < 10309));
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Neighbours {
    /// The nearest below.
    pub below: Option<Neighbour>,
    /// The nearest above.
    pub above: Option<Neighbour>,
}

/// An assigned port near another one.
///
/// ```
/// if let Some(above) = allears::about(10309).neighbours.and_then(|it| it.above) {
///     println!("{} is {}", above.port, above.names.join(", "));
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Neighbour {
    /// The port.
    pub port: u16,
    /// The protocols it is assigned for.
    pub protocols: Vec<Protocol>,
    /// The names, each once.
    pub names: Vec<&'static str>,
}

/// Returns the built-in facts about a port number. It reads nothing of this machine.
///
/// ```
/// let about = allears::about(2049);
/// let allears::Registration::Assigned(services) = about.registration(allears::Protocol::Tcp) else { panic!() };
/// let names: Vec<&str> = services.iter().map(|service| service.name).collect();
/// assert_eq!(names, ["shilp", "nfs"]);
/// ```
pub fn about(port: u16) -> About {
    let registry = PROTOCOLS.map(|protocol| (protocol, registry::registration(port, protocol)));
    let may_be = registry.iter().all(|(_, answer)| !matches!(answer, Registration::Assigned(_)))
        && registry.iter().take(2).any(|(_, answer)| *answer == Registration::Unassigned);
    About {
        port,
        range: PortRange::from(port),
        uses: common_uses::uses(port),
        neighbours: may_be.then(|| registry::neighbours(port)),
        registry,
    }
}

impl CommonUse {
    /// Returns whether one of these names is that of one of its processes.
    #[cfg(feature = "cli")]
    pub(crate) fn is_by(&self, names: &[&[u8]]) -> bool {
        names.iter().any(|name| common_uses::is_one_of(self.programs, name))
    }
}

/// Returns whether one of these names is that of a program with known ports.
#[cfg(feature = "cli")]
pub(crate) fn is_known_program(names: &[&[u8]]) -> bool {
    names.iter().any(|name| common_uses::is_known(name))
}

/// Returns the names by which a process may be known: its own, that of its script, and that of its file.
pub(crate) fn program_names(process: &crate::model::Process) -> Vec<&[u8]> {
    let name = process.name.as_bytes();
    let script = process.script.as_ref().map(crate::model::Text::as_bytes);
    let file = process.executable.as_ref().map(crate::model::Text::file_name);
    let plain = |name: &'_ [u8]| !name.is_empty();
    let mut names: Vec<&[u8]> =
        [Some(name), script, file].into_iter().flatten().filter(|name| plain(name)).collect();
    for name in &mut names {
        *name = name.strip_suffix(b".exe").unwrap_or(name);
    }
    names.dedup();
    names
}

impl About {
    /// Returns the registration for this protocol. For Unix sockets, which have no ports, it is unassigned.
    pub fn registration(&self, protocol: Protocol) -> &Registration {
        let found = self.registry.iter().find(|(known, _)| *known == protocol);
        found.map_or(&Registration::Unassigned, |(_, answer)| answer)
    }
}

/// The range that a port belongs to.
impl From<u16> for PortRange {
    fn from(port: u16) -> PortRange {
        match port {
            0..=1023 => PortRange::System,
            1024..=49151 => PortRange::Registered,
            49152.. => PortRange::Dynamic,
        }
    }
}

impl PortRange {
    /// Returns its ports, both ends included.
    pub fn ports(self) -> RangeInclusive<u16> {
        match self {
            PortRange::System => 0..=1023,
            PortRange::Registered => 1024..=49151,
            PortRange::Dynamic => 49152..=65535,
        }
    }
}

names! { PortRange, "range of ports":
    System => "system",
    Registered => "registered",
    Dynamic => "dynamic",
}

variant_names! { Registration:
    Registration::Assigned(_) => "assigned",
    Registration::Reserved(_) => "reserved",
    Registration::Unassigned => "unassigned",
    Registration::Dynamic => "dynamic",
}

names! { UseStatus, "status of a use":
    Iana => "iana",
    Primary => "primary",
    List => "list",
}

/// Words in the names of many services, which identify no program.
const COMMON_PARTS: [&str; 16] = [
    "admin",
    "alt",
    "alternate",
    "api",
    "control",
    "data",
    "debug",
    "default",
    "dev",
    "proxy",
    "remote",
    "server",
    "service",
    "system",
    "udp",
    "web",
];

/// Returns the words that may be in the name of a program that serves this port: those of its registered services and its
/// common uses, in lower case, each once.
pub(crate) fn program_words(port: u16, protocol: Protocol) -> Vec<String> {
    let about = about(port);
    let mut names: Vec<&str> = Vec::new();
    if let Registration::Assigned(services) = about.registration(protocol) {
        // A service that is registered for a whole range identifies no program.
        names.extend(services.iter().filter(|one| one.range.is_none()).map(|one| one.name));
    }
    names.extend(about.uses.iter().filter(|one| one.protocol == protocol).map(|one| one.tool));
    let words = names.iter().flat_map(|name| name.split(|letter: char| !letter.is_ascii_alphanumeric()));
    let mut words: Vec<String> = words.filter(|word| word.len() > 2).map(str::to_ascii_lowercase).collect();
    words.retain(|word| !COMMON_PARTS.contains(&word.as_str()));
    words.sort_unstable();
    words.dedup();
    words
}

#[cfg(test)]
mod tests;
