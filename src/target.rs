//! What the user asks about: `80,8000-8010,udp/53,[::1]:3000,http` to targets. Pure text work.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::knowledge::{self, Named};
use crate::text::visible;
use crate::{Endpoint, Family, Protocol, Socket};

/// The ports there are.
const PORTS: RangeInclusive<u16> = 1..=u16::MAX;

/// One thing asked about. Several together are a union.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    protocol: Option<Protocol>,
    family: Option<Family>,
    address: Option<Address>,
    ports: RangeInclusive<u16>,
    unix: Option<Unix>,
}

/// Unix sockets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Unix {
    /// All of them.
    Any,
    /// One path, or `@` and one abstract name.
    Path(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Address {
    address: IpAddr,
    interface: Option<String>,
}

/// A target that cannot be meant: the part that is wrong, why, and the right form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetError {
    part: String,
    problem: String,
    help: String,
}

impl TargetError {
    fn new(part: &str, problem: impl Into<String>, help: impl Into<String>) -> TargetError {
        TargetError { part: part.to_owned(), problem: problem.into(), help: visible(&help.into()) }
    }

    /// The offending part of what was given.
    pub fn part(&self) -> &str {
        &self.part
    }

    /// The right form.
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

impl From<TargetError> for crate::Error {
    fn from(error: TargetError) -> Self {
        crate::Error::new(crate::ErrorKind::Usage, error.to_string())
    }
}

impl Target {
    /// A port of TCP and UDP, of both address families. Port 0 is no port.
    pub fn port(port: u16) -> Result<Target, TargetError> {
        if port == 0 {
            return Err(no_port_zero("0"));
        }
        Ok(Target::of(None, None, port..=port))
    }

    fn of(protocol: Option<Protocol>, address: Option<Address>, ports: RangeInclusive<u16>) -> Target {
        Target { protocol, family: None, address, ports, unix: None }
    }

    pub(crate) fn exactly(protocol: Protocol, address: IpAddr, port: u16) -> Target {
        Target::of(Some(protocol), Some(Address { address, interface: None }), port..=port)
    }

    /// Several targets, separated by commas. A service name means every port that the IANA registry gives it, and so
    /// may be several targets by itself.
    ///
    /// ```
    /// let targets = allears::Target::parse_list("80,8000-8010,udp/53,[::1]:3000,postgresql")?;
    /// assert_eq!(targets.len(), 5);
    /// assert!(allears::Target::parse_list("10-5").is_err());
    /// # Ok::<(), allears::TargetError>(())
    /// ```
    pub fn parse_list(text: &str) -> Result<Vec<Target>, TargetError> {
        let mut targets = Vec::new();
        for part in text.split(',') {
            targets.extend(Target::parse(part)?);
        }
        Ok(targets)
    }

    /// What `lsof -i` takes: `[46][tcp|udp][@address][:ports]`, the ports separated by commas.
    pub fn parse_lsof(text: &str) -> Result<Vec<Target>, TargetError> {
        let form =
            "lsof's form is [46][tcp|udp][@address][:ports], as in :8080, tcp:80,443 or 4udp@127.0.0.1:53";
        let wrong = |part: &str, problem: &str| TargetError::new(part, problem, form);
        if text.is_empty() {
            return Err(wrong(text, "is empty"));
        }
        let mut rest = text;
        let mut whole = Target::of(None, None, PORTS);
        for (digit, family) in [('4', Family::Ipv4), ('6', Family::Ipv6)] {
            if let Some(after) = rest.strip_prefix(digit)
                && !after.starts_with(|next: char| next.is_ascii_digit())
            {
                whole.family = Some(family);
                rest = after;
                break;
            }
        }
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            if let Some((name, after)) = rest.split_at_checked(3)
                && name.eq_ignore_ascii_case(protocol.as_str())
            {
                whole.protocol = Some(protocol);
                rest = after;
                break;
            }
        }
        if let Some(after) = rest.strip_prefix('@') {
            let (host, after) = match after.strip_prefix('[') {
                Some(inner) => {
                    inner.split_once(']').ok_or_else(|| wrong(after, "lacks the closing bracket"))?
                }
                None => after.split_at(after.find(':').unwrap_or(after.len())),
            };
            let address = parse_address(host)
                .ok_or_else(|| wrong(host, "is not an IP address (names are not looked up)"))?;
            if whole.family.is_some_and(|family| family != family_of(address.address)) {
                return Err(wrong(text, "asks for one address family with an address of the other"));
            }
            whole.address = Some(address);
            rest = after;
        }
        if rest.is_empty() {
            return Ok(vec![whole]);
        }
        let Some(ports) = rest.strip_prefix(':') else {
            return Err(wrong(rest, "is not part of lsof's form"));
        };
        let mut targets = Vec::new();
        for part in ports.split(',') {
            let places = places(part, whole.protocol, parse_ports)?;
            let target = |Named { protocol, ports }| Target { protocol, ports, ..whole.clone() };
            targets.extend(places.into_iter().map(target));
        }
        Ok(targets)
    }

