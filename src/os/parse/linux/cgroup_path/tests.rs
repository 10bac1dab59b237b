use proptest::prelude::*;

use super::*;
use crate::model::{ContainerRuntime, ServiceManager, ServiceScope};

const ID: &str = "4f1d5a0c9b7e83264f1d5a0c9b7e83264f1d5a0c9b7e83264f1d5a0c9b7e8326";
const OUTER: &str = "00aa5a0c9b7e83264f1d5a0c9b7e83264f1d5a0c9b7e83264f1d5a0c9b7e8326";
const USER: &str = "/user.slice/user-1000.slice/user@1000.service";

fn whole() -> Root {
    Root::At(Vec::new())
}

/// `system nginx.service` or `user 1000 x.service`, and `docker ID`, or empty.
fn found(root: &Root, path: &str, own_pids: bool) -> (String, String) {
    let path = path.replace("OUTER", OUTER).replace("ID", ID).replace("USER", USER);
    let (service, container) = belongs_to(root, path.as_bytes(), &mut || own_pids);
    let service = service.map(|service| {
        assert_eq!((&service.manager, service.activates), (&ServiceManager::Systemd, None));
        let (scope, name) = (service.scope.to_string(), service.name.to_string_lossy());
        match service.uid {
            Some(uid) => format!("{scope} {uid} {name}"),
            None => format!("{scope} {name}"),
        }
    });
    let container = container.map(|container| {
        assert_eq!((container.image, container.port), (None, None));
        let id = container.id.to_string_lossy().replace(ID, "ID").replace(OUTER, "OUTER");
        let has_name = matches!(container.runtime, ContainerRuntime::Lxc | ContainerRuntime::Nspawn);
        assert_eq!(container.name, has_name.then_some(container.id), "{path}");
        let of = container.uid.map_or_else(String::new, |uid| format!(" of {uid}"));
        format!("{} {id}{of}", container.runtime)
    });
    (service.unwrap_or_default(), container.unwrap_or_default())
}

fn check(rows: &[(&str, &str, &str)]) {
    for (path, service, container) in rows {
        for own_pids in [false, true] {
            let wanted = ((*service).to_owned(), (*container).to_owned());
            assert_eq!(found(&whole(), path, own_pids), wanted, "{path}");
        }
    }
}

#[test]
fn services_of_the_system() {
    check(&[
        ("/system.slice/nginx.service", "system nginx.service", ""),
        ("/system.slice/nginx.service/", "system nginx.service", ""),
        ("/system.slice/x.service/worker", "system x.service", ""),
        ("/system.slice/cups.socket", "system cups.socket", ""),
        ("/nginx.service", "system nginx.service", ""),
        (
            "/system.slice/system-postgresql.slice/postgresql@15-main.service",
            "system postgresql@15-main.service",
            "",
        ),
        (r"/system.slice/a\x2db@c\x2fd.service", r"system a\x2db@c\x2fd.service", ""),
        ("/system.slice/_memory.service", "system memory.service", ""),
        ("/system.slice/--no-block.service", "system --no-block.service", ""),
        ("/init.scope", "", ""),
        ("/user.slice/user-1000.slice/session-3.scope", "", ""),
        ("/system.slice/run-r51.scope", "", ""),
        ("/system.slice/x.timer", "", ""),
        ("/system.slice/.service", "", ""),
        ("/system.slice/x@.service", "", ""),
        ("/system.slice/web*.service", "", ""),
        ("/system.slice/a;b.service", "", ""),
        ("/system.slice", "", ""),
        ("/", "", ""),
        ("", "", ""),
    ]);
}

#[test]
fn cgroups_below_a_unit_name_no_unit() {
    check(&[
        ("/system.slice/x.service/system.slice/nginx.service", "system x.service", ""),
        ("/system.slice/x.service/user@1000.service/y.service", "system x.service", ""),
        ("/user.slice/user-1000.slice/session-3.scope/nginx.service", "", ""),
        ("/user.slice/user-1000.slice/session-3.scope/system.slice/nginx.service", "", ""),
        ("/system.slice/crun-box.scope/system.slice/nginx.service", "", ""),
        ("/init.scope/system.slice/nginx.service", "", ""),
    ]);
}

