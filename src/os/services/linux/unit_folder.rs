//! The folders of unit files, and reading their files.
//!
//! Users control their own folders: when root reads there, it must neither wait (a pipe, a file system that does not
//! answer) nor leave the file system of the folder.

use std::ffi::OsString;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags};

use super::systemd::SystemdInstance;
use crate::os::linux_api::procfs;
use crate::os::parse::linux::mountinfo::mount_lines;
use crate::os::users;

/// The most bytes that are read of a unit's file.
const LONGEST_FILE: u64 = 64 << 10;
/// The most drop-ins of one unit in one folder.
const MOST_DROP_INS: usize = 64;
/// File systems that are served neither by another machine nor by a program of a user.
const LOCAL: [&[u8]; 12] = [
    b"ext2",
    b"ext3",
    b"ext4",
    b"xfs",
    b"btrfs",
    b"zfs",
    b"f2fs",
    b"bcachefs",
    b"tmpfs",
    b"ramfs",
    b"overlay",
    b"jfs",
];

/// A folder of unit files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct Folder {
    path: PathBuf,
    /// Whether it belongs to a user other than root.
    of_user: bool,
}

/// Returns the folders of a manager, the most important first (systemd.unit(5), "Unit File Load Path", with the folders
/// that the variables of a user's session name by default).
pub(in crate::os) fn folders(manager: SystemdInstance) -> Vec<Folder> {
    match manager {
        SystemdInstance::System => [
            "/etc/systemd/system.control",
            "/run/systemd/system.control",
            "/run/systemd/transient",
            "/run/systemd/generator.early",
            "/etc/systemd/system",
            "/run/systemd/system",
            "/run/systemd/generator",
            "/usr/local/lib/systemd/system",
            "/usr/lib/systemd/system",
            "/lib/systemd/system",
            "/run/systemd/generator.late",
        ]
        .map(|path| Folder::system_folder(path.into()))
        .into(),
        SystemdInstance::User(uid) => user_folders(uid, users::home(uid).as_deref()),
    }
}

