//! Recognises processes that forward connections to containers, and reads the container from their command lines. Pure.

use std::net::{IpAddr, SocketAddr};

use crate::model::{Process, Protocol, Text};
use crate::os::RuntimeKind;

/// A process that holds a port for a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    /// The runtimes it works for.
    pub(crate) kinds: &'static [RuntimeKind],
    /// Whether it publishes ports of a rootless engine, which has its own network namespace, in this one.
    pub(crate) rootless: bool,
    pub(crate) container: ContainerRef,
}

/// What the process's command line shows about the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ContainerRef {
    /// The address that connections are forwarded to.
    Address(ProxyArguments),
    /// The id, and the name if it is given.
    Id(Text, Option<Text>),
    /// Nothing: only the port identifies the container.
    Unknown,
}

/// The arguments of docker-proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProxyArguments {
    pub(crate) protocol: Option<Protocol>,
    /// Where it listens. `None` if the address is the default.
    pub(crate) host: Option<SocketAddr>,
    /// The container's address and the port in it.
    pub(crate) inside: SocketAddr,
}

const DOCKER: &[RuntimeKind] = &[RuntimeKind::Docker];
const PODMAN: &[RuntimeKind] = &[RuntimeKind::Podman];
const EITHER: &[RuntimeKind] = &[RuntimeKind::Docker, RuntimeKind::Podman];

/// Programs that hold ports for containers, and the runtimes that start them. dockerd holds ports itself if its proxy is
/// turned off, and conmon does if Podman runs as root.
const PROXIES: [(&str, &[RuntimeKind]); 11] = [
    ("docker-proxy", DOCKER),
    ("dockerd", DOCKER),
    ("com.docker.backend", DOCKER),
    ("rootlesskit", DOCKER),
    ("conmon", PODMAN),
    ("rootlessport", PODMAN),
    ("rootlessport-child", PODMAN),
    ("gvproxy", PODMAN),
    ("slirp4netns", EITHER),
    ("pasta", EITHER),
    ("pasta.avx2", EITHER),
];

/// Returns the proxy that a process is, or `None` if it is not one.
pub(crate) fn proxy(process: &Process) -> Option<Proxy> {
    proxy_by_name(&process.name, process.command.as_deref().unwrap_or_default())
}

/// Returns the proxy of this name and command line.
pub(crate) fn proxy_by_name(name: &Text, command: &[Text]) -> Option<Proxy> {
    let name = name.as_str()?;
    let (name, kinds) = PROXIES.into_iter().find(|(known, _)| *known == name)?;
    let container = match name {
        "docker-proxy" => proxy_arguments(command).map(ContainerRef::Address),
        "conmon" => flag(command, &["c", "cid"])
            .filter(|id| is_id(id))
            .map(|id| ContainerRef::Id(id.into(), flag(command, &["n", "name"]).map(Text::from))),
        _ => None,
    };
    let rootless = !matches!(name, "docker-proxy" | "dockerd" | "com.docker.backend" | "conmon" | "gvproxy");
    Some(Proxy { kinds, rootless, container: container.unwrap_or(ContainerRef::Unknown) })
}

/// Returns the bundle folder of the container in conmon's command line.
pub(crate) fn bundle_folder(command: &[Text]) -> Option<Text> {
    flag(command, &["b", "bundle"]).map(Text::from)
}

/// Returns the pod whose infra container has this name: Podman names it after the first twelve digits of the pod's id.
pub(crate) fn pod_of_infra(name: &Text) -> Option<Text> {
    let id = name.as_bytes().strip_suffix(b"-infra")?;
    let is_id = id.len() == 12 && id.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_id.then(|| id.into())
}

/// Returns whether a process of this name is docker-proxy.
pub(crate) fn is_docker_proxy(name: &Text) -> bool {
    name.as_bytes() == b"docker-proxy"
}

/// Returns the address and port in a container to which a process forwards connections, if it is docker-proxy.
pub(crate) fn destination(process: &Process) -> Option<SocketAddr> {
    match proxy(process)?.container {
        ContainerRef::Address(arguments) => Some(arguments.inside),
        ContainerRef::Id(..) | ContainerRef::Unknown => None,
    }
}

/// Parses the arguments of docker-proxy.
pub(crate) fn proxy_arguments(command: &[Text]) -> Option<ProxyArguments> {
    let text = |name| std::str::from_utf8(flag(command, &[name])?).ok();
    let address = |name| text(name)?.parse::<IpAddr>().ok();
    let port = |name| text(name)?.parse::<u16>().ok();
    Some(ProxyArguments {
        protocol: text("proto").and_then(Protocol::parse),
        host: address("host-ip").zip(port("host-port")).map(SocketAddr::from),
        inside: SocketAddr::from((address("container-ip")?, port("container-port")?)),
    })
}

