//! The form of `lsof -i`.

use std::net::IpAddr;

use super::grammar::parse_port_or_name;
use super::hosts::parse_address;
use super::hosts::{Host, Hosts, UnknownHosts};
use super::ports::parse_ports;
use crate::model::target::{Address, PORTS, Target, TargetError};
use crate::model::{Family, Protocol};
use crate::port_info::{ServicePorts, Services};

impl Target {
    /// Parses what `lsof -i` takes: `[46][tcp|udp][@address][:ports]`, the ports separated by commas.
    pub fn parse_lsof(text: &str) -> Result<Vec<Target>, TargetError> {
        Target::parse_lsof_with(text, &Services::default(), &UnknownHosts)
    }

    /// Parses the form of lsof, with the names of the machine's services file, and the machine's own name.
    pub(crate) fn parse_lsof_with(
        text: &str,
        services: &Services,
        hosts: &dyn Hosts,
    ) -> Result<Vec<Target>, TargetError> {
        let form =
            "lsof's form is [46][tcp|udp][@address][:ports], as in :8080, tcp:80,443 or 4udp@127.0.0.1:53";
        let wrong = |part: &str, problem: &str| TargetError::new(part, problem, form);
        if text.is_empty() {
            return Err(wrong(text, "is empty"));
        }
        let mut rest = text;
        let mut whole = Target::from_parts(None, None, PORTS);
        let mut addresses = vec![None];
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
            addresses = match parse_address(host) {
                Some(address) => vec![Some(address)],
                None => Host::parse(host, after.trim_start_matches(':'), hosts)?.addresses(),
            };
            if let Some(family) = whole.family {
                let is_other = |address: &Address| family != family_of(address.address);
                addresses.retain(|address| !address.as_ref().is_some_and(is_other));
            }
            if addresses.is_empty() {
                return Err(wrong(text, "asks for one address family with an address of the other"));
            }
            rest = after;
        }
        let at_each = |target: &Target| -> Vec<Target> {
            addresses.iter().map(|address| Target { address: address.clone(), ..target.clone() }).collect()
        };
        if rest.is_empty() {
            return Ok(at_each(&whole));
        }
        let Some(ports) = rest.strip_prefix(':') else {
            return Err(wrong(rest, "is not part of lsof's form"));
        };
        let mut targets = Vec::new();
        for part in ports.split(',') {
            let found = parse_port_or_name(part, whole.protocol, services, parse_ports)?;
            let target = |ServicePorts { protocol, ports }| Target {
                protocol,
                ports,
                service: found.service.clone(),
                ..whole.clone()
            };
            targets.extend(found.ports.into_iter().map(target).flat_map(|target| at_each(&target)));
        }
        Ok(targets)
    }
}

fn family_of(address: IpAddr) -> Family {
    if address.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 }
}
