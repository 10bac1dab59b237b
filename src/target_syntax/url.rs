//! URLs as targets: `http://localhost:3000/x`. Only the host and the port count. A user name and a password are ignored,
//! and never part of an error.

use super::hosts::{Host, Hosts, not_own_address, parse_ipv6};
use super::ports::parse_port;
use crate::model::Protocol;
use crate::model::target::{PORTS, Target, TargetError, Unix};
use crate::port_info;

const SEPARATOR: &str = "://";
const FORM: &str = "write http://localhost:3000";

/// Splits a list of targets at its commas. A comma in the user name or password of a URL separates nothing.
///
/// # Errors
/// If a comma follows the path of a URL: it may belong to the path.
pub(super) fn split_list(text: &str) -> Result<Vec<&str>, TargetError> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let search_from = match scheme_end(rest) {
            Some(end) => end + userinfo_length(after(rest, end)),
            None => 0,
        };
        let Some(comma) = after(rest, search_from).find(',').map(|at| at + search_from) else {
            parts.push(rest);
            return Ok(parts);
        };
        let (part, next) = (rest.get(..comma).unwrap_or_default(), after(rest, comma + 1));
        let has_path = search_from > 0
            && after(part, search_from)
                .split_once(['/', '?', '#', '\\'])
                .is_some_and(|(_, path)| !path.is_empty());
        if has_path && scheme_end(next).is_none() {
            let problem = "after the path of a URL may belong to the path";
            return Err(TargetError::new(",", problem, "leave out the path: http://localhost:3000,8080"));
        }
        parts.push(part);
        rest = next;
    }
}

fn after(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or_default()
}

/// Returns where the scheme of a URL and its separator end, if the first part of a list is a URL.
fn scheme_end(list: &str) -> Option<usize> {
    // The name of a Unix socket is no URL, whatever it contains.
    let at = list.find(SEPARATOR).filter(|_| !list.starts_with(['/', '@', '.']))?;
    (!list.get(..at)?.contains(',')).then_some(at + SEPARATOR.len())
}

/// Returns the length of the user name and password in front of the host, with the `@`.
fn userinfo_length(after_scheme: &str) -> usize {
    let authority = after_scheme.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    authority.rfind('@').map_or(0, |at| at + 1)
}

/// Removes what may be a secret from an error about a list that contains a URL. Only what follows the last `@` is certain
/// to be none.
pub(super) fn without_secrets(text: &str, error: TargetError) -> TargetError {
    let is_safe = |(secret, public): (&str, &str)| {
        !secret.contains(SEPARATOR)
            || error.part() == ","
            || (!error.part().is_empty() && public.contains(error.part()))
    };
    match text.rsplit_once('@').is_none_or(is_safe) {
        true => error,
        false => TargetError::new(
            SEPARATOR,
            "is followed by what is no URL of this machine (it may contain a password, and is not shown)",
            FORM,
        ),
    }
}

/// Parses a URL. `None` if the text is none.
pub(super) fn parse(text: &str, hosts: &dyn Hosts) -> Option<Result<Vec<Target>, TargetError>> {
    let (scheme, rest) = text.split_once(SEPARATOR)?;
    Some(parse_parts(&scheme.to_ascii_lowercase(), rest, hosts))
}

fn parse_parts(scheme: &str, rest: &str, hosts: &dyn Hosts) -> Result<Vec<Target>, TargetError> {
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter));
    if !is_scheme {
        return Err(TargetError::new(scheme, "is not the scheme of a URL", FORM));
    }
    if scheme == "unix" {
        return match rest.starts_with('/') && rest.len() > 1 {
            true => Ok(vec![Target {
                protocol: Some(Protocol::Unix),
                unix: Some(Unix::Path(rest.to_owned())),
                ..Target::from_parts(None, None, PORTS)
            }]),
            false => {
                Err(TargetError::new(rest, "is not a path of a Unix socket", "write unix:///run/docker.sock"))
            }
        };
    }
    let protocol = if scheme == "udp" { Protocol::Udp } else { Protocol::Tcp };
    let authority =
        after(rest, userinfo_length(rest)).split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let (host, port) = split_authority(authority)?;
    let port = match port {
        "" => default_port(scheme, authority)?,
        port => parse_port(port)?,
    };
    let host = match host.strip_prefix('[') {
        Some(inner) => {
            // RFC 6874 writes the percent sign of an interface as %25.
            let address = parse_ipv6(&inner.replacen("%25", "%", 1));
            Host::Address(address.ok_or_else(|| {
                TargetError::new(inner, "is not an IPv6 address", "write http://[::1]:3000")
            })?)
        }
        // Servers print these for every address: http://:8080, http://+:80.
        None if matches!(host, "" | "+" | "*") => Host::Any { named: false },
        None => Host::parse(host, &port.to_string(), hosts)?,
    };
    if let Host::Address(address) = &host
        && !hosts.has_address(address.address)
    {
        return Err(not_own_address(address, port));
    }
    Ok(host
        .addresses()
        .into_iter()
        .map(|address| Target::from_parts(Some(protocol), address, port..=port))
        .collect())
}

/// Splits `localhost:3000` into host and port; the port is empty if there is none. An IPv6 address keeps its opening
/// bracket alone.
fn split_authority(authority: &str) -> Result<(&str, &str), TargetError> {
    let end = authority.find(']').filter(|_| authority.starts_with('['));
    match end {
        Some(end) => {
            let (host, rest) = (authority.get(..end).unwrap_or_default(), after(authority, end + 1));
            match rest.strip_prefix(':') {
                Some(port) => Ok((host, port)),
                None if rest.is_empty() => Ok((host, "")),
                None => Err(TargetError::new(rest, "is not a port", "write http://[::1]:3000")),
            }
        }
        None if authority.starts_with('[') => {
            Err(TargetError::new(authority, "lacks the closing bracket", "write http://[::1]:3000"))
        }
        None if authority.matches(':').count() > 1 => Err(TargetError::new(
            authority,
            "has too many colons; an IPv6 address stands in brackets",
            "write http://[::1]:3000",
        )),
        None => Ok(authority.split_once(':').unwrap_or((authority, ""))),
    }
}

/// Returns the port of a URL that names none.
fn default_port(scheme: &str, authority: &str) -> Result<u16, TargetError> {
    if authority.is_empty() {
        let help = format!("write {scheme}{SEPARATOR}localhost:3000");
        return Err(TargetError::new(scheme, "begins a URL without a host", help));
    }
    let service = match scheme {
        "http" | "ws" => return Ok(80),
        "https" | "wss" => return Ok(443),
        "postgres" => "postgresql",
        "sftp" => "ssh",
        other => other,
    };
    match port_info::named(service, Some(Protocol::Tcp)).as_slice() {
        [only] if only.ports.start() == only.ports.end() => Ok(*only.ports.start()),
        _ => {
            let help = format!("write {scheme}{SEPARATOR}localhost:3000");
            Err(TargetError::new(authority, "lacks a port, and its scheme has no default", help))
        }
    }
}
