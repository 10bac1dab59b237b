//! Finds the container of a socket among those that the runtimes reported. Pure. If several match, none is chosen.

use std::net::{IpAddr, SocketAddr};

use crate::management::proxy::{ContainerRef, Proxy, ProxyArguments};
use crate::model::{Container, Protocol, Text};
use crate::os::parse::container_list::{Published, Running};

/// Whose containers a runtime runs. The answers of a user's runtime are not trusted for sockets of other users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RuntimeScope {
    /// The system, whose runtimes root starts.
    System,
    /// Unknown: the caller named the runtime's socket.
    Given,
    /// This user.
    User(u32),
}

/// The containers that one runtime reported.
#[derive(Debug)]
pub(crate) struct RuntimeContainers {
    pub(crate) scope: RuntimeScope,
    /// Whether it publishes ports in our own network namespace. `None` if that is unknown.
    pub(crate) here: Option<bool>,
    pub(crate) running: Vec<Running>,
}

/// The protocol, address and network namespace of a socket whose container is searched for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SocketKey {
    pub(crate) protocol: Protocol,
    pub(crate) address: SocketAddr,
    /// Whether it is in our own network namespace.
    pub(crate) here: bool,
}

/// Returns the container with this id.
pub(crate) fn by_id<'a>(
    containers: impl Iterator<Item = &'a RuntimeContainers>,
    id: &Text,
) -> Option<&'a Running> {
    containers.flat_map(|containers| &containers.running).find(|running| running.container.id == *id)
}

/// Returns the container that a proxy holds a socket for, with its inner port.
pub(crate) fn behind<'a>(
    containers: impl Iterator<Item = &'a RuntimeContainers>,
    proxy: &Proxy,
    key: SocketKey,
) -> Option<Container> {
    let containers =
        containers.filter(|containers| proxy.rootless || !(key.here && containers.here == Some(false)));
    let running = containers.flat_map(|containers| &containers.running);
    match &proxy.container {
        ContainerRef::Address(proxied) => {
            only(running.filter_map(|running| proxied_to(running, proxied, key)))
        }
        ContainerRef::Id(id, _) => {
            let running = running.into_iter().find(|running| running.container.id == *id)?;
            Some(with_port(running, published_at(running, key)))
        }
        ContainerRef::Unknown => {
            only(running.filter_map(|running| Some(with_port(running, Some(published_at(running, key)?)))))
        }
    }
}

/// Returns a container if it has the proxy's destination address and publishes the socket's port.
fn proxied_to(running: &Running, proxied: &ProxyArguments, key: SocketKey) -> Option<Container> {
    let inside = proxied.inside;
    if !running.addresses.contains(&inside.ip()) {
        return None;
    }
    let published = running.published.iter().find(|published| {
        published.protocol == key.protocol
            && published.port == key.address.port()
            && published.inside == inside.port()
    })?;
    Some(with_port(running, Some(published.inside)))
}

/// Returns the inner port that a container publishes at a socket's address, if there is exactly one.
fn published_at(running: &Running, key: SocketKey) -> Option<u16> {
    let mut inside = running.published.iter().filter(|published| is_at(published, key)).map(|it| it.inside);
    let first = inside.next()?;
    inside.all(|other| other == first).then_some(first)
}

/// Returns whether a port is published at exactly this address. The wildcards of both families count as equal, because
/// some runtimes bind one socket for both.
fn is_at(published: &Published, key: SocketKey) -> bool {
    let every = |address: IpAddr| address.is_unspecified();
    let address = key.address.ip().to_canonical();
    published.protocol == key.protocol
        && published.port == key.address.port()
        && match published.address {
            None => every(address),
            Some(own) => own == address || (every(own) && every(address)),
        }
}

fn with_port(running: &Running, port: Option<u16>) -> Container {
    Container { port, ..running.container.clone() }
}

