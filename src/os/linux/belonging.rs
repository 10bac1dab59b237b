//! What a cgroup's path says of the service and the container it belongs to. Pure: a path goes in, names come out.
//!
//! The names are conventions of service managers and container runtimes. A path that follows none of them belongs to
//! nothing that is known here.

use crate::{Container, Service, Text};

/// How runtimes begin the name of a container's cgroup; its id follows.
const PREFIXES: [(&[u8], &str); 6] = [
    (b"docker-", "docker"),
    // Not `libpod-conmon-`: that is podman's monitor outside of the container.
    (b"libpod-payload-", "podman"),
    (b"libpod-", "podman"),
    (b"cri-containerd-", "containerd"),
    (b"nerdctl-", "containerd"),
    (b"crio-", "cri-o"),
];

/// Cgroups whose children bear a container's id alone as their name: `/docker/ID`.
const PARENTS: [(&[u8], &str); 3] =
    [(b"docker", "docker"), (b"actions_job", "docker"), (b"k8s.io", "containerd")];

/// The service and the container that a cgroup belongs to: the innermost of each, as a container may run services of
/// its own, and a service containers.
pub(super) fn belongs_to(path: &[u8]) -> (Option<Service>, Option<Container>) {
    let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).collect();
    let mut service = None;
    let mut container: Option<Container> = None;
    let mut in_user_manager = false;
    for (at, part) in parts.iter().enumerate() {
        let above = parts.get(..at).unwrap_or_default();
        if let Some(found) = container_named(part, above) {
            container = Some(found);
            // What is managed inside is managed by another systemd.
            in_user_manager = false;
        } else if *part == b"supervisor" && above.last().and_then(|part| nspawn(part)).is_some() {
            // systemd-nspawn itself, which stays outside of what it contains.
            container = None;
        }
        if is_user_manager(part) && at + 1 < parts.len() {
            in_user_manager = true;
        } else if let Some(name) = unit(part, in_user_manager) {
            let scope = if in_user_manager { "user" } else { "system" };
            service = Some(Service {
                manager: "systemd".into(),
                name: name.into(),
                scope: scope.into(),
                activates: None,
            });
        }
    }
    (service, container)
}

/// `user@1000.service`: below it a user's own services are.
fn is_user_manager(part: &[u8]) -> bool {
    let uid = part.strip_prefix(b"user@").and_then(|rest| rest.strip_suffix(b".service"));
    uid.is_some_and(|uid| !uid.is_empty() && uid.iter().all(u8::is_ascii_digit))
}

/// A unit's name, where it is a service, a socket, or an application of a desktop session (systemd.io,
/// "Desktop Environment Integration"; snapd names its own).
fn unit(part: &[u8], of_user: bool) -> Option<&[u8]> {
    // systemd puts this before names that mean something to the kernel: `_memory.service`.
    let name = part.strip_prefix(b"_").unwrap_or(part);
    let is = |suffix: &[u8]| name.len() > suffix.len() && name.ends_with(suffix);
    let application = of_user && is(b".scope") && (name.starts_with(b"app-") || name.starts_with(b"snap."));
    (is(b".service") || is(b".socket") || application).then_some(name)
}

/// The container whose cgroup has this name below those.
fn container_named(part: &[u8], above: &[&[u8]]) -> Option<Container> {
    let parent = above.last().copied().unwrap_or_default();
    let of = |runtime: &str, id: &[u8]| Some(named(runtime, id, None));
    let whole = part.strip_suffix(b".scope").unwrap_or(part);
    for (prefix, runtime) in PREFIXES {
        if let Some(id) = whole.strip_prefix(prefix).filter(|id| is_id(id)) {
            return of(runtime, id);
        }
    }
    // `SLICE:RUNTIME:ID` is meant for systemd; a runtime that does not ask it makes a cgroup of that name.
    let mut fields = part.rsplitn(3, |byte| *byte == b':');
    if let (Some(id), Some(prefix), Some(_)) = (fields.next(), fields.next(), fields.next()) {
        let runtime = PREFIXES.iter().find(|(known, _)| known.strip_suffix(b"-") == Some(prefix));
        if let Some((_, runtime)) = runtime.filter(|_| is_id(id)) {
            return of(runtime, id);
        }
    }
    if is_id(part) {
        if let Some((_, runtime)) = PARENTS.iter().find(|(known, _)| *known == parent) {
            return of(runtime, part);
        }
        if above.iter().any(|part| is_pods(part)) {
            return of("kubernetes", part);
        }
        if above.first() == Some(&&b"ecs"[..]) {
            return of("docker", part);
        }
    }
    if parent == b"buildkit" && part.len() >= 10 && part.iter().all(u8::is_ascii_alphanumeric) {
        return of("buildkit", part);
    }
    let lxc = if parent == b"lxc" || parent == b"lxc.payload" {
        Some(part)
    } else {
        part.strip_prefix(b"lxc.payload.").filter(|name| !name.is_empty())
    };
    if let Some(name) = lxc {
        return Some(named("lxc", name, Some(name.into())));
    }
    let name = nspawn(part)?;
    // libvirt registers virtual machines here as well, whose sockets are those of their emulator.
    if name.starts_with(b"qemu-") {
        return None;
    }
    Some(named("systemd-nspawn", &name, Some(name.as_slice().into())))
}

