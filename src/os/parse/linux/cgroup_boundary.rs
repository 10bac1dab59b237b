//! Finds the container or machine that a cgroup belongs to, by the cgroup layouts of container engines. Pure. No name
//! below such a cgroup identifies anything of this machine: a container's own systemd, its users and the engines inside
//! it create cgroups of any name there.

use crate::model::{Container, ContainerRuntime, Text};

/// The prefixes of the names of containers' cgroups, by runtime; the id follows.
const PREFIXES: [(&[u8], ContainerRuntime); 6] = [
    (b"docker-", ContainerRuntime::Docker),
    // Not `libpod-conmon-`: that is podman's monitor outside of the container.
    (b"libpod-payload-", ContainerRuntime::Podman),
    (b"libpod-", ContainerRuntime::Podman),
    (b"cri-containerd-", ContainerRuntime::Containerd),
    (b"nerdctl-", ContainerRuntime::Containerd),
    (b"crio-", ContainerRuntime::CriO),
];

/// Cgroups whose children are named by a container's id alone: `/docker/ID`.
const PARENTS: [(&[u8], ContainerRuntime); 3] = [
    (b"docker", ContainerRuntime::Docker),
    (b"actions_job", ContainerRuntime::Docker),
    (b"k8s.io", ContainerRuntime::Containerd),
];

/// The part of a path at which a container begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct Boundary {
    /// The number of parts of the path outside of the container.
    pub(in crate::os) outside: usize,
    pub(in crate::os) container: Container,
}

/// Returns the outermost boundary in a path.
pub(in crate::os) fn outermost(parts: &[&[u8]]) -> Option<Boundary> {
    parts.iter().enumerate().find_map(|(at, part)| {
        let container = container_named(part, parts.get(..at).unwrap_or_default())?;
        let next = parts.get(at + 1).copied().unwrap_or_default();
        // systemd-nspawn itself stays outside of its container.
        if nspawn(part).is_some() && next == b"supervisor" {
            return None;
        }
        // The service systemd-nspawn@NAME.service is the boundary and runs the container.
        let is_service = part.ends_with(b".service");
        Some(Boundary { outside: at + usize::from(is_service), container })
    })
}

/// Returns whether a service that a container's cgroup is directly below runs that one container, as with Podman's
/// Quadlet, systemd-nspawn and LXC. An engine also has containers' cgroups below its own; if it is stopped, all of
/// those containers end, or run on without it.
pub(in crate::os) fn runs_one(service: &[u8], container: &Container) -> bool {
    let of_pod = matches!(
        container.runtime,
        ContainerRuntime::Kubernetes
            | ContainerRuntime::Containerd
            | ContainerRuntime::CriO
            | ContainerRuntime::Buildkit
    );
    !of_pod && !ENGINES.contains(&service)
}

/// Services that run many containers.
const ENGINES: [&[u8]; 13] = [
    b"docker.service",
    b"containerd.service",
    b"podman.service",
    b"crio.service",
    b"kubelet.service",
    b"k3s.service",
    b"k3s-agent.service",
    b"rke2-server.service",
    b"rke2-agent.service",
    b"lxc.service",
    b"lxd.service",
    b"incus.service",
    b"buildkit.service",
];

/// Returns the container whose cgroup has this name below these parents.
fn container_named(part: &[u8], above: &[&[u8]]) -> Option<Container> {
    let parent = above.last().copied().unwrap_or_default();
    let of = |runtime: ContainerRuntime, id: &[u8]| Some(named(runtime, id, None));
    let whole = part.strip_suffix(b".scope").unwrap_or(part);
    for (prefix, runtime) in PREFIXES {
        if let Some(id) = whole.strip_prefix(prefix).filter(|id| is_id(id)) {
            return of(runtime, id);
        }
    }
    // `SLICE:RUNTIME:ID` is meant for systemd; a runtime that does not use systemd creates a cgroup of that name.
    let mut fields = part.rsplitn(3, |byte| *byte == b':');
    if let (Some(id), Some(prefix), Some(_)) = (fields.next(), fields.next(), fields.next()) {
        let runtime = PREFIXES.into_iter().find(|(known, _)| known.strip_suffix(b"-") == Some(prefix));
        if let Some((_, runtime)) = runtime.filter(|_| is_id(id)) {
            return of(runtime, id);
        }
    }
    if is_id(part) {
        if let Some((_, runtime)) = PARENTS.into_iter().find(|(known, _)| *known == parent) {
            return of(runtime, part);
        }
        if above.iter().any(|part| is_pods(part)) {
            return of(ContainerRuntime::Kubernetes, part);
        }
        if above.first() == Some(&&b"ecs"[..]) {
            return of(ContainerRuntime::Docker, part);
        }
    }
    if parent == b"buildkit" && part.len() >= 10 && part.iter().all(u8::is_ascii_alphanumeric) {
        return of(ContainerRuntime::Buildkit, part);
    }
    let lxc = if parent == b"lxc" || parent == b"lxc.payload" {
        Some(part)
    } else {
        part.strip_prefix(b"lxc.payload.").filter(|name| !name.is_empty())
    };
    if let Some(name) = lxc {
        return Some(named(ContainerRuntime::Lxc, name, Some(name.into())));
    }
    let name = nspawn(part)?;
    // libvirt registers virtual machines here as well, whose sockets are those of their emulator.
    if name.starts_with(b"qemu-") {
        return None;
    }
    Some(named(ContainerRuntime::Nspawn, &name, Some(name.as_slice().into())))
}

fn named(runtime: ContainerRuntime, id: &[u8], name: Option<Text>) -> Container {
    Container { runtime, id: id.into(), uid: None, name, image: None, port: None, compose: None }
}

/// Returns whether a name is an id as Docker, Podman, containerd and CRI-O make it: 64 hexadecimal digits.
fn is_id(name: &[u8]) -> bool {
    name.len() == 64 && name.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Returns whether a part is a cgroup of Kubernetes' pods: `kubepods`, `kubepods-burstable.slice`,
/// `kubelet-kubepods.slice`.
fn is_pods(part: &[u8]) -> bool {
    part.windows(b"kubepods".len()).any(|window| window == b"kubepods")
}

/// Returns the machine in `machine-NAME.scope` or `systemd-nspawn@NAME.service`.
fn nspawn(part: &[u8]) -> Option<Vec<u8>> {
    let scope = part.strip_prefix(b"machine-").and_then(|rest| rest.strip_suffix(b".scope"));
    let service = || part.strip_prefix(b"systemd-nspawn@").and_then(|rest| rest.strip_suffix(b".service"));
    let name = scope.or_else(service)?;
    (!name.is_empty()).then(|| unescape(name))
}

/// Undoes systemd-escape(1): `\x2d` is a hyphen. A hyphen in a name that is not a path would be a slash, which no
/// machine's name has.
fn unescape(name: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(name.len());
    let mut rest = name;
    while let [first, after @ ..] = rest {
        let escaped = match rest {
            [b'\\', b'x', high, low, left @ ..] => hexadecimal(*high, *low).map(|byte| (byte, left)),
            _ => None,
        };
        let (byte, left) = escaped.unwrap_or((*first, after));
        text.push(byte);
        rest = left;
    }
    text
}

fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}
