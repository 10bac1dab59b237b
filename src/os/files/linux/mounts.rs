//! Which paths are certain not to wait for another machine or another process: those without a remote file system on
//! the way. The kernel lists the mounts in /proc/self/mountinfo (proc_pid_mountinfo(5)) without touching any of them.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::ffi::{CString, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType};

use crate::os::linux_api::procfs;
use crate::os::parse::linux::mountinfo::{MountLine, mount_lines};

/// File systems that this kernel serves by itself. Any other type may have to wait for a server: nfs, cifs, 9p, ceph,
/// fuse; autofs starts a program.
///
/// An overlay is as local as its layers, which are where a container engine keeps its images.
const LOCAL: [&str; 45] = [
    "adfs",
    "affs",
    "bcachefs",
    "binder",
    "binfmt_misc",
    "bpf",
    "btrfs",
    "cgroup",
    "cgroup2",
    "configfs",
    "cramfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "ecryptfs",
    "efivarfs",
    "erofs",
    "exfat",
    "ext2",
    "ext3",
    "ext4",
    "f2fs",
    "fusectl",
    "hfsplus",
    "hugetlbfs",
    "iso9660",
    "jffs2",
    "jfs",
    "mqueue",
    "nsfs",
    "ntfs3",
    "overlay",
    "proc",
    "pstore",
    "ramfs",
    "rootfs",
    "securityfs",
    "squashfs",
    "sysfs",
    "tmpfs",
    "tracefs",
    "ubifs",
    "vfat",
    "xfs",
    "zfs",
];
/// The most links that are followed on one path, as in the kernel.
const MOST_LINKS: usize = 40;
/// More than the mounts of any machine.
const LONGEST: u64 = 16 << 20;

/// The mount points of remote file systems in a mount namespace.
#[derive(Debug)]
pub(in crate::os) struct Mounts {
    remote: Vec<PathBuf>,
    /// The path of the root directory of these mounts: empty for this process's own.
    base: PathBuf,
    /// Directories that are known not to be links, and whose parents are known not to be.
    plain: BTreeSet<PathBuf>,
}

/// How a path can be read.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::os) enum Route {
    /// The same file by a path without links, all of which is on local file systems.
    Local(PathBuf),
    /// Nothing is at the path.
    Absent,
    /// It is on a file system that may not answer.
    Remote,
}

impl Mounts {
    /// Reads the mounts of this process. `None` if they cannot be read.
    pub(in crate::os) fn read() -> Option<Mounts> {
        let table = procfs::read_at(CWD, "/proc/self/mountinfo", LONGEST).ok()?;
        let mut remote = remote_mount_points(&table);
        // If the root is remote, so is everything that this process runs from: if the root does not answer, nothing
        // does.
        remote.retain(|mount| mount != Path::new("/"));
        Some(Mounts { remote, base: PathBuf::new(), plain: BTreeSet::new() })
    }

    /// Returns the same place as a path for this process.
    fn to_own_path(&self, place: &Path) -> PathBuf {
        match self.base.as_os_str().is_empty() {
            true => place.to_owned(),
            false => self.base.join(place.strip_prefix("/").unwrap_or(place)),
        }
    }

    /// Returns whether the root directory of a process is on a remote file system. True also if that is unknown.
    pub(in crate::os) fn has_remote_root(process: impl std::os::fd::AsFd) -> bool {
        let table = procfs::read_at(process, "mountinfo", LONGEST);
        table.map_or(true, |table| remote_mount_points(&table).iter().any(|place| place == Path::new("/")))
    }

    /// Finds out what a path leads to without touching a remote file system. With `follow`, a link at its end is
    /// followed.
    pub(in crate::os) fn route(&mut self, path: &Path, follow: bool) -> Route {
        if !path.is_absolute() || self.is_remote(Path::new("/")) {
            return Route::Remote;
        }
        let mut rest: Vec<OsString> = Vec::new();
        push(&mut rest, path);
        let mut place = PathBuf::from("/");
        let mut links = 0;
        while let Some(name) = rest.pop() {
            if name == ".." {
                place.pop();
                continue;
            }
            let next = place.join(&name);
            if self.is_remote(&next) {
                return Route::Remote;
            }
            let last = rest.is_empty();
            if (last && !follow) || self.plain.contains(&next) {
                place = next;
                continue;
            }
            let Ok(stat) = rustix::fs::statat(CWD, self.to_own_path(&next), AtFlags::SYMLINK_NOFOLLOW) else {
                return Route::Absent;
            };
            match FileType::from_raw_mode(stat.st_mode) {
                // These links lead elsewhere than their text says: to a root directory in another mount namespace, to
                // an open file.
                FileType::Symlink if is_process_directory(&place) => return Route::Remote,
                FileType::Symlink => {
                    links += 1;
                    let target = rustix::fs::readlink(self.to_own_path(&next), Vec::new());
                    let Some(target) = target.ok().filter(|_| links <= MOST_LINKS) else {
                        return Route::Absent;
                    };
                    let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                    if target.is_absolute() {
                        place = PathBuf::from("/");
                    }
                    push(&mut rest, &target);
                }
                kind => {
                    if kind == FileType::Directory {
                        self.plain.insert(next.clone());
                    }
                    place = next;
                }
            }
        }
        Route::Local(place)
    }

