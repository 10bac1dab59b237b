//! The targets of a wait: each port of each target, and Unix sockets by name.

#[cfg(feature = "cli")]
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::act::why::bind_target;
use crate::bind_attempt::BindTarget;
use crate::model::{Error, ErrorKind, Protocol, Socket, Target};

/// One port of one protocol, or one Unix socket.
#[derive(Debug, Clone)]
pub(crate) struct WaitTarget {
    pub(crate) target: Target,
    /// The port. `None` for a Unix socket.
    pub(crate) port: Option<BindTarget>,
    /// For `localhost`, which is reached at either loopback address: the same port at the other one.
    pub(crate) other_loopback: Option<Target>,
}

impl WaitTarget {
    /// Returns a target that is one port or one Unix socket. A port is TCP unless the target names another protocol.
    ///
    /// # Errors
    /// If it is more than one.
    pub(crate) fn one(target: &Target) -> Result<WaitTarget, Error> {
        if target.is_unix() {
            return match target.names_one() {
                true => Ok(WaitTarget::new(target.clone().at_current_directory(), None)),
                false => Err(Error::new(ErrorKind::Usage, "any Unix socket is more than one socket")),
            };
        }
        let port = bind_target(target)?;
        let target = target.clone().narrowed_to_protocol(port.protocol).unwrap_or_else(|| target.clone());
        Ok(WaitTarget::new(target, Some(port)))
    }

    fn new(target: Target, port: Option<BindTarget>) -> WaitTarget {
        WaitTarget { target, port, other_loopback: None }
    }

    /// Returns each port and each Unix socket of the targets.
    ///
    /// # Errors
    /// If a target is every Unix socket.
    pub(crate) fn each(targets: &[Target]) -> Result<Vec<WaitTarget>, Error> {
        let mut each = Vec::new();
        for target in targets {
            if target.is_unix() {
                each.push(WaitTarget::one(target)?);
                continue;
            }
            for port in target.ports() {
                each.push(WaitTarget::one(&Target { ports: port..=port, ..target.clone() })?);
            }
        }
        Ok(each)
    }

    /// Makes one target of each port at 127.0.0.1 that is followed by the same port at ::1, as `localhost` is parsed.
    #[cfg(feature = "cli")]
    pub(crate) fn join_localhost(each: Vec<WaitTarget>) -> Vec<WaitTarget> {
        let mut joined: Vec<WaitTarget> = Vec::with_capacity(each.len());
        for one in each {
            let is_at = |target: &WaitTarget, address: IpAddr| target.target.address() == Some(address);
            match joined.last_mut() {
                Some(last)
                    if is_at(last, Ipv4Addr::LOCALHOST.into())
                        && is_at(&one, Ipv6Addr::LOCALHOST.into())
                        && (last.target.ports(), last.target.protocol())
                            == (one.target.ports(), one.target.protocol()) =>
                {
                    last.other_loopback = Some(one.target);
                }
                _ => joined.push(one),
            }
        }
        joined
    }

    /// Sorts targets and drops repeated ones: ports in order of port, protocol and address, then Unix sockets.
    pub(crate) fn sort(targets: &mut Vec<WaitTarget>) {
        let key = |one: &WaitTarget| match &one.port {
            Some(port) => {
                let key = (port.port, port.protocol, port.address, port.interface.clone());
                (false, Some((key, one.other_loopback.is_some())), None)
            }
            None => (true, None, one.target.unix_name().map(str::to_owned)),
        };
        targets.sort_by_cached_key(key);
        targets.dedup_by_key(|one| key(one));
    }

    /// Returns whether a socket is one that is waited for.
    pub(super) fn answered_by(&self, socket: &Socket) -> bool {
        [Some(&self.target), self.other_loopback.as_ref()]
            .into_iter()
            .flatten()
            .any(|target| target.answered_by(socket).is_some())
    }

    /// Returns whether it is a port of TCP.
    pub(crate) fn is_tcp(&self) -> bool {
        self.port.as_ref().is_some_and(|port| port.protocol == Protocol::Tcp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each(text: &str) -> Vec<String> {
        let targets = Target::parse_list(text).unwrap();
        let mut each = WaitTarget::each(&targets).unwrap();
        WaitTarget::sort(&mut each);
        each.iter().map(|one| one.target.to_string()).collect()
    }

    #[test]
    fn ranges_and_lists_become_single_ports_in_order() {
        assert_eq!(
            each("8002-8003,80,@name,udp/80,8003"),
            ["tcp port 80", "udp port 80", "tcp port 8002", "tcp port 8003", "@name"]
        );
        assert_eq!(each("1-65535").len(), 65_535);
        assert_eq!(each("127.0.0.1:80,80,[::1]:80").len(), 3);
    }

    #[test]
    #[cfg(feature = "cli")]
    fn localhost_is_one_target() {
        let joined = |text: &str| {
            let each = WaitTarget::each(&Target::parse_list(text).unwrap()).unwrap();
            WaitTarget::join_localhost(each)
        };
        let both = joined("127.0.0.1:80,[::1]:80,81");
        assert_eq!((both.len(), both[0].other_loopback.is_some()), (2, true));
        for apart in ["127.0.0.1:80,[::1]:81", "[::1]:80,127.0.0.1:80", "udp/127.0.0.1:80,[::1]:80"] {
            assert_eq!(joined(apart).len(), 2, "{apart}");
        }
    }

    #[test]
    fn every_unix_socket_is_not_one() {
        assert!(WaitTarget::each(&Target::parse_list("unix").unwrap()).is_err());
        assert!(WaitTarget::one(&"80-81".parse().unwrap()).is_err());
    }
}
