//! The form of `lsof -i`.

use std::net::IpAddr;

use super::grammar::{parse_address, parse_ports, places};
use crate::model::target::{PORTS, Target, TargetError};
use crate::model::{Family, Protocol};
use crate::port_info::{Named, Services};

impl Target {
    /// Parses what `lsof -i` takes: `[46][tcp|udp][@address][:ports]`, the ports separated by commas.
    pub fn parse_lsof(text: &str) -> Result<Vec<Target>, TargetError> {
        Target::parse_lsof_with(text, &Services::default())
    }

    /// Parses the form of lsof, with the names of the machine's services file.
    pub(crate) fn parse_lsof_with(text: &str, services: &Services) -> Result<Vec<Target>, TargetError> {
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
            let found = places(part, whole.protocol, services, parse_ports)?;
            let target = |Named { protocol, ports }| Target {
                protocol,
                ports,
                service: found.service.clone(),
                ..whole.clone()
            };
            targets.extend(found.places.into_iter().map(target));
        }
        Ok(targets)
    }
}

fn family_of(address: IpAddr) -> Family {
    if address.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 }
}
