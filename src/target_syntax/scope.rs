//! The interface of link-local addresses, which are ambiguous without one (RFC 4007). Pure: the caller passes the interfaces
//! of the machine.

use std::net::{IpAddr, Ipv6Addr};

use crate::model::Protocol;
use crate::model::target::{Address, Target, TargetError};

/// The interfaces of a machine.
pub(crate) trait Interfaces {
    /// Returns the name of the interface with this name or number, or `None` if there is none.
    fn find(&self, name_or_number: &str) -> Option<String>;
    /// Returns the interfaces that have this address.
    fn with_address(&self, address: Ipv6Addr) -> Vec<String>;
    /// Returns the names of those that have a link-local address.
    fn link_local(&self) -> Vec<String>;
}

/// A target with its interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scoped {
    /// The target, with an interface exactly if its address needs one.
    pub(crate) target: Target,
    /// The interface of an address that needs none. The kernel ignores it.
    pub(crate) ignored: Option<String>,
}

impl Target {
    /// Adds the interface to an address that needs one, if only one interface has the address.
    ///
    /// # Errors
    /// If the interface is missing and more than one may be meant, if there is no such interface, and if TCP is requested for a
    /// multicast address of IPv6.
    pub(crate) fn scoped(
        self,
        protocol: Option<Protocol>,
        here: &dyn Interfaces,
    ) -> Result<Scoped, TargetError> {
        let unchanged = |target| Scoped { target, ignored: None };
        let Some(Address { address: IpAddr::V6(address), interface }) = self.address.clone() else {
            return Ok(unchanged(self));
        };
        let shown = match &interface {
            Some(interface) => format!("{address}%{interface}"),
            None => address.to_string(),
        };
        if address.is_multicast() && protocol == Some(Protocol::Tcp) {
            let help = format!("write udp/[{shown}]:{}", self.ports.start());
            return Err(TargetError::new(&shown, "is a multicast address, which TCP cannot have", help));
        }
        let named = match &interface {
            None => None,
            Some(text) => match here.find(text) {
                Some(name) => Some(name),
                None => {
                    let known = here.link_local();
                    let help = match known.is_empty() {
                        true => "no interface of this machine has a link-local address".to_owned(),
                        false => format!("link-local addresses are on {}", known.join(", ")),
                    };
                    return Err(TargetError::new(text, "is no network interface of this machine", help));
                }
            },
        };
        match (needs_interface(address), named) {
            (false, ignored) => Ok(Scoped { target: self.with_interface(None), ignored }),
            (true, Some(name)) => Ok(unchanged(self.with_interface(Some(name)))),
            (true, None) => {
                let having = match address.is_multicast() {
                    true => here.link_local(),
                    false => here.with_address(address),
                };
                match having.as_slice() {
                    [only] if !address.is_multicast() => {
                        Ok(unchanged(self.with_interface(Some(only.clone()))))
                    }
                    several => Err(self.lacks_interface(address, several, here)),
                }
            }
        }
    }

    fn with_interface(mut self, interface: Option<String>) -> Target {
        if let Some(address) = &mut self.address {
            address.interface = interface;
        }
        self
    }

    fn lacks_interface(&self, address: Ipv6Addr, having: &[String], here: &dyn Interfaces) -> TargetError {
        let known = here.link_local();
        let example = having.first().or(known.first()).map_or("eth0", String::as_str);
        let port = self.ports.start();
        let which = match (having, address.is_multicast()) {
            ([], _) if known.is_empty() => "no interface of this machine has a link-local address".to_owned(),
            ([], _) => format!("no interface has this one; link-local addresses are on {}", known.join(", ")),
            (several, false) => format!("{} have it", several.join(", ")),
            (several, true) => format!("link-local addresses are on {}", several.join(", ")),
        };
        let help = format!("write [{address}%{example}]:{port}; {which}");
        let what = if address.is_multicast() { "multicast " } else { "" };
        TargetError::new(
            &address.to_string(),
            format!("is a link-local {what}address, which needs its interface"),
            help,
        )
    }
}

/// Returns whether an address needs an interface: link-local ones, and multicast of interface or link scope
/// (__ipv6_addr_needs_scope_id() in net/ipv6.h).
fn needs_interface(address: Ipv6Addr) -> bool {
    address.is_unicast_link_local()
        || (address.is_multicast() && matches!(address.segments()[0] & 0xf, 1 | 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `v0` and `v1` have fe80::1, `v2` has fe80::2.
    struct TestInterfaces;

    impl Interfaces for TestInterfaces {
        fn find(&self, wanted: &str) -> Option<String> {
            let known = [("v0", "2"), ("v1", "3"), ("v2", "4"), ("lo", "1")];
            let found = known.iter().find(|(name, number)| wanted == *name || wanted == *number);
            found.map(|(name, _)| (*name).to_owned())
        }

        fn with_address(&self, address: Ipv6Addr) -> Vec<String> {
            let having: &[&str] = match address.segments()[7] {
                1 => &["v0", "v1"],
                2 => &["v2"],
                _ => &[],
            };
            having.iter().map(|name| (*name).to_owned()).collect()
        }

        fn link_local(&self) -> Vec<String> {
            ["v0", "v1", "v2"].map(str::to_owned).to_vec()
        }
    }

    fn scoped(text: &str) -> Result<Scoped, TargetError> {
        let target: Target = text.parse().unwrap();
        let protocol = target.protocol().or(Some(Protocol::Tcp));
        target.scoped(protocol, &TestInterfaces)
    }

    #[test]
    fn an_interface_is_found_or_asked_for() {
        let interface = |text: &str| scoped(text).unwrap().target.interface().map(str::to_owned);
        assert_eq!(interface("[fe80::2]:80").as_deref(), Some("v2"), "the only one that has it");
        assert_eq!(interface("[fe80::1%v1]:80").as_deref(), Some("v1"));
        assert_eq!(interface("[fe80::1%3]:80").as_deref(), Some("v1"), "by number");
        assert_eq!(interface("udp/[ff02::fb%v0]:5353").as_deref(), Some("v0"));
        for (without, ignored) in [("[::1]:80", None), ("[2001:db8::1%v0]:80", Some("v0")), ("80", None)] {
            let found = scoped(without).unwrap();
            assert_eq!(found.target.interface(), None, "{without}");
            assert_eq!(found.ignored.as_deref(), ignored, "{without}");
        }
        assert_eq!(scoped("169.254.1.1:80").unwrap().ignored, None);
        assert_eq!(scoped("udp/[ff05::2]:80").unwrap().target.interface(), None);
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, expected) in [
            ("[fe80::1]:80", "v0, v1 have it"),
            ("[fe80::1]:80", "write [fe80::1%v0]:80"),
            ("[fe80::9]:80", "no interface has this one"),
            ("[fe80::1%nope]:80", "link-local addresses are on v0, v1, v2"),
            ("[fe80::1%77]:80", "link-local addresses are on"),
            ("[::1%nope]:80", "link-local addresses are on"),
            ("udp/[ff02::fb]:5353", "write [ff02::fb%v0]:5353"),
            ("[ff02::fb%v0]:5353", "write udp/[ff02::fb%v0]:5353"),
            ("[ff05::2]:80", "write udp/[ff05::2]:80"),
        ] {
            let error = scoped(text).unwrap_err();
            assert!(error.help().contains(expected), "{text}: {error}; {}", error.help());
        }
    }
}
