//! The grammar of targets. An error names the invalid part and the correct form.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::hosts::{Host, Hosts, UnknownHosts, is_localhost, parse_ipv6};
use super::ports::{FORMS, one_port, parse_ports};
use super::url;
use crate::model::Protocol;
use crate::model::target::{Address, PORTS, ServiceName, Target, TargetError, Unix};
use crate::model::text::enumerate;
use crate::port_info;
use crate::port_info::{ServicePorts, Services, Similar};

impl FromStr for Target {
    type Err = TargetError;

    /// Parses one target.
    ///
    /// # Errors
    /// If the text is not a target, or means several, as `localhost:80` and service names with several ports do:
    /// [`Target::parse_list`] takes those.
    fn from_str(text: &str) -> Result<Target, TargetError> {
        let mut targets = Target::parse(text, &Services::default(), &UnknownHosts)
            .map_err(|error| url::without_secrets(text, error))?;
        match (targets.pop(), targets.pop()) {
            (Some(only), None) => Ok(only),
            (Some(last), Some(other)) => {
                let help = format!("write one of them, as in {} or {}", typed(&other), typed(&last));
                let problem = match last.address.is_some() {
                    true => "means several addresses",
                    false => "is the name of several ports",
                };
                Err(url::without_secrets(text, TargetError::new(text, problem, help)))
            }
            (None, _) => Err(TargetError::new(text, "is no target", FORMS)),
        }
    }
}

impl Target {
    /// Parses several targets, separated by commas. A service name is every port that the IANA registry assigns to it, and
    /// may be several targets. `localhost:3000` and `http://localhost:3000/x` are the port of TCP at 127.0.0.1 and at ::1.
    /// No name is looked up.
    ///
    /// ```
    /// let targets = allears::Target::parse_list("80,8000-8010,udp/53,[::1]:3000,postgresql")?;
    /// assert_eq!(targets.len(), 5);
    /// assert_eq!(allears::Target::parse_list("http://localhost:3000/")?.len(), 2);
    /// assert!(allears::Target::parse_list("10-5").is_err());
    /// # Ok::<(), allears::TargetError>(())
    /// ```
    pub fn parse_list(text: &str) -> Result<Vec<Target>, TargetError> {
        Target::parse_list_with(text, &Services::default(), &UnknownHosts)
    }

    /// Parses several targets, with the names of the machine's services file, and the machine's own name and addresses.
    pub(crate) fn parse_list_with(
        text: &str,
        services: &Services,
        hosts: &dyn Hosts,
    ) -> Result<Vec<Target>, TargetError> {
        let parse = || {
            let mut targets = Vec::new();
            for part in url::split_list(text)? {
                targets.extend(Target::parse(part, services, hosts)?);
            }
            Ok(targets)
        };
        parse().map_err(|error| url::without_secrets(text, error))
    }

    /// Parses one part of a list: one target, or those of a service name or of `localhost`. Never none.
    fn parse(text: &str, services: &Services, hosts: &dyn Hosts) -> Result<Vec<Target>, TargetError> {
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
            "./" | "../" => {
                return Err(TargetError::new(text, "is not a path of a Unix socket", "write ./app.sock"));
            }
            path if path.starts_with(['/', '@']) || path.starts_with("./") || path.starts_with("../") => {
                Some(Unix::Path(path.to_owned()))
            }
            _ => None,
        };
        if unix.is_some() {
            return Ok(vec![Target {
                protocol: Some(Protocol::Unix),
                unix,
                ..Target::from_parts(None, None, PORTS)
            }]);
        }
        if let Some(targets) = url::parse(text, hosts) {
            return targets;
        }
        let (protocol, rest) = split_protocol(without_slash(text), services)?;
        let targets = |address: Option<Address>, found: ParsedPorts| {
            let target = |one: ServicePorts| Target {
                service: found.service.clone(),
                ..Target::from_parts(one.protocol, address.clone(), one.ports)
            };
            found.ports.into_iter().map(target).collect()
        };
        if let Some(inner) = rest.strip_prefix('[') {
            let (address, port) = split_bracketed(rest, inner)?;
            return Ok(targets(Some(address), parse_port_or_name(port, protocol, services, one_port)?));
        }
        let colons = rest.matches(':').count();
        if colons > 1 {
            return Err(wants_brackets(rest));
        }
        match rest.split_once(':') {
            Some((_, "")) => Err(TargetError::new(rest, "lacks a port after the colon", FORMS)),
            Some(("", ports)) => {
                Ok(targets(None, parse_port_or_name(ports, protocol, services, parse_ports)?))
            }
            Some((host, port)) => {
                let host = Host::parse(host, port, hosts)?;
                let protocol = protocol.or(host.is_name().then_some(Protocol::Tcp));
                let ports = if matches!(host, Host::Any { .. }) { parse_ports } else { one_port };
                let mut found = Vec::new();
                for address in host.addresses() {
                    found.extend(targets(address, parse_port_or_name(port, protocol, services, ports)?));
                }
                Ok(found)
            }
            None if is_localhost(rest) => {
                Err(TargetError::new(rest, "is a host without a port", format!("write {rest}:8080")))
            }
            None if rest.parse::<Ipv4Addr>().is_ok() => {
                Err(TargetError::new(rest, "is an address without a port", format!("write {rest}:8080")))
            }
            None => Ok(targets(None, parse_port_or_name(rest, protocol, services, parse_ports)?)),
        }
    }
}

/// Returns a target as it is typed: `tcp/8080`.
fn typed(target: &Target) -> String {
    let slash = target.protocol.map_or_else(String::new, |protocol| format!("{}/", protocol.as_str()));
    match target.single_port() {
        Some(port) if let Some(address) = target.address() => {
            format!("{slash}{}", SocketAddr::new(address, port))
        }
        Some(port) => format!("{slash}{port}"),
        None => format!("{slash}{}-{}", target.ports.start(), target.ports.end()),
    }
}