#[test]
fn services_of_users() {
    check(&[
        ("USER", "", ""),
        ("USER/", "", ""),
        ("USER/init.scope", "", ""),
        ("USER/app.slice/foo.service", "user 1000 foo.service", ""),
        ("USER/app.slice/app-x.slice/foo@1.service/worker", "user 1000 foo@1.service", ""),
        ("USER/session.slice/pipewire-pulse.socket", "user 1000 pipewire-pulse.socket", ""),
        ("USER/app.slice/app-server.service", "user 1000 app-server.service", ""),
        ("USER/foo.service/bar.service", "user 1000 foo.service", ""),
        ("USER/app.slice/_memory.service", "user 1000 memory.service", ""),
        ("/user.slice/user-0.slice/user@0.service/app.slice/x.service", "user 0 x.service", ""),
        ("/system.slice/user@x.service/y", "system user@x.service", ""),
        ("/user.slice/user@01000.service/x.service", "system user@01000.service", ""),
        ("/user.slice/user@4294967296.service/x.service", "system user@4294967296.service", ""),
    ]);
}

/// A user makes any cgroups below the manager that runs as that user.
#[test]
fn user_made_cgroups_name_no_system_unit() {
    check(&[
        ("USER/system.slice/nginx.service", "user 1000 nginx.service", ""),
        ("USER/user@0.service/app.slice/nginx.service", "user 1000 user@0.service", ""),
        ("USER/user.slice/user-0.slice/user@0.service/nginx.service", "user 1000 user@0.service", ""),
        ("USER/docker-ID.scope/nginx.service", "", "docker ID of 1000"),
        ("USER/docker-ID.scope/system.slice/nginx.service", "", "docker ID of 1000"),
        (
            "USER/app.slice/x.service/lxc.payload.a/system.slice/nginx.service",
            "user 1000 x.service",
            "lxc a of 1000",
        ),
        ("USER/machine-a.scope/payload/system.slice/nginx.service", "", "systemd-nspawn a of 1000"),
        ("USER/app.slice/x*.service", "", ""),
        ("USER/init.scope/system.slice/nginx.service", "", ""),
    ]);
}

#[test]
fn desktops() {
    check(&[
        ("USER/app.slice/app-gnome-code-31337.scope", "", ""),
        ("USER/app.slice/app-org.kde.konsole-5c.scope", "", ""),
        ("USER/app.slice/app-flatpak-org.x-12.scope", "", ""),
        ("USER/app.slice/snap.code.code-5c.scope", "", ""),
        ("USER/app.slice/snap.microk8s.daemon.service", "user 1000 snap.microk8s.daemon.service", ""),
        ("USER/app.slice/app-org.gnome.Terminal.slice/vte-spawn-5c.scope", "", ""),
        (r"USER/app.slice/app-gnome\x2dterminal@5c.service", "", ""),
        ("USER/app.slice/app-firefox@autostart.service", "", ""),
        ("USER/app.slice/app-org.kde.dolphin.service", "", ""),
        ("USER/app.slice/org.gnome.Shell@wayland.service", "", ""),
        ("USER/session.slice/org.gnome.Shell@wayland.service", "", ""),
        ("USER/session.slice/x.service", "", ""),
        ("USER/app.slice/dbus-:1.2-org.gnome.Nautilus@0.service", "", ""),
        ("/system.slice/app-x@1.service", "system app-x@1.service", ""),
    ]);
}