fn user_folders(uid: u32, home: Option<&Path>) -> Vec<Folder> {
    let run = PathBuf::from(format!("/run/user/{uid}/systemd"));
    let own = |path: PathBuf| Some(Folder { path, of_user: true });
    let root = |path: &str| Some(Folder::system_folder(path.into()));
    let home = |below: &str| own(home.filter(|home| home.is_absolute())?.join(below));
    [
        home(".config/systemd/user.control"),
        own(run.join("user.control")),
        own(run.join("transient")),
        own(run.join("generator.early")),
        home(".config/systemd/user"),
        root("/etc/xdg/systemd/user"),
        root("/etc/systemd/user"),
        own(run.join("user")),
        root("/run/systemd/user"),
        own(run.join("generator")),
        home(".local/share/systemd/user"),
        root("/usr/local/share/systemd/user"),
        root("/usr/share/systemd/user"),
        root("/usr/local/lib/systemd/user"),
        root("/usr/lib/systemd/user"),
        root("/lib/systemd/user"),
        own(run.join("generator.late")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl Folder {
    pub(in crate::os) fn system_folder(path: PathBuf) -> Folder {
        Folder { path, of_user: false }
    }

    /// Returns a file's bytes. `None` if there is no such file, `Some(None)` if it is empty (the unit is masked) or may
    /// not be read.
    pub(in crate::os) fn read(&self, name: &str) -> Option<Option<Vec<u8>>> {
        let file = match self.open(name, OFlags::NONBLOCK) {
            Ok(file) => file,
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return None,
            Err(_) => return Some(None),
        };
        let is_file = rustix::fs::fstat(&file)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
        let mut bytes = Vec::new();
        let read = is_file.then(|| std::fs::File::from(file).take(LONGEST_FILE).read_to_end(&mut bytes));
        Some(Some(bytes).filter(|bytes| matches!(read, Some(Ok(_))) && !bytes.is_empty()))
    }

    /// Returns the drop-ins of a unit: their names and bytes.
    pub(in crate::os) fn drop_ins(&self, unit: &str) -> Vec<(OsString, Vec<u8>)> {
        let folder = format!("{unit}.d");
        let names = self.list(&folder, ".conf", MOST_DROP_INS);
        let drop_in = |name: OsString| {
            let bytes = self.read(&format!("{folder}/{}", name.to_str()?))??;
            Some((name, bytes))
        };
        names.into_iter().filter_map(drop_in).collect()
    }

    /// Returns the names of some files with this ending.
    pub(in crate::os) fn names(&self, ending: &str, most: usize) -> Vec<String> {
        self.list("", ending, most).into_iter().filter_map(|name| name.into_string().ok()).collect()
    }

    fn list(&self, below: &str, ending: &str, most: usize) -> Vec<OsString> {
        let entries = self.open(below, OFlags::DIRECTORY).and_then(Dir::new);
        entries
            .into_iter()
            .flatten()
            .map_while(Result::ok)
            .map(|entry| OsString::from_vec(entry.file_name().to_bytes().to_vec()))
            .filter(|name| name.as_bytes().ends_with(ending.as_bytes()))
            .take(most)
            .collect()
    }

    fn open(&self, below: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
        // An empty name would end the path in a slash.
        let path = if below.is_empty() { self.path.clone() } else { self.path.join(below) };
        if !self.of_user {
            return rustix::fs::open(path, flags, Mode::empty());
        }
        let mounts = procfs::read_at(rustix::fs::CWD, "/proc/self/mountinfo", u64::MAX);
        let mount = mounts.ok().and_then(|mounts| local_mount(&mounts, &path));
        let mount = mount.ok_or(rustix::io::Errno::XDEV)?;
        let below = path.strip_prefix(&mount).map_err(|_| rustix::io::Errno::XDEV)?;
        let root = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mount = rustix::fs::open(mount, root, Mode::empty())?;
        // Linux 5.6. An older kernel refuses, and nothing is read.
        let within = ResolveFlags::NO_XDEV | ResolveFlags::NO_MAGICLINKS;
        rustix::fs::openat2(mount, below, flags, Mode::empty(), within)
    }
}

/// Returns the mount point that a path is below, by /proc/self/mountinfo, without touching the path itself. `None` if
/// another machine or a program serves that file system.
fn local_mount(mountinfo: &[u8], path: &Path) -> Option<PathBuf> {
    let (point, kind) = mount_lines(mountinfo)
        .map(|mount| (PathBuf::from(OsString::from_vec(mount.point())), mount.kind))
        .filter(|(point, _)| path.starts_with(point))
        // Of equal mount points the last one is on top.
        .max_by_key(|(point, _)| point.as_os_str().len())?;
    LOCAL.contains(&kind).then_some(point)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_folder_is_on() {
        let mounts = b"22 1 0:21 / / rw - ext4 /dev/a rw\n\
            23 22 0:22 / /home rw shared:5 - autofs auto rw\n\
            24 23 0:23 / /home/dev rw - nfs4 server:/ rw\n\
            25 22 0:24 / /run rw - tmpfs tmpfs rw\n\
            26 25 0:25 / /run/user/1000/fuse rw - fuse.x x rw\n\
            27 22 0:26 / /srv rw - ext4 /dev/b rw\n\
            28 22 0:27 / /srv rw - fuse x rw\n\
            29 22 0:28 / /with\\040space rw - xfs /dev/c rw\n";
        let on = |path: &str| local_mount(mounts, Path::new(path)).map(|point| point.display().to_string());
        assert_eq!(on("/root/.config").as_deref(), Some("/"));
        assert_eq!(on("/run/user/1000/systemd").as_deref(), Some("/run"));
        assert_eq!(on("/running").as_deref(), Some("/"));
        assert_eq!(on("/with space/x").as_deref(), Some("/with space"));
        for path in ["/home/dev/.config", "/home/other", "/run/user/1000/fuse/x", "/srv/x"] {
            assert_eq!(on(path), None, "{path}");
        }
        assert_eq!(local_mount(b"", Path::new("/")), None);
    }

    #[test]
    fn folders_in_their_order() {
        let paths = |folders: Vec<Folder>| -> Vec<(String, bool)> {
            folders.into_iter().map(|it| (it.path.display().to_string(), it.of_user)).collect()
        };
        let user = paths(user_folders(1000, Some(Path::new("/home/dev"))));
        assert_eq!(user[0], ("/home/dev/.config/systemd/user.control".to_owned(), true));
        assert!(user.contains(&("/run/user/1000/systemd/transient".to_owned(), true)));
        assert!(user.contains(&("/usr/lib/systemd/user".to_owned(), false)));
        assert_eq!(paths(user_folders(1000, None)).len(), user.len() - 3);
        assert_eq!(user_folders(1000, Some(Path::new(""))).len(), user.len() - 3);
        assert!(paths(folders(SystemdInstance::System)).iter().all(|(_, of_user)| !of_user));
    }

    /// Files that a user could put in root's way.
    #[test]
    fn nothing_waits_and_nothing_leads_elsewhere() {
        let root = std::env::temp_dir().join(format!("allears-unit-folder-{}", std::process::id()));
        std::fs::create_dir_all(root.join("x.socket.d")).unwrap();
        std::fs::write(root.join("x.socket"), "[Socket]\n").unwrap();
        std::fs::write(root.join("empty.socket"), "").unwrap();
        std::fs::write(root.join("x.socket.d/a.conf"), "a=b\n").unwrap();
        nix::unistd::mkfifo(&root.join("pipe.socket"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::os::unix::fs::symlink("/dev/null", root.join("masked.socket")).unwrap();
        std::os::unix::fs::symlink("/proc/self/status", root.join("away.socket")).unwrap();
        std::os::unix::fs::symlink("x.socket", root.join("alias.socket")).unwrap();
        for of_user in [false, true] {
            let folder = Folder { path: root.clone(), of_user };
            if of_user && folder.open("", OFlags::DIRECTORY).is_err() {
                eprintln!("skipped: needs a local file system and Linux 5.6");
                continue;
            }
            assert_eq!(folder.read("x.socket"), Some(Some(b"[Socket]\n".to_vec())));
            assert_eq!(folder.read("alias.socket"), Some(Some(b"[Socket]\n".to_vec())));
            assert_eq!(folder.read("none.socket"), None);
            for name in ["empty.socket", "pipe.socket", "masked.socket"] {
                assert_eq!(folder.read(name), Some(None), "{name}");
            }
            assert_eq!(folder.read("away.socket").flatten().is_some(), !of_user);
            assert_eq!(folder.drop_ins("x.socket"), [("a.conf".into(), b"a=b\n".to_vec())]);
            assert_eq!(folder.names(".socket", 100).len(), 6);
            assert_eq!(folder.names(".socket", 2).len(), 2);
        }
        std::fs::remove_dir_all(&root).unwrap();
    }

    proptest! {
        #[test]
        fn any_bytes(bytes: Vec<u8>) {
            let _ = local_mount(&bytes, Path::new("/home/dev"));
        }
    }
}
