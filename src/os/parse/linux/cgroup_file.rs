//! /proc/PID/cgroup (cgroups(7)), and the control files of a cgroup. Pure.

use crate::os::parse::program_link::deleted_path;

/// Returns the pids in cgroup.procs, without 0, which stands for a process outside of this pid namespace.
pub(in crate::os) fn parse_members(bytes: &[u8]) -> impl Iterator<Item = u32> {
    let pid = |line: &[u8]| std::str::from_utf8(line).ok()?.parse().ok();
    bytes.split(|byte| *byte == b'\n').filter_map(pid).filter(|pid| *pid != 0)
}

/// Returns the path in /proc/PID/cgroup: that in the v2 tree, or in systemd's own tree if it keeps one beside it.
pub(in crate::os) fn path_of_process(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut unified = None;
    let mut systemd = None;
    for line in bytes.split(|byte| *byte == b'\n') {
        let mut fields = line.splitn(3, |byte| *byte == b':');
        let (Some(hierarchy), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        if !path.starts_with(b"/") {
            continue;
        }
        match (hierarchy, controllers) {
            // The kernel marks a cgroup that was removed while a process in it has not ended yet.
            (b"0", b"") => unified = Some(deleted_path(path).unwrap_or(path)),
            (_, b"name=systemd") => systemd = Some(path),
            _ => {}
        }
    }
    let path = unified.filter(|path| *path != b"/").or(systemd).or(unified)?;
    Some(path.to_vec())
}

/// Returns the paths in the other trees of /proc/PID/cgroup, those of cgroup v1. Some runtimes create their cgroups
/// only there.
pub(in crate::os) fn other_paths_of_process(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.splitn(3, |byte| *byte == b':');
        let (hierarchy, path) = (fields.next()?, fields.nth(1)?);
        (hierarchy != b"0" && path.starts_with(b"/") && path != b"/").then_some(path)
    })
}

/// Returns whether a unit is a part of any path in /proc/PID/cgroup.
pub(in crate::os) fn has_unit(bytes: &[u8], unit: &[u8]) -> bool {
    bytes.split(|byte| matches!(byte, b'/' | b'\n')).any(|part| part == unit)
}

/// Returns the path in a tree of cgroup v1 with this controller.
pub(in crate::os) fn path_of_controller<'a>(bytes: &'a [u8], controller: &[u8]) -> Option<&'a [u8]> {
    lines(bytes).find_map(|(hierarchy, controllers, path)| {
        let has = || controllers.split(|byte| *byte == b',').any(|name| name == controller);
        (hierarchy != b"0" && path.starts_with(b"/") && has()).then_some(path)
    })
}

/// Returns the path in the cgroup v2 tree.
pub(in crate::os) fn unified(bytes: &[u8]) -> Option<&[u8]> {
    lines(bytes).find_map(|(hierarchy, controllers, path)| {
        (hierarchy == b"0" && controllers.is_empty() && path.starts_with(b"/")).then_some(path)
    })
}

/// Returns the lines of /proc/PID/cgroup: the hierarchy's number, its controllers, the path.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8], &[u8])> {
    bytes.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.splitn(3, |byte| *byte == b':');
        Some((fields.next()?, fields.next()?, fields.next()?))
    })
}

/// Returns whether the cgroup is frozen, by its cgroup.events (version 2).
pub(in crate::os) fn is_frozen(events: &[u8]) -> bool {
    events.split(|byte| *byte == b'\n').any(|line| line == b"frozen 1")
}

/// Returns whether the cgroup is frozen, by its freezer.state (version 1).
pub(in crate::os) fn has_state_frozen(state: &[u8]) -> bool {
    state.trim_ascii() == b"FROZEN"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn which_cgroup_a_process_is_in() {
        for (file, path) in [
            (&b"0::/system.slice/nginx.service\n"[..], Some(&b"/system.slice/nginx.service"[..])),
            (b"9:name=systemd:/user.slice\n4:memory:/x\n0::/\n", Some(b"/user.slice")),
            (b"9:name=systemd:/user.slice\n4:memory:/x\n", Some(b"/user.slice")),
            (b"9:name=systemd:/a\n0::/b\n", Some(b"/b")),
            (b"9:name=systemd:/\n0::/\n", Some(b"/")),
            (b"0::/\n", Some(b"/")),
            (b"0::/a:b c\n", Some(b"/a:b c")),
            (b"0::/gone (deleted)\n", Some(b"/gone")),
            (b"0::/../x\n", Some(b"/../x")),
            (b"0::/\xff\n", Some(b"/\xff")),
            (b"4:memory:/x\n", None),
            (b"0::\n0:\n\n", None),
            (b"", None),
        ] {
            assert_eq!(path_of_process(file).as_deref(), path, "{}", file.escape_ascii());
        }
    }

    #[test]
    fn which_other_cgroups_a_process_is_in() {
        let paths = |file: &'static [u8]| other_paths_of_process(file).collect::<Vec<_>>();
        assert_eq!(
            paths(b"9:name=systemd:/a\n4:memory:/docker/x:y\n3:cpu:/\n2:cpuset\n0::/b\nx:y:z\n"),
            [&b"/a"[..], b"/docker/x:y"]
        );
        assert!(paths(b"").is_empty());
    }

    #[test]
    fn who_is_in_it() {
        let pids = |bytes: &[u8]| parse_members(bytes).collect::<Vec<_>>();
        assert_eq!(pids(b"812\n813\n0\n"), [812, 813]);
        assert_eq!(pids(b"\n-1\n99999999999\nx\n7"), [7]);
    }

    #[test]
    fn paths_in_other_trees() {
        let file = b"6:freezer:/a\n5:cpu,cpuacct:/b\n0::/c\n";
        assert_eq!(path_of_controller(file, b"freezer"), Some(&b"/a"[..]));
        assert_eq!(path_of_controller(file, b"cpuacct"), Some(&b"/b"[..]));
        assert_eq!(path_of_controller(file, b"memory"), None);
        assert_eq!(unified(file), Some(&b"/c"[..]));
        // Version 2 has the number 0 and names no controllers.
        assert_eq!(unified(b"1::/a\n0:cpu:/b\n0::c\n0::/d\n"), Some(&b"/d"[..]));
        assert_eq!(
            path_of_controller(b"0:freezer:/a\n6:freezer:b\n6:freezer:/c\n", b"freezer"),
            Some(&b"/c"[..])
        );
    }

    #[test]
    fn units() {
        let file = b"0::/system.slice/web.service\n";
        assert!(has_unit(file, b"web.service") && has_unit(file, b"system.slice"));
        assert!(!has_unit(file, b"web"));
    }

    #[test]
    fn frozen_cgroups() {
        assert!(is_frozen(b"populated 1\nfrozen 1\n"));
        assert!(!is_frozen(b"populated 1\nfrozen 0\n"));
        assert!(has_state_frozen(b"FROZEN\n"));
        assert!(!has_state_frozen(b"FREEZING\n"));
    }

    proptest! {
        #[test]
        fn any_bytes(bytes: Vec<u8>) {
            let _ = (path_of_process(&bytes), parse_members(&bytes).count(), is_frozen(&bytes));
            let _ = (path_of_controller(&bytes, b"freezer"), unified(&bytes));
            prop_assert!(other_paths_of_process(&bytes).all(|path| path.starts_with(b"/")));
        }
    }
}