#[test]
fn containers() {
    check(&[
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
    check(&[
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
        // Stopping the engine would end every pod, or leave this one without an engine.
        ("/system.slice/containerd.service/kubepods-podd5a0_11.slice:cri-containerd:ID", "", "containerd ID"),
        ("/system.slice/k3s.service/kubepods/podd5a0/ID", "", "kubernetes ID"),
        (
            "/docker/OUTER/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod1.slice/cri-containerd-ID.scope",
            "",
            "docker OUTER",
        ),
    ]);
}

/// What is inside names nothing on this machine; the unit outside that runs the container does.
#[test]
fn services_in_containers_and_containers_in_services() {
    check(&[
        ("/docker/ID/system.slice/nginx.service", "", "docker ID"),
        ("/system.slice/docker-ID.scope/system.slice/nginx.service", "", "docker ID"),
        ("/machine.slice/libpod-ID.scope/container/system.slice/nginx.service", "", "podman ID"),
        ("/lxc.payload.web/system.slice/nginx.service", "", "lxc web"),
        ("/lxc/web/system.slice/nginx.service", "", "lxc web"),
        ("/kubepods/besteffort/pod1/ID/system.slice/nginx.service", "", "kubernetes ID"),
        ("/kubepods.slice/kubepods-pod1.slice/crio-ID.scope/system.slice/x.service", "", "cri-o ID"),
        ("/machine.slice/machine-box.scope/payload/system.slice/nginx.service", "", "systemd-nspawn box"),
        ("/docker/ID/user.slice/user-1000.slice/user@1000.service/app.slice/x.service", "", "docker ID"),
        ("/system.slice/web.service/libpod-payload-ID", "system web.service", "podman ID"),
        ("/system.slice/web.service/libpod-payload-ID/x.service", "system web.service", "podman ID"),
        ("/system.slice/web.service/runtime", "system web.service", ""),
        ("USER/app.slice/web.service/libpod-payload-ID", "user 1000 web.service", "podman ID of 1000"),
        ("/system.slice/lxc@web.service/lxc.payload.web", "system lxc@web.service", "lxc web"),
        ("/system.slice/lxc.service/lxc.payload.web", "", "lxc web"),
        ("/system.slice/docker.service/docker-ID", "", "docker ID"),
        ("/system.slice/web.service/nested/docker-ID", "", "docker ID"),
        ("USER/user.slice/libpod-ID.scope/container", "", "podman ID of 1000"),
        ("USER/user.slice/libpod-ID.scope/system.slice/x.service", "", "podman ID of 1000"),
        (
            r"/machine.slice/systemd-nspawn@my\x2dweb.service/payload/system.slice/x.service",
            r"system systemd-nspawn@my\x2dweb.service",
            "systemd-nspawn my-web",
        ),
        ("/machine.slice/systemd-nspawn@web.service/supervisor", "system systemd-nspawn@web.service", ""),
        ("/docker/OUTER/docker/ID", "", "docker OUTER"),
    ]);
}

/// An engine that is not known here and names a container's cgroup `box`.
#[test]
fn cgroups_that_are_not_systemds() {
    for path in ["/box/system.slice/nginx.service", "/box/a/nginx.service"] {
        assert_eq!(found(&whole(), path, false).0, "", "a process of another pid namespace");
        assert_eq!(found(&whole(), path, true).0, "system nginx.service");
    }
    assert_eq!(found(&whole(), "/box/x", true), Default::default());
}

#[test]
fn the_manager_root_is_found() {
    let at = |path: &str| Root::At(path.into());
    let systemd = |path: &str, whole| Root::from(Some(b"systemd\n"), Some(path.as_bytes()), whole);
    assert_eq!(systemd("/init.scope", true), at(""));
    assert_eq!(systemd("/init.scope", false), at(""));
    assert_eq!(systemd("/", false), at(""));
    assert_eq!(systemd("/docker/ID/init.scope", true), at("/docker/ID"));
    assert_eq!(systemd("/../../init.scope", false), at("/../.."));
    assert_eq!(Root::from(Some(b"sh\n"), Some(b"/docker/ID"), true), at(""));
    assert_eq!(Root::from(Some(b"sh\n"), Some(b"/"), false), Root::Unknown);
    assert_eq!(Root::from(None, None, true), at(""));
}

#[test]
fn paths_from_inside_a_container() {
    let none = ("".to_owned(), "".to_owned());
    let nginx = ("system nginx.service".to_owned(), "".to_owned());
    // systemd is the first process there, and paths are the host's.
    let inside = Root::At(format!("/docker/{ID}").into());
    assert_eq!(found(&inside, "/docker/ID/system.slice/nginx.service", true), nginx);
    assert_eq!(found(&inside, "/docker/IDx/system.slice/nginx.service", true).0, "");
    assert_eq!(found(&inside, "/system.slice/nginx.service", true), none);
    // Processes of the host, in a container that shares its pids and has a cgroup namespace.
    let sharing = Root::At(b"/../..".to_vec());
    assert_eq!(found(&sharing, "/../../system.slice/nginx.service", true), nginx);
    assert_eq!(found(&sharing, "/../../../system.slice/nginx.service", true), none);
    assert_eq!(found(&sharing, "/system.slice/nginx.service", true), none);
    // No systemd is the first process: what the paths begin with is unknown.
    assert_eq!(found(&Root::Unknown, "/system.slice/nginx.service", true), none);
    assert_eq!(found(&Root::Unknown, "/../docker/ID", true).1, "docker ID");
    assert_eq!(found(&whole(), "/../system.slice/nginx.service", true), none);
}

proptest! {
    #[test]
    fn any_bytes(root: Vec<u8>, path: Vec<u8>, own_pids: bool) {
        let _ = belongs_to(&Root::At(root), &path, &mut || own_pids);
    }

    /// Whatever a user makes below the user's manager, it is no unit of the system's or of another user.
    #[test]
    fn no_claim_about_another_manager(parts in prop::collection::vec(
        prop::sample::select(vec![
            "system.slice", "nginx.service", "user@0.service", "user@1000.service", "lxc.payload.a", "supervisor",
            "machine-a.scope", "systemd-nspawn@a.service", "payload", "..", "docker", ID, "x.socket", "init.scope",
            "kubepods", "_user@0.service", "a:docker:", "", "user.slice", "user-0.slice",
        ]), 0..8))
    {
        let path = format!("{USER}/{}", parts.join("/"));
        let (service, _) = belongs_to(&whole(), path.as_bytes(), &mut || true);
        prop_assert!(service.is_none_or(|service| service.uid == Some(1000) && service.scope == ServiceScope::User));
    }

    /// Whatever is in a container, it names no unit outside.
    #[test]
    fn no_unit_from_inside(
        boundary in prop::sample::select(vec![
            "/docker/ID", "/system.slice/docker-ID.scope", "/lxc.payload.a", "/lxc/a",
            "/machine.slice/machine-a.scope/payload", "/kubepods/pod1/ID", "/machine.slice/libpod-ID.scope",
            "/k8s.io/ID", "/kubepods.slice/kubepods-pod1.slice/cri-containerd-ID.scope",
        ]),
        parts in prop::collection::vec(prop::sample::select(vec![
            "system.slice", "nginx.service", "user@0.service", "x.socket", "app.slice", "supervisor", "payload",
        ]), 0..5))
    {
        let path = format!("{boundary}/{}", parts.join("/"));
        prop_assume!(!path.ends_with("machine-a.scope/supervisor"));
        prop_assert_eq!(found(&whole(), &path, true).0, "");
    }

    #[test]
    fn any_path_of_known_parts(parts in prop::collection::vec(
        prop::sample::select(vec![
            "lxc", "lxc.payload.", "machine-.scope", r"machine-\x.scope", "user@.service", "docker", "::", ":docker:",
            "user@0.service", "supervisor", "_.service", "", "..", "buildkit", ".scope", ID,
        ]), 0..8))
    {
        let _ = belongs_to(&whole(), parts.join("/").as_bytes(), &mut || true);
    }
}
