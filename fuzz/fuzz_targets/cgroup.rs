//! Paths of cgroups, and the kernel's files they come from. The first byte selects the parser. A path inside a
//! container names no unit of this machine.
#![no_main]

use allears::internals::system;
use libfuzzer_sys::fuzz_target;

const ID: &str = "4f1d5a0c9b7e83264f1d5a0c9b7e83264f1d5a0c9b7e83264f1d5a0c9b7e8326";

/// Where a container, a machine or its payload begins.
const BOUNDARIES: [&str; 12] = [
    "/docker/ID",
    "/system.slice/docker-ID.scope",
    "/machine.slice/libpod-ID.scope",
    "/libpod_parent/libpod-ID",
    "/system.slice/web.service/libpod-payload-ID",
    "/k8s.io/ID",
    "/kubepods.slice/kubepods-podd5a0_11.slice/cri-containerd-ID.scope",
    "/kubepods.slice/kubepods-podd5a0_11.slice/crio-ID.scope",
    "/lxc.payload.web",
    "/lxc/web",
    "/machine.slice/machine-web.scope/payload",
    "/machine.slice/systemd-nspawn@web.service/payload",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 8 {
        0 => path(bytes),
        1 | 2 => through_a_boundary(bytes),
        3 => below_a_user_manager(bytes),
        4 => of_process(bytes),
        5 => {
            let members = system::cgroup_members(bytes);
            assert!(members.iter().all(|pid| *pid != 0));
            let written: String = members.iter().map(|pid| format!("{pid}\n")).collect();
            assert_eq!(system::cgroup_members(written.as_bytes()), members);
        }
        6 => {
            let mounts = system::cgroup_mounts(bytes);
            assert!(mounts.len() <= bytes.split(|byte| *byte == b'\n').count());
            assert!(mounts.is_sorted_by_key(|(root, _)| root.len()));
        }
        _ => mount(bytes),
    }
});

fn path(bytes: &[u8]) {
    let (service, container) = system::cgroup_belongs_to(bytes);
    if let Some(service) = &service {
        let name = service.name.as_str().expect("a unit's name is ASCII");
        // systemd.unit(5): the characters of a name, its length, and the types that hold processes or sockets.
        assert!(name.len() <= 255, "{name}");
        assert!(
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte)),
            "{name}"
        );
        let (stem, kind) = name.rsplit_once('.').expect("a name has a type");
        assert!(!stem.is_empty() && matches!(kind, "service" | "socket" | "scope"), "{name}");
        assert!(service.scope == "system".into() || service.scope == "user".into());
        assert!(bytes.split(|byte| *byte == b'/').any(|part| part.ends_with(name.as_bytes())), "{name}");
    }
    if let Some(container) = &container {
        assert!(!container.id.is_empty());
        assert_eq!((&container.image, &container.port, &container.compose), (&None, &None, &None));
    }
    // A slash more or less is the same path.
    let doubled = bytes.iter().flat_map(|byte| if *byte == b'/' { vec![b'/', b'/'] } else { vec![*byte] });
    assert_eq!(system::cgroup_belongs_to(&doubled.collect::<Vec<u8>>()), (service, container));
}

/// Any path, a boundary, and any path in it.
fn through_a_boundary(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else { return };
    let boundary = BOUNDARIES[usize::from(*which) % BOUNDARIES.len()].replace("ID", ID);
    let mut halves = bytes.splitn(2, |byte| *byte == 0);
    let (before, inside) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
    let outside = [before, boundary.as_bytes()].concat();
    let whole = [&outside, &b"/"[..], inside].concat();
    path(&whole);
    let (service, container) = system::cgroup_belongs_to(&whole);
    assert!(container.is_some(), "the container is lost");
    let (outer, _) = system::cgroup_belongs_to(&outside);
    assert!(service.is_none() || service == outer, "{service:?} is inside, {outer:?} outside");
}

/// Whatever a user creates there, it is a unit of that user's manager.
fn below_a_user_manager(bytes: &[u8]) {
    if bytes.contains(&0) {
        return;
    }
    let whole = [b"/user.slice/user-1000.slice/user@1000.service/x.slice/", bytes].concat();
    path(&whole);
    let (service, _) = system::cgroup_belongs_to(&whole);
    let is_of_the_user = |service: &allears::Service| {
        service.scope == "user".into() || service.name == "user@1000.service".into()
    };
    assert!(service.as_ref().is_none_or(is_of_the_user), "{service:?}");
}

fn of_process(bytes: &[u8]) {
    for other in system::cgroup_of_process_elsewhere(bytes) {
        assert!(other.starts_with(b"/") && other.len() > 1);
    }
    if let Some(path) = system::cgroup_of_process(bytes) {
        assert!(path.starts_with(b"/") && !path.contains(&b'\n'));
        let deleted = path.ends_with(b" (deleted)");
        let again = system::cgroup_of_process(&[b"0::", &path[..], b"\n"].concat());
        assert!(deleted || again == Some(path));
    }
}

/// Root and mount point may have any bytes but NUL; the kernel writes some of them in octal digits.
fn mount(bytes: &[u8]) {
    if bytes.contains(&0) {
        return;
    }
    let mut halves = bytes.splitn(2, |byte| *byte == b'\t');
    let root = [b"/", halves.next().unwrap_or_default()].concat();
    let point = [b"/", halves.next().unwrap_or_default()].concat();
    let escaped = |bytes: &[u8]| -> Vec<u8> {
        let escape = |byte: &u8| match byte {
            b' ' | b'\t' | b'\n' | b'\\' => format!("\\{byte:03o}").into_bytes(),
            byte => vec![*byte],
        };
        bytes.iter().flat_map(escape).collect()
    };
    let line = [
        b"29 23 0:26 ",
        &escaped(&root)[..],
        b" ",
        &escaped(&point)[..],
        b" rw,nosuid shared:9 - cgroup2 cgroup2 rw\n",
    ];
    assert_eq!(system::cgroup_mounts(&line.concat()), [(root, point)]);
}
