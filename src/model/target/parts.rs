//! The parts of a target, for formats that write them separately.

use std::net::IpAddr;

use super::{Address, PORTS, ServiceName, Target, Unix};
use crate::model::{Family, Protocol};

/// The parts of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) protocol: Option<Protocol>,
    pub(crate) family: Option<Family>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) interface: Option<String>,
    /// The first and the last port; `None` for Unix sockets.
    pub(crate) ports: Option<(u16, u16)>,
    /// Of Unix sockets; `None` for all of them.
    pub(crate) path: Option<String>,
    /// The name by which it was requested, if the machine's services file has it.
    pub(crate) service: Option<ServiceName>,
}

impl Target {
    /// Returns its parts.
    pub(crate) fn parts(&self) -> Parts {
        let path = match &self.unix {
            Some(Unix::Path(path)) => Some(path.clone()),
            Some(Unix::Any) | None => None,
        };
        Parts {
            protocol: self.protocol,
            family: self.family,
            address: self.address(),
            interface: self.interface().map(str::to_owned),
            ports: self.unix.is_none().then(|| (*self.ports.start(), *self.ports.end())),
            path,
            service: self.service.clone(),
        }
    }

    /// Returns the target that has these parts. `None` if they do not belong together.
    pub(crate) fn try_from_parts(parts: Parts) -> Option<Target> {
        let Parts { protocol, family, address, interface, ports, path, service } = parts;
        let is_unix = protocol == Some(Protocol::Unix);
        match ports {
            None if is_unix && family.is_none() && address.is_none() && interface.is_none() => {
                let unix = Some(path.map_or(Unix::Any, Unix::Path));
                Some(Target { protocol, unix, ..Target::from_parts(None, None, PORTS) })
            }
            Some((first, last)) if !is_unix && path.is_none() && 0 < first && first <= last => {
                if family == Some(Family::Unix) || (interface.is_some() && address.is_none()) {
                    return None;
                }
                let address = address.map(|address| Address { address, interface });
                Some(Target { family, service, ..Target::from_parts(protocol, address, first..=last) })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_apart_is_put_together_again() {
        let typed =
            ["80", "8000-8010", "udp/53", "127.0.0.1:6379", "[fe80::1%eth0]:80", "unix", "/run/x", "@x"];
        let typed = typed.map(|text| Target::parse_list(text).unwrap().remove(0));
        let lsof = ["4tcp:22", "6", "@127.0.0.1:80"].map(|text| Target::parse_lsof(text).unwrap().remove(0));
        for target in typed.iter().chain(&lsof) {
            assert_eq!(Target::try_from_parts(target.parts()).as_ref(), Some(target));
        }
    }

    #[test]
    fn parts_that_do_not_belong_together_are_no_target() {
        let port = "tcp/80".parse::<Target>().unwrap().parts();
        let unix = "/run/x".parse::<Target>().unwrap().parts();
        for wrong in [
            Parts { ports: Some((0, 5)), ..port.clone() },
            Parts { ports: Some((9, 5)), ..port.clone() },
            Parts { ports: None, ..port.clone() },
            Parts { path: Some("/run/x".to_owned()), ..port.clone() },
            Parts { interface: Some("eth0".to_owned()), ..port.clone() },
            Parts { family: Some(Family::Unix), ..port },
            Parts { ports: Some((1, 2)), ..unix.clone() },
            Parts { address: Some([127, 0, 0, 1].into()), ..unix },
        ] {
            assert_eq!(Target::try_from_parts(wrong.clone()), None, "{wrong:?}");
        }
    }
}
