//! The mounts of the trees of cgroups in /proc/PID/mountinfo. Pure.

use super::mountinfo::mount_lines;

/// A mount of the tree or of a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct Mount {
    /// The part of the tree that is mounted: `/` for all of it.
    pub(in crate::os) root: Vec<u8>,
    pub(in crate::os) point: Vec<u8>,
}

impl Mount {
    /// Returns the path of a cgroup relative to the mount point. `None` if the mount does not show it.
    pub(in crate::os) fn below<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        // `/..` is above this cgroup namespace; the names of cgroups down from there are unknown.
        let is_outside = |path: &[u8]| path.starts_with(b"/..");
        if is_outside(path) || is_outside(&self.root) {
            return None;
        }
        let root = self.root.strip_suffix(b"/").unwrap_or(&self.root);
        match path.strip_prefix(root)? {
            b"" => Some(b""),
            below => below.strip_prefix(b"/"),
        }
    }
}

/// Returns the mounts of cgroup v1 trees with the freezer in /proc/self/mountinfo, in the order of [`cgroup2_mounts`].
pub(in crate::os) fn freezer_mounts(bytes: &[u8]) -> Vec<Mount> {
    mounts(bytes, |kind, options| {
        kind == b"cgroup" && options.split(|byte| *byte == b',').any(|option| option == b"freezer")
    })
}

/// Returns the cgroup2 mounts in /proc/self/mountinfo, the most complete first, the latest first among equals.
pub(in crate::os) fn cgroup2_mounts(bytes: &[u8]) -> Vec<Mount> {
    mounts(bytes, |kind, _| kind == b"cgroup2")
}

/// Returns the mounts of the file systems with this type and these superblock options.
fn mounts(table: &[u8], is_wanted: impl Fn(&[u8], &[u8]) -> bool) -> Vec<Mount> {
    let wanted = mount_lines(table).rev().filter(|mount| is_wanted(mount.kind, mount.options));
    let mut mounts: Vec<Mount> =
        wanted.map(|mount| Mount { root: mount.root(), point: mount.point() }).collect();
    mounts.sort_by_key(|mount| mount.root.len());
    mounts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn where_the_tree_is_mounted() {
        let hybrid = b"22 27 0:21 / /proc rw,relatime - proc proc rw\n\
            37 31 0:34 / /sys/fs/cgroup/systemd rw shared:5 - cgroup cgroup rw,name=systemd\n\
            38 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 master:1 - cgroup2 cgroup2 rw\n";
        let whole = |point: &[u8]| Mount { root: b"/".to_vec(), point: point.to_vec() };
        assert_eq!(cgroup2_mounts(hybrid), [whole(b"/sys/fs/cgroup/unified")]);
        let part_and_whole = b"40 1 0:38 /docker/4f /mnt/part rw - cgroup2 cgroup rw\n\
            41 1 0:38 / /first rw - cgroup2 cgroup rw\n\
            42 1 0:38 / /a\\040\\134b\\377 rw - cgroup2 cgroup rw\n";
        let part = Mount { root: b"/docker/4f".to_vec(), point: b"/mnt/part".to_vec() };
        assert_eq!(cgroup2_mounts(part_and_whole), [whole(b"/a \\b\xff"), whole(b"/first"), part]);
        for torn in
            [&b""[..], b"40 1 0:38 / /x rw", b"40 1 0:38 / /x rw -", b"40 1 0:38 / /x rw - cgroup", b"-"]
        {
            assert_eq!(cgroup2_mounts(torn), []);
        }
    }

    #[test]
    fn where_a_cgroup_is_below_a_mount() {
        let mount = |root: &[u8]| Mount { root: root.to_vec(), point: b"/m".to_vec() };
        for (root, path, below) in [
            (&b"/"[..], &b"/a/b"[..], Some(&b"a/b"[..])),
            (b"/", b"/", Some(b"")),
            (b"/docker/4f", b"/docker/4f/x", Some(b"x")),
            (b"/docker/4f", b"/docker/4f", Some(b"")),
            (b"/docker/4f", b"/docker/4f2", None),
            (b"/docker/4f", b"/other", None),
            (b"/..", b"/a", None),
            (b"/", b"/../a", None),
        ] {
            assert_eq!(mount(root).below(path), below, "{} {}", root.escape_ascii(), path.escape_ascii());
        }
    }

    #[test]
    fn where_the_freezer_of_version_1_is_mounted() {
        let mounts = b"30 1 0:30 / /c/freezer rw,relatime - cgroup cgroup rw,freezer\n\
            31 1 0:31 / /c/cpu rw - cgroup cgroup rw,cpu,cpuacct\n32 1 0:32 / /u rw - cgroup2 cgroup2 rw\n";
        assert_eq!(freezer_mounts(mounts), [Mount { root: b"/".to_vec(), point: b"/c/freezer".to_vec() }]);
        assert_eq!(cgroup2_mounts(mounts), [Mount { root: b"/".to_vec(), point: b"/u".to_vec() }]);
    }

    proptest! {
        #[test]
        fn any_bytes(bytes: Vec<u8>) {
            let _ = (cgroup2_mounts(&bytes), freezer_mounts(&bytes));
            let _ = Mount { root: bytes.clone(), point: Vec::new() }.below(&bytes);
        }
    }
}
