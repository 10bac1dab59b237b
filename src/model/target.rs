//! What the user asks about: `80,8000-8010,udp/53,[::1]:3000,http` to targets. Pure text work.

mod parts;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

pub(crate) use parts::Parts;

use crate::model::text::visible;
use crate::model::{Endpoint, Family, PathTarget, Protocol, Socket, Text};

/// The ports there are.
pub(crate) const PORTS: RangeInclusive<u16> = 1..=u16::MAX;

/// One thing asked about. Several together are a union.
///
/// ```
/// use allears::Target;
///
/// let target: Target = "udp/53".parse()?;
/// assert_eq!(target.single_port(), Some(53));
/// assert_eq!("127.0.0.1:6379".parse::<Target>()?.to_string(), "127.0.0.1:6379");
/// # Ok::<(), allears::TargetError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Target {
    pub(crate) protocol: Option<Protocol>,
    pub(crate) family: Option<Family>,
    pub(crate) address: Option<Address>,
    pub(crate) ports: RangeInclusive<u16>,
    pub(crate) unix: Option<Unix>,
    /// The name by which it was requested, if the machine's services file has it.
    pub(crate) service: Option<ServiceName>,
}

/// A name by which a port was requested, and the services file that has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct ServiceName {
    pub(crate) name: String,
    pub(crate) file: String,
}

/// Unix sockets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Unix {
    /// All of them.
    Any,
    /// One path, or `@` and one abstract name.
    Path(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Address {
    pub(crate) address: IpAddr,
    pub(crate) interface: Option<String>,
}

/// An invalid target: the invalid part, the reason, and the valid form.
///
/// ```
/// use allears::Target;
///
/// let error = "65536".parse::<Target>().unwrap_err();
/// assert_eq!((error.part(), error.help()), ("65536", "ports are 1 to 65535"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetError {
    pub(crate) part: String,
    pub(crate) problem: String,
    pub(crate) help: String,
}

impl TargetError {
    pub(crate) fn new(part: &str, problem: impl Into<String>, help: impl Into<String>) -> TargetError {
        TargetError { part: part.to_owned(), problem: problem.into(), help: visible(&help.into()) }
    }

    /// Returns the invalid part.
    pub fn part(&self) -> &str {
        &self.part
    }

    /// Returns the valid form.
    pub fn help(&self) -> &str {
        &self.help
    }
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' {}", visible(&self.part), self.problem)
    }
}

impl std::error::Error for TargetError {}

impl From<TargetError> for crate::model::Error {
    fn from(error: TargetError) -> Self {
        crate::model::Error::new(crate::model::ErrorKind::Usage, error.to_string())
    }
}

impl Target {
    /// Returns the target of a port of TCP and UDP, in both address families. Port 0 is invalid.
    pub fn port(port: u16) -> Result<Target, TargetError> {
        if port == 0 {
            return Err(no_port_zero("0"));
        }
        Ok(Target::from_parts(None, None, port..=port))
    }

    pub(crate) fn from_parts(
        protocol: Option<Protocol>,
        address: Option<Address>,
        ports: RangeInclusive<u16>,
    ) -> Target {
        Target { protocol, family: None, address, ports, unix: None, service: None }
    }

    pub(crate) fn exactly(protocol: Protocol, address: IpAddr, port: u16) -> Target {
        Target::from_parts(Some(protocol), Some(Address { address, interface: None }), port..=port)
    }

    /// Returns the protocol. `None` for both TCP and UDP.
    pub fn protocol(&self) -> Option<Protocol> {
        self.protocol
    }

    /// Returns the name by which it was requested, if the machine's services file has it.
    #[cfg(feature = "cli")]
    pub(crate) fn service(&self) -> Option<&ServiceName> {
        self.service.as_ref()
    }

    /// Returns the ports.
    pub fn ports(&self) -> RangeInclusive<u16> {
        self.ports.clone()
    }

    /// Returns the address. `None` for all addresses.
    pub fn address(&self) -> Option<IpAddr> {
        self.address.as_ref().map(|at| at.address)
    }

    /// Returns the interface of a link-local address.
    pub(crate) fn interface(&self) -> Option<&str> {
        self.address.as_ref()?.interface.as_deref()
    }

    /// Returns the target narrowed to a protocol. `None` if it has another one.
    pub(crate) fn narrowed_to_protocol(mut self, protocol: Protocol) -> Option<Target> {
        if self.protocol.is_some_and(|own| own != protocol) {
            return None;
        }
        self.protocol = Some(protocol);
        Some(self)
    }

    /// Returns the target narrowed to one of its ports.
    #[cfg(feature = "cli")]
    pub(crate) fn at_port(mut self, port: u16) -> Target {
        self.ports = port..=port;
        self
    }

    /// Returns whether it is one of Unix sockets.
    pub fn is_unix(&self) -> bool {
        self.unix.is_some()
    }

    /// Returns the path or the abstract name of a Unix socket.
    pub(crate) fn unix_name(&self) -> Option<&str> {
        match &self.unix {
            Some(Unix::Path(name)) => Some(name),
            Some(Unix::Any) | None => None,
        }
    }

    /// Returns the path of a Unix socket. `None` for an abstract name.
    pub(crate) fn path(&self) -> Option<&str> {
        self.unix_name().filter(|name| !name.starts_with('@'))
    }

    /// Returns the port, if it is a single one.
    pub fn single_port(&self) -> Option<u16> {
        (self.unix.is_none() && self.ports.start() == self.ports.end()).then(|| *self.ports.start())
    }