    /// The protocol asked for; `None` for both.
    pub fn protocol(&self) -> Option<Protocol> {
        self.protocol
    }

    /// The ports asked for, both ends included.
    pub fn ports(&self) -> RangeInclusive<u16> {
        self.ports.clone()
    }

    /// The address asked for; `None` for all.
    pub fn address(&self) -> Option<IpAddr> {
        self.address.as_ref().map(|at| at.address)
    }

    /// The interface named with a link-local address.
    pub(crate) fn interface(&self) -> Option<&str> {
        self.address.as_ref()?.interface.as_deref()
    }

    /// Whether Unix sockets are asked for.
    pub fn is_unix(&self) -> bool {
        self.unix.is_some()
    }

    /// The single port that is asked about, unless it is several.
    pub fn single_port(&self) -> Option<u16> {
        (self.unix.is_none() && self.ports.start() == self.ports.end()).then(|| *self.ports.start())
    }

    /// Whether it is one port or one path, of which there is rarely more than one listener.
    pub fn names_one(&self) -> bool {
        self.single_port().is_some() || matches!(self.unix, Some(Unix::Path(_)))
    }

    /// How well a socket answers: `None` not at all, else the higher the better. Of the sockets that share a port
    /// and a protocol only the best answer a target with an address: those a peer would reach.
    pub(crate) fn answered_by(&self, socket: &Socket) -> Option<u8> {
        let (local, port, interface) = match (&socket.endpoint, &self.unix) {
            (Endpoint::Ip { address, port, interface }, None) => (address, port, interface),
            (Endpoint::Unix { .. }, Some(Unix::Any)) => return Some(0),
            (Endpoint::Unix { path: Some(path) }, Some(Unix::Path(wanted))) => {
                return is_same_path(path.as_bytes(), wanted.as_bytes()).then_some(0);
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
        // A socket bound to an interface outranks one that is not, whatever the addresses of both.
        let bound = if interface.is_some() { 8 } else { 0 };
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
        Some(bound + rank)
    }
}

/// `/var/run` is the former place of `/run`, and a link to it where both are there.
fn is_same_path(path: &[u8], wanted: &[u8]) -> bool {
    let without_var = |path: &[u8]| {
        path.strip_prefix(b"/var").filter(|rest| rest.starts_with(b"/run/")).map(<[u8]>::to_vec)
    };
    let plain = |path: &[u8]| without_var(path).unwrap_or_else(|| path.to_vec());
    plain(path) == plain(wanted)
}

/// "port 80", "tcp ports 8000-8010", "127.0.0.1:6379": what follows "nothing listens on".
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

impl FromStr for Target {
    type Err = TargetError;

    /// One target. A service name that stands for several ports is an error here: [`Target::parse_list`] takes it.
    fn from_str(text: &str) -> Result<Target, TargetError> {
        let mut targets = Target::parse(text)?;
        match (targets.pop(), targets.pop()) {
            (Some(only), None) => Ok(only),
            (Some(last), Some(other)) => {
                let help = format!("write one of them, as in {} or {}", typed(&other), typed(&last));
                Err(TargetError::new(text, "is the name of several ports", help))
            }
            (None, _) => Err(TargetError::new(text, "is no target", FORMS)),
        }
    }
}

impl Target {
    /// What one part of a list means: one target, or those that a service name stands for. Never none.
    fn parse(text: &str) -> Result<Vec<Target>, TargetError> {
        if text.is_empty() {
            return Err(TargetError::new("", "is no target: it is empty", FORMS));
        }
        let unix = match text {
            "unix" => Some(Unix::Any),
            "/" | "@" => {
                return Err(TargetError::new(
                    text,
                    "is not a path of a Unix socket",
                    "write /run/docker.sock",
                ));
            }
            path if path.starts_with(['/', '@']) => Some(Unix::Path(path.to_owned())),
            _ => None,
        };
        if unix.is_some() {
            return Ok(vec![Target {
                protocol: Some(Protocol::Unix),
                unix,
                ..Target::of(None, None, PORTS)
            }]);
        }
        let (protocol, rest) = split_protocol(text)?;
        let targets = |address: Option<Address>, places: Vec<Named>| {
            let target = |one: Named| Target::of(one.protocol, address.clone(), one.ports);
            places.into_iter().map(target).collect()
        };
        if let Some(inner) = rest.strip_prefix('[') {
            let (address, port) = split_bracketed(rest, inner)?;
            return Ok(targets(Some(address), places(port, protocol, one_port)?));
        }
        let colons = rest.matches(':').count();
        if colons > 1 {
            return Err(wants_brackets(rest));
        }
        match rest.split_once(':') {
            Some((_, "")) => Err(TargetError::new(rest, "lacks a port after the colon", FORMS)),
            Some(("", ports)) => Ok(targets(None, places(ports, protocol, parse_ports)?)),
            Some((host, port)) => {
                let Ok(address) = host.parse::<Ipv4Addr>() else { return Err(not_an_address(host, port)) };
                let address = Address { address: address.into(), interface: None };
                Ok(targets(Some(address), places(port, protocol, one_port)?))
            }
            None if rest.parse::<Ipv4Addr>().is_ok() => {
                Err(TargetError::new(rest, "is an address without a port", format!("write {rest}:8080")))
            }
            None => Ok(targets(None, places(rest, protocol, parse_ports)?)),
        }
    }
}

/// `tcp/8080`.
fn typed(target: &Target) -> String {
    let slash = target.protocol.map_or_else(String::new, |protocol| format!("{}/", protocol.as_str()));
    match target.single_port() {
        Some(port) => format!("{slash}{port}"),
        None => format!("{slash}{}-{}", target.ports.start(), target.ports.end()),
    }
}

/// What stands where a port does: a number, a range where `numbers` takes one, or a service name.
fn places(
    text: &str,
    protocol: Option<Protocol>,
    numbers: impl Fn(&str) -> Result<RangeInclusive<u16>, TargetError>,
) -> Result<Vec<Named>, TargetError> {
    if !knowledge::is_name(text) {
        return Ok(vec![Named { protocol, ports: numbers(text)? }]);
    }
    let found = knowledge::named(text, protocol);
    match found.is_empty() {
        true => Err(unknown_name(text, protocol)),
        false => Ok(found),
    }
}

fn unknown_name(name: &str, protocol: Option<Protocol>) -> TargetError {
    let others = knowledge::named(name, None);
    if let (Some(protocol), false) = (protocol, others.is_empty()) {
        let target = |one: &Named| typed(&Target::of(one.protocol, None, one.ports.clone()));
        let help =
            format!("the name stands for {}", knowledge::or(&others.iter().map(target).collect::<Vec<_>>()));
        return TargetError::new(name, format!("is no service of {}", protocol.as_str()), help);
    }
    let help = match (Protocol::parse(name), knowledge::nearest(name)) {
        (Some(protocol), _) => {
            format!("write {}/8080, or -t or -u for all ports of a protocol", protocol.as_str())
        }
        (None, Some(nearest)) => format!("perhaps {nearest}"),
        (None, None) => FORMS.to_owned(),
    };
    TargetError::new(name, "is neither a port nor a service name of the IANA registry", help)
}

const FORMS: &str = "targets are 8080, 8000-8010, tcp/8080, udp/53, http, 127.0.0.1:6379, [::1]:3000, unix or /run/docker.sock";

/// `tcp/8080` and `8080/tcp` to the protocol and what is left.
fn split_protocol(text: &str) -> Result<(Option<Protocol>, &str), TargetError> {
    let Some((left, right)) = text.split_once('/') else { return Ok((None, text)) };
    let transport = |name: &str| Protocol::parse(name).filter(|protocol| *protocol != Protocol::Unix);
    let (protocol, rest) = match (transport(left), transport(right)) {
        (Some(protocol), _) => (protocol, right),
        (None, Some(protocol)) => (protocol, left),
        (None, None) => {
            let left_is_port = left.starts_with(|first: char| first.is_ascii_digit() || "[:".contains(first))
                || !knowledge::named(left, None).is_empty();
            let wrong = if left_is_port { right } else { left };
            return Err(TargetError::new(wrong, "is not a protocol", "write tcp/8080 or udp/53"));
        }
    };
    if rest.is_empty() {
        return Err(TargetError::new(text, "lacks a port", format!("write {}/8080", protocol.as_str())));
    }
    Ok((Some(protocol), rest))
}

/// `[::1%eth0]:80` to the address and the text of the port.
fn split_bracketed<'a>(whole: &str, inner: &'a str) -> Result<(Address, &'a str), TargetError> {
    let Some((host, after)) = inner.split_once(']') else {
        return Err(TargetError::new(whole, "lacks the closing bracket", "write [::1]:3000"));
    };
    let address = parse_address(host).filter(|at| at.address.is_ipv6());
    let Some(address) = address else {
        return Err(TargetError::new(host, "is not an IPv6 address", "write [::1]:3000"));
    };
    match after.strip_prefix(':') {
        Some(port) => Ok((address, port)),
        None if after.is_empty() => {
            Err(TargetError::new(whole, "is an address without a port", format!("write {whole}:3000")))
        }
        None => Err(TargetError::new(after, "is not a port", format!("write [{host}]:3000"))),
    }
}

fn parse_address(host: &str) -> Option<Address> {
    let (host, interface) = match host.split_once('%') {
        Some((host, interface)) if !interface.is_empty() => (host, Some(interface.to_owned())),
        Some(_) => return None,
        None => (host, None),
    };
    let address: IpAddr = host.parse().ok()?;
    (interface.is_none() || address.is_ipv6()).then_some(Address { address, interface })
}

fn parse_ports(text: &str) -> Result<RangeInclusive<u16>, TargetError> {
    // What is no number is better shown whole.
    let is_range = text.contains('-') && !text.contains(|letter: char| letter.is_alphabetic());
    let Some((first, last)) = text.split_once('-').filter(|_| is_range) else {
        return one_port(text);
    };
    if first.is_empty() || last.is_empty() {
        return Err(TargetError::new(text, "is a range that lacks an end", "write 8000-8010"));
    }
    let (first, last) = (parse_port(first)?, parse_port(last)?);
    if first > last {
        return Err(TargetError::new(text, "runs backwards", format!("write {last}-{first}")));
    }
    Ok(first..=last)
}

fn one_port(text: &str) -> Result<RangeInclusive<u16>, TargetError> {
    parse_port(text).map(|port| port..=port)
}

fn parse_port(text: &str) -> Result<u16, TargetError> {
    if text.is_empty() {
        return Err(TargetError::new(text, "is no port: it is empty", FORMS));
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(TargetError::new(text, "is not a port", FORMS));
    }
    match text.parse() {
        Ok(0) => Err(no_port_zero(text)),
        Ok(port) => Ok(port),
        Err(_) => {
            Err(TargetError::new(text, "is beyond the last port, which is 65535", "ports are 1 to 65535"))
        }
    }
}

fn no_port_zero(text: &str) -> TargetError {
    TargetError::new(text, "is not a port that can be listened on", "ports are 1 to 65535")
}

fn wants_brackets(text: &str) -> TargetError {
    if text.parse::<Ipv6Addr>().is_ok() {
        let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
        let split = host.parse::<Ipv6Addr>().is_ok().then(|| format!(" or [{host}]:{port}"));
        let help = format!("write [{text}]:3000{}", split.unwrap_or_default());
        return TargetError::new(text, "is an IPv6 address without brackets and a port", help);
    }
    TargetError::new(text, "has too many colons; an IPv6 address stands in brackets", "write [::1]:3000")
}

fn not_an_address(host: &str, port: &str) -> TargetError {
    let help = match host {
        "localhost" => format!("write 127.0.0.1:{port}, [::1]:{port} or only {port}"),
        "*" => format!("write only {port}"),
        _ => format!("an address is written 127.0.0.1:{port} or [::1]:{port}"),
    };
    TargetError::new(host, "is not an IP address (names are not looked up)", help)
}

fn family_of(address: IpAddr) -> Family {
    if address.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;
    use proptest::prelude::*;

    fn target(text: &str) -> Target {
        text.parse().unwrap()
    }

    fn listener(endpoint: &str) -> Socket {
        let at: SocketAddr = endpoint.parse().unwrap();
        let endpoint = Endpoint::Ip { address: at.ip(), port: at.port(), interface: None };
        Socket::new(Protocol::Tcp, endpoint, State::Listen)
    }

    #[test]
    fn forms_of_the_contract() {
        for (text, protocol, address, ports) in [
            ("10309", None, None, 10309..=10309),
            (":10309", None, None, 10309..=10309),
            ("8000-8010", None, None, 8000..=8010),
            ("tcp/8080", Some(Protocol::Tcp), None, 8080..=8080),
            ("8080/tcp", Some(Protocol::Tcp), None, 8080..=8080),
            ("UDP/53", Some(Protocol::Udp), None, 53..=53),
            ("127.0.0.1:6379", None, Some("127.0.0.1"), 6379..=6379),
            ("[::1]:3000", None, Some("::1"), 3000..=3000),
            ("tcp/127.0.0.1:6379", Some(Protocol::Tcp), Some("127.0.0.1"), 6379..=6379),
            ("1-65535", None, None, 1..=65535),
        ] {
            let target = target(text);
            assert_eq!(target.protocol(), protocol, "{text}");
            assert_eq!(target.address(), address.map(|address| address.parse().unwrap()), "{text}");
            assert_eq!(target.ports(), ports, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_meant_names_the_part() {
        for (text, part) in [
            ("0", "0"),
            ("65536", "65536"),
            ("99999999999999999999", "99999999999999999999"),
            ("10-5", "10-5"),
            ("5-", "5-"),
            ("-5", "-5"),
            ("", ""),
            ("80,,81", ""),
            ("1.2.3:80", "1.2.3"),
            ("[::1]", "[::1]"),
            ("[::1]80", "80"),
            ("[::1:80", "[::1:80"),
            ("[127.0.0.1]:80", "127.0.0.1"),
            ("::1", "::1"),
            ("127.0.0.1", "127.0.0.1"),
            ("8080/xyz", "xyz"),
            ("xyz/8080", "xyz"),
            ("tcp/", "tcp/"),
            ("tcp/0", "0"),
            (":", ":"),
            ("127.0.0.1:", "127.0.0.1:"),
            ("localhost:80", "localhost"),
            ("+80", "+80"),
            (" 80", " 80"),
            ("８０", "８０"),
            ("nosuchservice", "nosuchservice"),
            ("/", "/"),
            ("unix/80", "unix"),
        ] {
            let error = Target::parse_list(text).unwrap_err();
            assert_eq!(error.part(), part, "{text}: {error}");
            assert!(!error.help().is_empty(), "{text}");
        }
    }

    #[test]
    fn service_names() {
        let list = |text: &str| Target::parse_list(text).unwrap();
        assert_eq!(list("postgresql"), [target("5432")]);
        assert_eq!(list("HTTP,ssh"), [target("80"), target("22")]);
        assert_eq!(list("http/tcp"), [target("tcp/80")]);
        assert_eq!(list("udp/domain"), [target("udp/53")]);
        assert_eq!(list("bngsync"), [target("udp/10439")], "a name of one protocol alone");
        assert_eq!(list("tcp/http-alt"), [target("tcp/591"), target("tcp/8008"), target("tcp/8080")]);
        assert_eq!(list("x11"), [target("6000-6063")]);
        assert_eq!(list(":http"), [target("80")]);
        assert_eq!(list("127.0.0.1:http"), [target("127.0.0.1:80")]);
        assert_eq!(list("[::1]:http"), [target("[::1]:80")]);
        assert_eq!(Target::parse_lsof("tcp:http,22").unwrap(), [target("tcp/80"), target("tcp/22")]);
        assert_eq!(Target::parse_lsof(":ssh").unwrap(), [target("22")]);
        assert!(list("unix")[0].is_unix());
    }

    #[test]
    fn service_names_that_do_not_fit() {
        for (text, part, told) in [
            ("postgres", "postgres", "perhaps postgresql"),
            ("80,no-such-service-name", "no-such-service-name", ""),
            ("bngsync/tcp", "bngsync", "udp/10439"),
            ("http/xyz", "xyz", "tcp/8080"),
            ("xyz/http", "xyz", "tcp/8080"),
            ("tcp", "tcp", "-t"),
            ("127.0.0.1:htpp", "htpp", "http"),
            ("http-80", "http-80", ""),
        ] {
            let error = Target::parse_list(text).unwrap_err();
            assert_eq!(error.part(), part, "{text}: {error}");
            assert!(error.help().contains(told), "{text}: {}", error.help());
        }
        let several = "http-alt".parse::<Target>().unwrap_err();
        assert!(several.help().contains("8008 or 8080"), "{}", several.help());
    }

    #[test]
    fn unix_sockets() {
        let socket = |path: &str| {
            Socket::new(Protocol::Unix, Endpoint::Unix { path: Some(path.into()) }, State::Listen)
        };
        assert!(target("unix").answered_by(&socket("/run/x.sock")).is_some());
        assert!(target("/run/x.sock").answered_by(&socket("/run/x.sock")).is_some());
        assert!(target("/var/run/x.sock").answered_by(&socket("/run/x.sock")).is_some());
        assert!(target("@name").answered_by(&socket("@name")).is_some());
        assert_eq!(target("@nam").answered_by(&socket("@name")), None);
        assert_eq!(target("/run/x").answered_by(&socket("/run/x.sock")), None);
        assert_eq!(target("80").answered_by(&socket("80")), None);
        assert_eq!(target("unix").answered_by(&listener("127.0.0.1:80")), None);
    }

    #[test]
    fn lsof_form() {
        let parse = |text: &str| Target::parse_lsof(text).unwrap();
        assert_eq!(parse(":10309"), [target("10309")]);
        assert_eq!(parse("TCP:80,443"), [target("tcp/80"), target("tcp/443")]);
        assert_eq!(parse("udp@127.0.0.1:53"), [target("udp/127.0.0.1:53")]);
        assert_eq!(parse("@[::1]:80"), [target("[::1]:80")]);
        assert_eq!(parse("4").first().unwrap().family, Some(Family::Ipv4));
        assert_eq!(parse("6tcp:80").first().unwrap().family, Some(Family::Ipv6));
        for wrong in ["", "8080", "46", "icmp:80", "tcp:0", "tcp:", "@nohost:80", "6@127.0.0.1:80", ":80-70"]
        {
            assert!(Target::parse_lsof(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_address_is_answered_by_what_a_peer_reaches() {
        let specific = listener("127.0.0.1:80");
        let wildcard = listener("0.0.0.0:80");
        let mut dual = listener("[::]:80");
        let v4 = target("127.0.0.1:80");
        assert!(v4.answered_by(&specific) > v4.answered_by(&wildcard));
        assert!(v4.answered_by(&wildcard) > v4.answered_by(&dual));
        assert!(v4.answered_by(&dual).is_some(), "whether it takes IPv4 is not known");
        dual.dual_stack = Some(false);
        assert_eq!(v4.answered_by(&dual), None);
        assert_eq!(target("127.0.0.2:80").answered_by(&specific), None);
        assert!(target("[::1]:80").answered_by(&dual).is_some());
        assert_eq!(target("[::1]:80").answered_by(&wildcard), None);
        assert!(v4.answered_by(&listener("[::ffff:127.0.0.1]:80")).is_some());
        assert!(v4.answered_by(&listener("[::ffff:0.0.0.0]:80")).is_some());
        assert_eq!(target("3000").answered_by(&listener("0.0.0.0:30001")), None);
    }

    #[test]
    fn a_socket_bound_to_an_interface_is_not_reached_by_loopback() {
        let mut bound = listener("0.0.0.0:80");
        if let Endpoint::Ip { interface, .. } = &mut bound.endpoint {
            *interface = Some("eth0".into());
        }
        assert_eq!(target("127.0.0.1:80").answered_by(&bound), None);
        assert!(target("192.0.2.1:80").answered_by(&bound).is_some());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fall_over(text in "\\PC*|[\\[\\]:%/,@a0-9\u{0}-\u{1f}\u{7f}-\u{9f}]*") {
            for parsed in [Target::parse_list(&text), Target::parse_lsof(&text)] {
                let shown = match parsed {
                    Ok(targets) => targets.iter().map(Target::to_string).collect(),
                    Err(error) => format!("{error}{}", error.help()),
                };
                prop_assert!(!shown.contains(crate::text::acts_on_terminal), "{shown:?}");
            }
        }

        #[test]
        fn text_of_the_grammar_is_read_back(first in 1u16.., length in 0u16..100, protocol in "(tcp|udp)?") {
            let last = first.saturating_add(length);
            let slash = if protocol.is_empty() { "" } else { "/" };
            let target = target(&format!("{protocol}{slash}{first}-{last}"));
            prop_assert_eq!(target.ports(), first..=last);
            prop_assert_eq!(target.protocol().map_or("", Protocol::as_str), protocol);
        }
    }
}