/// Returns the value of an option, in the forms that Go's and GLib's parsers accept: `-name value`, `--name value`,
/// `-name=value`.
fn flag<'a>(command: &'a [Text], names: &[&str]) -> Option<&'a [u8]> {
    let mut rest = command.iter().skip(1);
    while let Some(argument) = rest.next() {
        let Some(option) = argument.as_bytes().strip_prefix(b"-") else { continue };
        let option = option.strip_prefix(b"-").unwrap_or(option);
        for name in names {
            match option.strip_prefix(name.as_bytes()) {
                Some(b"") => return rest.next().map(Text::as_bytes),
                Some([b'=', value @ ..]) => return Some(value),
                _ => {}
            }
        }
    }
    None
}

fn is_id(id: &[u8]) -> bool {
    id.len() == 64 && id.iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn command(line: &str) -> Vec<Text> {
        line.split_whitespace().map(Text::from).collect()
    }

    fn container(name: &str, line: &str) -> Option<ContainerRef> {
        proxy_by_name(&name.into(), &command(line)).map(|proxy| proxy.container)
    }

    #[test]
    fn arguments_of_docker_proxy() {
        let expected = ProxyArguments {
            protocol: Some(Protocol::Tcp),
            host: Some("0.0.0.0:8080".parse().unwrap()),
            inside: "172.18.0.2:80".parse().unwrap(),
        };
        for line in [
            "/usr/sbin/docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 8080 -container-ip 172.18.0.2 \
             -container-port 80",
            "/usr/bin/docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 8080 -container-ip 172.18.0.2 \
             -container-port 80 -use-listen-fd",
            "docker-proxy --proto=tcp --host-ip=0.0.0.0 --host-port=8080 --container-ip=172.18.0.2 \
             --container-port=80",
        ] {
            assert_eq!(
                container("docker-proxy", line),
                Some(ContainerRef::Address(expected.clone())),
                "{line}"
            );
        }
        let six =
            "docker-proxy -proto udp -host-ip :: -host-port 53 -container-ip fd00::2 -container-port 5353";
        let six = proxy_arguments(&command(six)).unwrap();
        assert_eq!(six.inside, "[fd00::2]:5353".parse().unwrap());
        assert_eq!((six.protocol, six.host), (Some(Protocol::Udp), Some("[::]:53".parse().unwrap())));
        let bare =
            proxy_arguments(&command("docker-proxy -container-ip 10.0.0.1 -container-port 1")).unwrap();
        assert_eq!((bare.protocol, bare.host), (None, None));
        for torn in [
            "",
            "docker-proxy",
            "docker-proxy -container-ip",
            "docker-proxy -container-ip x -container-port 1",
        ] {
            assert_eq!(proxy_arguments(&command(torn)), None, "{torn}");
        }
        assert_eq!(container("docker-proxy", "docker-proxy"), Some(ContainerRef::Unknown));
    }

    #[test]
    fn containers_of_other_proxies() {
        let id = "4f1d5a0c9b7e83264f1d5a0c9b7e83264f1d5a0c9b7e83264f1d5a0c9b7e8326";
        let line = format!("/usr/bin/conmon --api-version 1 -c {id} -u {id} -r /usr/bin/crun");
        assert_eq!(container("conmon", &line), Some(ContainerRef::Id(id.into(), None)));
        assert_eq!(
            container("conmon", &format!("{line} -n web")),
            Some(ContainerRef::Id(id.into(), Some("web".into())))
        );
        assert_eq!(container("conmon", "conmon -c web"), Some(ContainerRef::Unknown));
        assert_eq!(
            container("rootlesskit", "rootlesskit --net=slirp4netns dockerd"),
            Some(ContainerRef::Unknown)
        );
        assert_eq!(container("node", "node -c x"), None);
        assert_eq!(proxy_by_name(&Text::from(&b"\xff"[..]), &[]), None);
    }

    proptest! {
        #[test]
        fn any_command_line(arguments: Vec<Vec<u8>>, at in 0usize..11) {
            let arguments: Vec<Text> = arguments.into_iter().map(Text::from).collect();
            let _ = (proxy_arguments(&arguments), proxy_by_name(&PROXIES[at].0.into(), &arguments));
        }
    }
}