/// The ports that a text in the place of a port means.
pub(super) struct ParsedPorts {
    pub(super) ports: Vec<ServicePorts>,
    /// The name, if it comes from the machine's services file.
    pub(super) service: Option<ServiceName>,
}

/// Parses the port of a target: a number, a range if `numbers` takes one, or a service name.
pub(super) fn parse_port_or_name(
    text: &str,
    protocol: Option<Protocol>,
    services: &Services,
    numbers: impl Fn(&str) -> Result<RangeInclusive<u16>, TargetError>,
) -> Result<ParsedPorts, TargetError> {
    // Some names of services files have other characters: z39.50.
    let may_be_name =
        || text.contains(|letter: char| letter.is_ascii_alphabetic()) && services.has_name(text);
    if !port_info::is_name(text) && !may_be_name() {
        let ports = vec![ServicePorts { protocol, ports: numbers(text)? }];
        return Ok(ParsedPorts { ports, service: None });
    }
    let found = services.resolve(text, protocol);
    if found.ports.is_empty() {
        return Err(unknown_name(text, protocol, services));
    }
    let service = found.file.map(|file| ServiceName { name: text.to_owned(), file });
    Ok(ParsedPorts { ports: found.ports, service })
}

fn unknown_name(name: &str, protocol: Option<Protocol>, services: &Services) -> TargetError {
    let others = services.resolve(name, None).ports;
    if let (Some(protocol), false) = (protocol, others.is_empty()) {
        let target = |one: &ServicePorts| typed(&Target::from_parts(one.protocol, None, one.ports.clone()));
        let help = format!("the name stands for {}", enumerate(others.iter().map(target), "or"));
        return TargetError::new(name, format!("is no service of {}", protocol.as_str()), help);
    }
    let nearest = || {
        let similar = enumerate(port_info::nearest(name).iter().map(similar), "or");
        Some(similar).filter(|similar| !similar.is_empty()).or_else(|| services.nearest(name))
    };
    let help = match (Protocol::parse(name), nearest()) {
        (Some(protocol @ (Protocol::Tcp | Protocol::Udp)), _) => {
            format!("write {}/8080, or -t or -u for all ports of a protocol", protocol.as_str())
        }
        (Some(protocol), _) => format!("write {}/8080", protocol.as_str()),
        (None, Some(nearest)) => format!("perhaps {nearest}"),
        (None, None) => FORMS.to_owned(),
    };
    let problem = services
        .unread()
        .map_or_else(String::new, |(path, error)| format!("; {path} cannot be read: {error}"));
    let unknown = format!(
        "is neither a port nor a service name, of the IANA registry or of this machine's services file{problem}"
    );
    TargetError::new(name, unknown, help)
}

/// Returns a similar name: `postgresql`, `tcp/9092 (commonly Apache Kafka)`.
fn similar(similar: &Similar) -> String {
    match similar {
        Similar::Name(name) => (*name).to_owned(),
        Similar::Tool(one) => format!("{}/{} (commonly {})", one.protocol, one.ports.start(), one.tool),
    }
}

/// Returns a target without the slash that ends a pasted URL: `127.0.0.1:3000/`.
fn without_slash(text: &str) -> &str {
    text.strip_suffix('/').filter(|rest| rest.ends_with(|last: char| last.is_ascii_digit())).unwrap_or(text)
}

/// Splits `tcp/8080` and `8080/tcp` into the protocol and the rest.
fn split_protocol<'a>(
    text: &'a str,
    services: &Services,
) -> Result<(Option<Protocol>, &'a str), TargetError> {
    let Some((left, right)) = text.split_once('/') else { return Ok((None, text)) };
    let transport = |name: &str| Protocol::parse(name).filter(|protocol| *protocol != Protocol::Unix);
    let (protocol, rest) = match (transport(left), transport(right)) {
        (Some(protocol), _) => (protocol, right),
        (None, Some(protocol)) => (protocol, left),
        (None, None) => {
            let left_is_port = left.starts_with(|first: char| first.is_ascii_digit() || "[:".contains(first))
                || left.contains(':')
                || !services.resolve(left, None).ports.is_empty();
            let wrong = if left_is_port { right } else { left };
            let help = match left_is_port && left.contains(':') {
                true => format!("write {left}, or http://{left}/ with any path"),
                false => "write tcp/8080 or udp/53".to_owned(),
            };
            return Err(TargetError::new(wrong, "is not a protocol", help));
        }
    };
    if rest.is_empty() {
        return Err(TargetError::new(text, "lacks a port", format!("write {}/8080", protocol.as_str())));
    }
    Ok((Some(protocol), rest))
}

/// Splits `[::1%eth0]:80` into the address and the text of the port.
fn split_bracketed<'a>(whole: &str, inner: &'a str) -> Result<(Address, &'a str), TargetError> {
    let Some((host, after)) = inner.split_once(']') else {
        return Err(TargetError::new(whole, "lacks the closing bracket", "write [::1]:3000"));
    };
    let Some(address) = parse_ipv6(host) else {
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

fn wants_brackets(text: &str) -> TargetError {
    if text.parse::<Ipv6Addr>().is_ok() {
        let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
        let split = host.parse::<Ipv6Addr>().is_ok().then(|| format!(" or [{host}]:{port}"));
        let help = format!("write [{text}]:3000{}", split.unwrap_or_default());
        return TargetError::new(text, "is an IPv6 address without brackets and a port", help);
    }
    TargetError::new(text, "has too many colons; an IPv6 address stands in brackets", "write [::1]:3000")
}