    /// Returns whether it is one port or one path, which rarely has more than one listener.
    pub fn names_one(&self) -> bool {
        self.single_port().is_some() || matches!(self.unix, Some(Unix::Path(_)))
    }

    /// Returns how well a socket's address answers: `None` not at all, 1 and 2 for wildcards, 3 and 4 for the very
    /// address, more for the family of the requested address. Which of several that are as good is reached is
    /// decided by [`crate::port_sharing`]. 0 if no address is requested.
    pub(crate) fn answered_by(&self, socket: &Socket) -> Option<u8> {
        let (local, port, interface) = match (&socket.endpoint, &self.unix) {
            (Endpoint::Ip { address, port, interface }, None) => (address, port, interface),
            (Endpoint::Unix { .. }, Some(Unix::Any)) => return Some(0),
            (Endpoint::Unix { path }, Some(Unix::Path(wanted))) => {
                let is_wanted = |path: &Text| is_same_path(path.as_bytes(), wanted.as_bytes());
                // A later server may have the path of an earlier one.
                let is_bound_by = path.as_ref().is_some_and(is_wanted)
                    && socket.path_leads_to != Some(PathTarget::OtherFile);
                return (is_bound_by || socket.other_paths.iter().any(is_wanted)).then_some(0);
            }
            _ => return None,
        };
        if !self.ports.contains(port) || self.protocol.is_some_and(|protocol| protocol != socket.protocol) {
            return None;
        }
        match self.family {
            Some(Family::Ipv4) if socket.takes_ipv4() == Some(false) => return None,
            Some(Family::Ipv6) if socket.family() != Family::Ipv6 => return None,
            _ => {}
        }
        let Some(asked) = &self.address else { return Some(0) };
        let named = asked.interface.as_deref().map(str::as_bytes);
        if let (Some(named), Some(interface)) = (named, interface)
            && named != interface.as_bytes()
        {
            return None;
        }
        if interface.as_ref().is_some_and(|interface| interface.as_bytes() != b"lo")
            && asked.address.to_canonical().is_loopback()
        {
            return None;
        }
        let rank =
            match asked.address.to_canonical() {
                wanted
                    if wanted == local.to_canonical()
                        && wanted.is_ipv4() == local.to_canonical().is_ipv4() =>
                {
                    if asked.address.is_ipv4() == local.is_ipv4() { 4 } else { 3 }
                }
                IpAddr::V4(_) => match local {
                    IpAddr::V4(Ipv4Addr::UNSPECIFIED) => 2,
                    IpAddr::V6(any)
                        if any.to_canonical() == IpAddr::V4(Ipv4Addr::UNSPECIFIED)
                            || (any.is_unspecified() && socket.dual_stack != Some(false)) =>
                    {
                        1
                    }
                    _ => return None,
                },
                IpAddr::V6(_) if *local == IpAddr::V6(Ipv6Addr::UNSPECIFIED) => 2,
                IpAddr::V6(_) => return None,
            };
        Some(rank)
    }
}

/// Returns whether two paths are equal. `/var/run` is a link to `/run` on systems that have both.
pub(crate) fn is_same_path(path: &[u8], wanted: &[u8]) -> bool {
    let without_var = |path: &[u8]| {
        path.strip_prefix(b"/var").filter(|rest| rest.starts_with(b"/run/")).map(<[u8]>::to_vec)
    };
    let plain = |path: &[u8]| without_var(path).unwrap_or_else(|| path.to_vec());
    plain(path) == plain(wanted)
}

/// "port 80", "tcp ports 8000-8010", "127.0.0.1:6379": what follows "nothing listens on".
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_address(f)?;
        match &self.service {
            Some(ServiceName { name, file }) => write!(f, " ({} by {})", visible(name), visible(file)),
            None => Ok(()),
        }
    }
}

impl Target {
    pub(crate) fn write_address(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.unix {
            Some(Unix::Any) => return f.write_str("any Unix socket"),
            Some(Unix::Path(path)) => return f.write_str(&visible(path)),
            None => {}
        }
        if let Some(protocol) = self.protocol {
            write!(f, "{} ", protocol.as_str())?;
        }
        let ports = match (self.single_port(), &self.ports) {
            (Some(port), _) => port.to_string(),
            (None, ports) => format!("{}-{}", ports.start(), ports.end()),
        };
        let over = match (self.family, &self.address) {
            (Some(Family::Ipv4), None) => " over IPv4",
            (Some(Family::Ipv6), None) => " over IPv6",
            _ => "",
        };
        match &self.address {
            None if self.ports == PORTS => write!(f, "any port{over}"),
            None if self.single_port().is_some() => write!(f, "port {ports}{over}"),
            None => write!(f, "ports {ports}{over}"),
            Some(Address { address, .. }) if self.ports == PORTS => write!(f, "any port of {address}"),
            Some(Address { address, interface: None }) => match self.single_port() {
                Some(port) => write!(f, "{}", SocketAddr::new(*address, port)),
                None => write!(f, "ports {ports} of {address}"),
            },
            Some(Address { address, interface: Some(interface) }) => {
                write!(f, "[{address}%{}]:{ports}", visible(interface))
            }
        }
    }
}

pub(crate) fn no_port_zero(text: &str) -> TargetError {
    TargetError::new(text, "is not a port that can be listened on", "ports are 1 to 65535")
}