/// Returns the container if all of these are the same one.
fn only(mut found: impl Iterator<Item = Container>) -> Option<Container> {
    let first = found.next()?;
    found.all(|other| other.id == first.id).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::management::proxy;
    use crate::os::parse::container_list;

    const DOCKER: &[u8] = include_bytes!("../../../tests/runtimes/docker.http");
    const PODMAN: &[u8] = include_bytes!("../../../tests/runtimes/podman.http");

    fn docker(here: Option<bool>) -> RuntimeContainers {
        RuntimeContainers {
            scope: RuntimeScope::System,
            here,
            running: container_list::parse(DOCKER).unwrap(),
        }
    }

    fn key(address: &str, protocol: Protocol) -> SocketKey {
        SocketKey { protocol, address: address.parse().unwrap(), here: true }
    }

    fn proxy(inside: &str, port: u16) -> Proxy {
        let line = format!("docker-proxy -container-ip {inside} -container-port {port}");
        let command: Vec<Text> = line.split(' ').map(Text::from).collect();
        proxy::proxy_by_name(&"docker-proxy".into(), &command).unwrap()
    }

    /// Returns `web-1:80`, or an empty string.
    fn found(containers: &[RuntimeContainers], proxy: &Proxy, key: SocketKey) -> String {
        behind(containers.iter(), proxy, key).map_or_else(String::new, |container| {
            let port = container.port.map_or_else(String::new, |port| format!(":{port}"));
            format!("{}{port}", container.name.unwrap().to_string_lossy())
        })
    }

    #[test]
    fn a_proxy_is_matched_by_address_and_port() {
        let containers = [docker(Some(true))];
        let tcp = key("0.0.0.0:18080", Protocol::Tcp);
        assert_eq!(found(&containers, &proxy("172.20.0.2", 80), tcp), "web-1:80");
        assert_eq!(found(&containers, &proxy("172.21.0.2", 80), tcp), "web-1:80", "its other network");
        assert_eq!(
            found(&containers, &proxy("172.20.0.2", 80), key("[::]:18080", Protocol::Tcp)),
            "web-1:80"
        );
        for (proxy, at, protocol) in [
            (proxy("172.20.0.3", 80), "0.0.0.0:18080", Protocol::Tcp),
            (proxy("172.20.0.2", 81), "0.0.0.0:18080", Protocol::Tcp),
            (proxy("172.20.0.2", 80), "0.0.0.0:18082", Protocol::Tcp),
            (proxy("172.20.0.2", 80), "0.0.0.0:18080", Protocol::Udp),
        ] {
            assert_eq!(found(&containers, &proxy, key(at, protocol)), "", "{proxy:?} {at}");
        }
    }

    #[test]
    fn ports_published_in_another_namespace_do_not_match() {
        let tcp = key("0.0.0.0:18080", Protocol::Tcp);
        assert_eq!(found(&[docker(Some(false))], &proxy("172.20.0.2", 80), tcp), "");
        assert_eq!(found(&[docker(None)], &proxy("172.20.0.2", 80), tcp), "web-1:80");
        let elsewhere = SocketKey { here: false, ..tcp };
        assert_eq!(found(&[docker(Some(false))], &proxy("172.20.0.2", 80), elsewhere), "web-1:80");
    }

    #[test]
    fn a_port_is_enough_if_one_container_has_it() {
        let proxy = proxy::proxy_by_name(&"rootlesskit".into(), &[]).unwrap();
        let containers = [docker(None)];
        assert_eq!(found(&containers, &proxy, key("0.0.0.0:18080", Protocol::Tcp)), "web-1:80");
        assert_eq!(found(&containers, &proxy, key("[::]:18080", Protocol::Tcp)), "web-1:80");
        assert_eq!(found(&containers, &proxy, key("127.0.0.1:18081", Protocol::Udp)), "web-1:81");
        assert_eq!(found(&containers, &proxy, key("[::ffff:127.0.0.1]:18081", Protocol::Udp)), "web-1:81");
        for (at, protocol) in [
            ("127.0.0.1:18080", Protocol::Tcp),
            ("0.0.0.0:18081", Protocol::Udp),
            ("0.0.0.0:18080", Protocol::Udp),
        ] {
            assert_eq!(found(&containers, &proxy, key(at, protocol)), "", "{at}");
        }
        // Two runtimes publish the port: the container is unknown.
        let mut other = docker(None);
        for running in &mut other.running {
            running.container.id = "4f".into();
        }
        let at = key("0.0.0.0:18080", Protocol::Tcp);
        assert_eq!(found(&[docker(None), docker(None)], &proxy, at), "web-1:80", "the same one twice");
        assert_eq!(found(&[docker(None), other], &proxy, at), "");
    }

    #[test]
    fn a_monitor_names_its_container() {
        let containers = [RuntimeContainers {
            scope: RuntimeScope::System,
            here: None,
            running: container_list::parse(PODMAN).unwrap(),
        }];
        let id = containers[0].running[0].container.id.clone();
        let command: Vec<Text> = vec!["conmon".into(), "-c".into(), id.clone()];
        let proxy = proxy::proxy_by_name(&"conmon".into(), &command).unwrap();
        assert_eq!(found(&containers, &proxy, key("0.0.0.0:18280", Protocol::Tcp)), "pod:80");
        assert_eq!(found(&containers, &proxy, key("127.0.0.1:18281", Protocol::Udp)), "pod:81");
        assert_eq!(
            found(&containers, &proxy, key("127.0.0.1:1", Protocol::Udp)),
            "pod",
            "the port is unknown"
        );
        assert!(by_id(containers.iter(), &id).is_some() && by_id(containers.iter(), &"4f".into()).is_none());
    }
}
