//! What is known of a port number before any machine is looked at: its range, what the IANA registry says of it, and
//! what commonly listens there. Tables alone: the same answer on every system, and no look at any.

mod common_uses;
mod registry;
mod service_names;
mod services_file;
pub(crate) mod socket_paths;
mod tables;
pub(crate) mod windows;

use std::ops::RangeInclusive;

use crate::model::Protocol;

pub(crate) use service_names::{Named, is_name, named, nearest, or};
pub(crate) use services_file::{Services, ServicesFile};
pub(crate) use windows::FILE_SHARING;

/// The protocols that have ports and a registry.
const PROTOCOLS: [Protocol; 4] = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp, Protocol::Dccp];

/// What is known of a port number, whatever machine it is on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct About {
    /// The port.
    pub port: u16,
    /// The range it lies in.
    pub range: PortRange,
    /// What the registry says of it, for TCP, UDP, SCTP and DCCP in this order.
    pub registry: [(Protocol, Registration); 4],
    /// What commonly listens there, whether or not the registry agrees; the best founded first.
    pub uses: Vec<Use>,
    /// Where no protocol has it assigned, and TCP or UDP could have: the nearest ports that are.
    pub neighbours: Option<Neighbours>,
}

/// The ranges of port numbers (RFC 6335, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PortRange {
    /// 0-1023: assigned after review by the IETF. Many systems let only privileged processes bind these.
    System,
    /// 1024-49151: assigned to whom applies for one.
    Registered,
    /// 49152-65535: never assigned.
    Dynamic,
}

/// The registry's answer for one port and protocol: always exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Registration {
    /// These services have it, all of them equally. Never empty.
    Assigned(Vec<Assignment>),
    /// Listed without a name, and not to be had. The registry's own words: `Reserved`, `De-registered`, ...
    Reserved(&'static str),
    /// Nobody has it.
    Unassigned,
    /// It lies in the range that is never assigned.
    Dynamic,
}

/// A service the registry names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Assignment {
    /// Its name: `postgresql`.
    pub name: &'static str,
    /// What the registry says it is. May be empty.
    pub description: &'static str,
    /// The whole range, where it was assigned as one: a weaker hint than a number of its own.
    pub range: Option<RangeInclusive<u16>>,
}

/// Something that commonly listens on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Use {
    /// The protocol.
    pub protocol: Protocol,
    /// The ports, both ends included.
    pub ports: RangeInclusive<u16>,
    /// What it is.
    pub tool: &'static str,
    /// `linux`, `macos` or `windows` where it is one system's alone.
    pub platform: Option<&'static str>,
    /// Of what kind it is: `db`, `web-dev`, `os`, ...
    pub category: &'static str,
    /// A remark.
    pub note: Option<&'static str>,
    /// How well founded this is.
    pub status: UseStatus,
    /// Names of the processes it runs as, with commas between; empty where they are not known.
    pub(crate) programs: &'static str,
}

/// How well founded a common use is, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum UseStatus {
    /// The registry agrees.
    Iana,
    /// The tool's own documentation or the system's says so.
    Primary,
    /// Lists by others say so.
    List,
}

/// The assigned ports on either side.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Neighbours {
    /// The nearest below.
    pub below: Option<Neighbour>,
    /// The nearest above.
    pub above: Option<Neighbour>,
}

/// An assigned port near another one.
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

/// What is known of a port number. Reads no file and looks at no machine.
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
        range: PortRange::of(port),
        uses: common_uses::uses(port),
        neighbours: may_be.then(|| registry::neighbours(port)),
        registry,
    }
}

impl Use {
    /// Whether one of these names is that of a process it runs as.
    pub(crate) fn is_by(&self, names: &[&[u8]]) -> bool {
        names.iter().any(|name| common_uses::is_one_of(self.programs, name))
    }
}

/// Whether one of these names is that of a program whose ports are known.
pub(crate) fn is_known_program(names: &[&[u8]]) -> bool {
    names.iter().any(|name| common_uses::is_known(name))
}

/// The names by which a process may be known as a program: its own, what runs in it, and its file's.
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
    /// What the registry says of it for this protocol. Unix sockets have no ports: unassigned.
    pub fn registration(&self, protocol: Protocol) -> &Registration {
        let found = self.registry.iter().find(|(known, _)| *known == protocol);
        found.map_or(&Registration::Unassigned, |(_, answer)| answer)
    }
}

impl PortRange {
    /// The range a port lies in.
    pub fn of(port: u16) -> PortRange {
        match port {
            0..=1023 => PortRange::System,
            1024..=49151 => PortRange::Registered,
            49152.. => PortRange::Dynamic,
        }
    }

    /// Its ports, both ends included.
    pub fn ports(self) -> RangeInclusive<u16> {
        match self {
            PortRange::System => 0..=1023,
            PortRange::Registered => 1024..=49151,
            PortRange::Dynamic => 49152..=65535,
        }
    }

    /// Its name: `registered`.
    pub fn as_str(self) -> &'static str {
        match self {
            PortRange::System => "system",
            PortRange::Registered => "registered",
            PortRange::Dynamic => "dynamic",
        }
    }
}

impl Registration {
    /// The answer in one word: `assigned`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Registration::Assigned(_) => "assigned",
            Registration::Reserved(_) => "reserved",
            Registration::Unassigned => "unassigned",
            Registration::Dynamic => "dynamic",
        }
    }
}

impl UseStatus {
    /// Its name in the table and in JSON: `iana`.
    pub fn as_str(self) -> &'static str {
        match self {
            UseStatus::Iana => "iana",
            UseStatus::Primary => "primary",
            UseStatus::List => "list",
        }
    }
}

#[cfg(test)]
mod tests;