fn named(runtime: &str, id: &[u8], name: Option<Text>) -> Container {
    Container { runtime: runtime.into(), id: id.into(), name, image: None, port: None, compose: None }
}

/// What Docker, Podman, containerd and CRI-O name a container: 64 hexadecimal digits.
fn is_id(name: &[u8]) -> bool {
    name.len() == 64 && name.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// `kubepods`, `kubepods-burstable.slice`, `kubelet-kubepods.slice`
fn is_pods(part: &[u8]) -> bool {
    part.windows(b"kubepods".len()).any(|window| window == b"kubepods")
}

/// The machine in `machine-NAME.scope` or `systemd-nspawn@NAME.service`.
fn nspawn(part: &[u8]) -> Option<Vec<u8>> {
    let scope = part.strip_prefix(b"machine-").and_then(|rest| rest.strip_suffix(b".scope"));
    let service = || part.strip_prefix(b"systemd-nspawn@").and_then(|rest| rest.strip_suffix(b".service"));
    let name = scope.or_else(service)?;
    (!name.is_empty()).then(|| unescape(name))
}

/// Undoes systemd-escape(1): `\x2d` is a hyphen, and a hyphen in a name that is no path a slash, which no machine's
/// name has.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "4f1d5a0c9b7e83264f1d5a0c9b7e83264f1d5a0c9b7e83264f1d5a0c9b7e8326";
    const OUTER: &str = "00aa5a0c9b7e83264f1d5a0c9b7e83264f1d5a0c9b7e83264f1d5a0c9b7e8326";

    /// `system nginx.service` and `docker ID`, or empty.
    fn told(path: &str) -> (String, String) {
        let path = path.replace("ID", ID).replace("OUTER", OUTER);
        let (service, container) = belongs_to(path.as_bytes());
        let service = service.map(|service| {
            assert_eq!(service.manager.as_str(), Some("systemd"));
            format!("{} {}", service.scope.to_string_lossy(), service.name.to_string_lossy())
        });
        let container = container.map(|container| {
            assert_eq!((container.image, container.port), (None, None));
            let id = container.id.to_string_lossy().replace(ID, "ID").replace(OUTER, "OUTER");
            let has_name = matches!(container.runtime.as_str(), Some("lxc" | "systemd-nspawn"));
            assert_eq!(container.name, has_name.then_some(container.id), "{path}");
            format!("{} {id}", container.runtime.to_string_lossy())
        });
        (service.unwrap_or_default(), container.unwrap_or_default())
    }

    fn tells(rows: &[(&str, &str, &str)]) {
        for (path, service, container) in rows {
            assert_eq!(told(path), ((*service).to_owned(), (*container).to_owned()), "{path}");
        }
    }

    #[test]
    fn services_of_the_system() {
        tells(&[
            ("/system.slice/nginx.service", "system nginx.service", ""),
            ("/system.slice/nginx.service/", "system nginx.service", ""),
            ("/../system.slice/nginx.service", "system nginx.service", ""),
            ("/system.slice/x.service/worker", "system x.service", ""),
            ("/system.slice/cups.socket", "system cups.socket", ""),
            (
                "/system.slice/system-postgresql.slice/postgresql@15-main.service",
                "system postgresql@15-main.service",
                "",
            ),
            (r"/system.slice/a\x2db@c\x2fd.service", r"system a\x2db@c\x2fd.service", ""),
            ("/system.slice/_memory.service", "system memory.service", ""),
            ("/init.scope", "", ""),
            ("/user.slice/user-1000.slice/session-3.scope", "", ""),
            ("/system.slice/run-r51.scope", "", ""),
            ("/system.slice/app-x.scope", "", ""),
            ("/system.slice/.service", "", ""),
            ("/system.slice", "", ""),
            ("/", "", ""),
            ("", "", ""),
        ]);
    }

    #[test]
    fn services_of_users() {
        for (below, service) in [
            ("", "system user@1000.service"),
            ("/", "system user@1000.service"),
            ("/init.scope", ""),
            ("/app.slice/foo.service", "user foo.service"),
            ("/app.slice/app-x.slice/foo@1.service/worker", "user foo@1.service"),
            ("/session.slice/pipewire-pulse.socket", "user pipewire-pulse.socket"),
            ("/app.slice/app-gnome-firefox-1234.scope", "user app-gnome-firefox-1234.scope"),
            ("/app.slice/snap.code.code-5c.scope", "user snap.code.code-5c.scope"),
            ("/app.slice/app-org.gnome.Terminal.slice/vte-spawn-5c.scope", ""),
            ("/foo.service/bar.service", "user bar.service"),
        ] {
            tells(&[(&format!("/user.slice/user-1000.slice/user@1000.service{below}"), service, "")]);
        }
        tells(&[("/system.slice/user@x.service/y", "system user@x.service", "")]);
    }

    #[test]
    fn containers() {
        tells(&[
            ("/system.slice/docker-ID.scope", "", "docker ID"),
            ("/docker/ID", "", "docker ID"),
            ("/docker/ID/init", "", "docker ID"),
            ("/actions_job/ID", "", "docker ID"),
            ("/ecs/94ee/ID", "", "docker ID"),
            ("/machine.slice/libpod-ID.scope", "", "podman ID"),
            ("/machine.slice/libpod-ID.scope/container", "", "podman ID"),
            ("/libpod_parent/libpod-ID", "", "podman ID"),
            ("/machine.slice/libpod-conmon-ID.scope", "", ""),
            ("/libpod_parent/conmon", "", ""),
            ("/default/docker-1234.scope", "", ""),
            ("/ID", "", ""),
            ("/k8s.io/ID", "", "containerd ID"),
            ("/docker/buildkit/5w3kqz0v1m2n3b4c5x6z7a8s9", "", "buildkit 5w3kqz0v1m2n3b4c5x6z7a8s9"),
            ("/buildkit/5w3kqz0v1m2n3b4c5x6z7a8s9/x", "", "buildkit 5w3kqz0v1m2n3b4c5x6z7a8s9"),
            ("/lxc/web", "", "lxc web"),
            ("/lxc/101/ns/init.scope", "", "lxc 101"),
            ("/lxc.payload.web", "", "lxc web"),
            ("/lxc.payload/web", "", "lxc web"),
            ("/lxc.monitor/web", "", ""),
            ("/lxc.monitor.web", "", ""),
            ("/lxc.monitor", "", ""),
            ("/lxc", "", ""),
            (r"/machine.slice/machine-my\x2dweb.scope/payload", "", "systemd-nspawn my-web"),
            ("/machine.slice/machine-web.scope", "", "systemd-nspawn web"),
            ("/machine.slice/machine-web.scope/supervisor", "", ""),
            (r"/machine.slice/machine-qemu\x2d1\x2dvm.scope/libvirt/emulator", "", ""),
        ]);
    }

    #[test]
    fn pods() {
        tells(&[
            ("/kubepods/besteffort/podd5a0-11/ID", "", "kubernetes ID"),
            ("/kubepods/podd5a0-11/crio-ID", "", "cri-o ID"),
            ("/kubepods/podd5a0-11/crio-conmon-ID", "", ""),
            ("/kubepods/podd5a0-11", "", ""),
            (
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podd5a0_11.slice/cri-containerd-ID.scope",
                "",
                "containerd ID",
            ),
            ("/kubepods.slice/kubepods-podd5a0_11.slice/crio-ID.scope/container", "", "cri-o ID"),
            ("/kubepods.slice/kubepods-podd5a0_11.slice/docker-ID.scope", "", "docker ID"),
            (
                "/system.slice/containerd.service/kubepods-podd5a0_11.slice:cri-containerd:ID",
                "system containerd.service",
                "containerd ID",
            ),
            ("/system.slice/k3s.service/kubepods/podd5a0/ID", "system k3s.service", "kubernetes ID"),
            (
                "/docker/OUTER/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod1.slice/cri-containerd-ID.scope",
                "",
                "containerd ID",
            ),
        ]);
    }

    #[test]
    fn services_in_containers_and_containers_in_services() {
        tells(&[
            ("/docker/ID/system.slice/nginx.service", "system nginx.service", "docker ID"),
            ("/lxc.payload.web/system.slice/nginx.service", "system nginx.service", "lxc web"),
            ("/system.slice/web.service/libpod-payload-ID", "system web.service", "podman ID"),
            ("/system.slice/web.service/runtime", "system web.service", ""),
            (
                "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container",
                "",
                "podman ID",
            ),
            (
                "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/system.slice/x.service",
                "system x.service",
                "podman ID",
            ),
            (
                "/docker/ID/user.slice/user-1000.slice/user@1000.service/app.slice/x.service",
                "user x.service",
                "docker ID",
            ),
            (
                r"/machine.slice/systemd-nspawn@my\x2dweb.service/payload/system.slice/x.service",
                "system x.service",
                "systemd-nspawn my-web",
            ),
            ("/machine.slice/systemd-nspawn@web.service/supervisor", "system systemd-nspawn@web.service", ""),
            ("/docker/OUTER/docker/ID", "", "docker ID"),
        ]);
    }

    proptest! {
        #[test]
        fn any_bytes(path: Vec<u8>) {
            let _ = belongs_to(&path);
        }

        #[test]
        fn any_path_of_known_parts(parts in prop::collection::vec(
            prop::sample::select(vec![
                "lxc", "lxc.payload.", "machine-.scope", r"machine-\x.scope", "user@.service", "docker", "::", ":docker:",
                "user@0.service", "supervisor", "_.service", "", "..", "buildkit", ".scope", ID,
            ]), 0..8))
        {
            let _ = belongs_to(parts.join("/").as_bytes());
        }

        #[test]
        fn names_keep_their_bytes(name in "[^/\\\\]{1,20}") {
            let path = format!("/system.slice/x{name}.service");
            let (service, _) = belongs_to(path.as_bytes());
            prop_assert_eq!(service.unwrap().name, Text::from(format!("x{name}.service").as_str()));
        }
    }
}
