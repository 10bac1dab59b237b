//! Which container is meant, among those that runtimes have told of. Pure. Where more than one can be meant none is
//! named.

use std::net::{IpAddr, SocketAddr};

use super::reply::{Published, Running};
use crate::management::proxy::{ContainerRef, Proxy, ProxyArguments};
use crate::model::{Container, Protocol, Text};

/// Whose runtime it is that says something: what one user's says is not believed of what others hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// The system's, which root starts.
    System,
    /// One that was named by the asking user.
    Given,
    /// One of this user.
    User(u32),
}

/// What one runtime told.
#[derive(Debug)]
pub(crate) struct RuntimeContainers {
    pub(crate) owner: Owner,
    /// Whether it publishes ports in our own network namespace; `None` where that is not known.
    pub(crate) here: Option<bool>,
    pub(crate) running: Vec<Running>,
}

/// The socket that a container is looked for behind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SocketKey {
    pub(crate) protocol: Protocol,
    pub(crate) address: SocketAddr,
    /// Whether it is in our own network namespace.
    pub(crate) here: bool,
}

/// The container with this id, whoever of these runs it.
pub(crate) fn by_id<'a>(
    containers: impl Iterator<Item = &'a RuntimeContainers>,
    id: &Text,
) -> Option<&'a Running> {
    containers.flat_map(|containers| &containers.running).find(|running| running.container.id == *id)
}

/// The container that a process stands for at a place, with the port inside.
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

/// The container of the proxy: it has that address, and publishes that port.
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

/// The port inside that a container publishes at a place, if it is one.
fn published_at(running: &Running, key: SocketKey) -> Option<u16> {
    let mut inside = running.published.iter().filter(|published| is_at(published, key)).map(|it| it.inside);
    let first = inside.next()?;
    inside.all(|other| other == first).then_some(first)
}

/// Whether something is published at exactly this place: wildcards of both families are one there, as some runtimes
/// bind one socket for both.
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

/// The one that all of these are.
fn only(mut found: impl Iterator<Item = Container>) -> Option<Container> {
    let first = found.next()?;
    found.all(|other| other.id == first.id).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::containers::reply;
    use crate::management::proxy;

    const DOCKER: &[u8] = include_bytes!("../../../tests/runtimes/docker.http");
    const PODMAN: &[u8] = include_bytes!("../../../tests/runtimes/podman.http");

    fn docker(here: Option<bool>) -> RuntimeContainers {
        RuntimeContainers { owner: Owner::System, here, running: reply::parse(DOCKER).unwrap() }
    }

    fn key(address: &str, protocol: Protocol) -> SocketKey {
        SocketKey { protocol, address: address.parse().unwrap(), here: true }
    }

    fn proxy(inside: &str, port: u16) -> Proxy {
        let line = format!("docker-proxy -container-ip {inside} -container-port {port}");
        let command: Vec<Text> = line.split(' ').map(Text::from).collect();
        proxy::proxy_by_name(&"docker-proxy".into(), &command).unwrap()
    }

    /// `web-1:80`, or nothing.
    fn found(containers: &[RuntimeContainers], proxy: &Proxy, key: SocketKey) -> String {
        behind(containers.iter(), proxy, key).map_or_else(String::new, |container| {
            let port = container.port.map_or_else(String::new, |port| format!(":{port}"));
            format!("{}{port}", container.name.unwrap().to_string_lossy())
        })
    }

    #[test]
    fn a_proxy_is_told_by_address_and_port() {
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
    fn what_is_published_elsewhere_is_not_here() {
        let tcp = key("0.0.0.0:18080", Protocol::Tcp);
        assert_eq!(found(&[docker(Some(false))], &proxy("172.20.0.2", 80), tcp), "");
        assert_eq!(found(&[docker(None)], &proxy("172.20.0.2", 80), tcp), "web-1:80");
        let elsewhere = SocketKey { here: false, ..tcp };
        assert_eq!(found(&[docker(Some(false))], &proxy("172.20.0.2", 80), elsewhere), "web-1:80");
    }

    #[test]
    fn a_port_alone_is_enough_where_one_container_has_it() {
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
        // Two runtimes that each publish the port: nobody knows which one is meant.
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
        let containers =
            [RuntimeContainers { owner: Owner::System, here: None, running: reply::parse(PODMAN).unwrap() }];
        let id = containers[0].running[0].container.id.clone();
        let command: Vec<Text> = vec!["conmon".into(), "-c".into(), id.clone()];
        let proxy = proxy::proxy_by_name(&"conmon".into(), &command).unwrap();
        assert_eq!(found(&containers, &proxy, key("0.0.0.0:18280", Protocol::Tcp)), "pod:80");
        assert_eq!(found(&containers, &proxy, key("127.0.0.1:18281", Protocol::Udp)), "pod:81");
        assert_eq!(
            found(&containers, &proxy, key("127.0.0.1:1", Protocol::Udp)),
            "pod",
            "the port is not containers"
        );
        assert!(by_id(containers.iter(), &id).is_some() && by_id(containers.iter(), &"4f".into()).is_none());
    }
}