    /// Returns whether a remote file system is mounted at a path or above it. A file system that is mounted over a
    /// remote one counts as remote.
    fn is_remote(&self, path: &Path) -> bool {
        self.remote.iter().any(|mount| path.starts_with(mount))
    }
}

/// Returns whether a directory is that of a process in /proc, or below it.
fn is_process_directory(directory: &Path) -> bool {
    let mut names = directory.components().skip(1);
    let is_number = |name: Component<'_>| name.as_os_str().as_bytes().iter().all(u8::is_ascii_digit);
    names.next().is_some_and(|name| name.as_os_str() == "proc") && names.next().is_some_and(is_number)
}

/// Pushes the names of a path onto the stack of remaining names, the first on top.
fn push(rest: &mut Vec<OsString>, path: &Path) {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    let at = rest.len();
    rest.extend(names);
    if let Some(new) = rest.get_mut(at..) {
        new.reverse();
    }
}

/// Returns the mount points of remote file systems.
pub(in crate::os) fn remote_mount_points(table: &[u8]) -> Vec<PathBuf> {
    let is_remote = |mount: &MountLine<'_>| !LOCAL.iter().any(|local| local.as_bytes() == mount.kind);
    let remote = mount_lines(table).filter(is_remote);
    remote.map(|mount| PathBuf::from(OsString::from_vec(mount.point()))).collect()
}

/// The mount namespace and the root directory of this process, read when they are first needed. It changes neither.
#[derive(Debug, Default)]
pub(in crate::os) struct OwnView(OnceCell<Option<(CString, CString)>>);

impl OwnView {
    /// Returns whether the working directory of a process is the one that this path names for this process: true if both
    /// have the same mount namespace and root directory, and its own link has this path. The folder itself is not touched.
    /// `None` if its path may mean another folder here.
    pub(in crate::os) fn is_working_directory(&self, pid: u32, path: &Path) -> Option<bool> {
        let link = |path: String| rustix::fs::readlink(path, Vec::new()).ok();
        let view = |process: &str| {
            Some((link(format!("/proc/{process}/ns/mnt"))?, link(format!("/proc/{process}/root"))?))
        };
        let own = self.0.get_or_init(|| view("self")).as_ref()?;
        let same = view(&pid.to_string())? == *own;
        let directory = link(format!("/proc/{pid}/cwd"))?;
        same.then(|| directory.to_bytes() == path.as_os_str().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TABLE: &[u8] = b"22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
        30 22 0:28 / /home/u\\040v rw - fuse.sshfs host: rw\n\
        31 22 0:29 / /srv/nfs rw shared:3 master:1 - nfs4 server:/x rw\n\
        32 31 0:30 / /srv/nfs/local rw - tmpfs tmpfs rw\n\
        torn line\n";

    #[test]
    fn remote_mounts() {
        assert_eq!(remote_mount_points(TABLE), [PathBuf::from("/home/u v"), PathBuf::from("/srv/nfs")]);
        assert_eq!(remote_mount_points(b"22 1 254:1 / / rw - 9p rootfs rw"), [PathBuf::from("/")]);
        assert!(LOCAL.is_sorted());
    }

    #[test]
    fn a_route_passes_no_remote_mount() {
        let folder = std::env::temp_dir().join(format!("allears-mounts-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("a/b")).unwrap();
        let folder = folder.canonicalize().unwrap();
        let link = |target: &str, name: &str| std::os::unix::fs::symlink(target, folder.join(name)).unwrap();
        link("a/../a/b", "inside");
        link("/srv/nfs/x", "outside");
        link("loop", "loop");
        let mut mounts =
            Mounts { remote: remote_mount_points(TABLE), base: PathBuf::new(), plain: BTreeSet::new() };
        let mut route = |path: &str, follow| mounts.route(&folder.join(path), follow);
        assert_eq!(route("a/b", true), Route::Local(folder.join("a/b")));
        assert_eq!(route("inside", true), Route::Local(folder.join("a/b")));
        assert_eq!(route("inside", false), Route::Local(folder.join("inside")));
        assert_eq!(route("a/../inside/..", true), Route::Local(folder.join("a")));
        assert_eq!(route("nothing/b", true), Route::Absent);
        assert_eq!(route("loop", true), Route::Absent);
        assert_eq!(route("outside", true), Route::Remote);
        assert_eq!(route("outside/x", false), Route::Remote);
        assert_eq!(route("outside", false), Route::Local(folder.join("outside")));
        assert_eq!(route("/srv/nfs/local/x", true), Route::Remote, "the way there is remote");
        assert_eq!(mounts.route(Path::new("a"), true), Route::Remote);
        let root = format!("/proc/{}/root/etc", std::process::id());
        assert_eq!(mounts.route(Path::new(&root), true), Route::Remote, "it may be another root");
        std::fs::remove_dir_all(folder).unwrap();
    }

    proptest! {
        #[test]
        fn any_table_is_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = remote_mount_points(&bytes);
        }
    }
}
