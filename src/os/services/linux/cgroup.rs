//! The cgroup v2 tree: where the cgroup with a given id is, who is in it, and which cgroup a process is in. What a
//! cgroup's path says of services and containers is the business of `belonging`.
//!
//! The tree may be read by anyone, so that a stranger's socket is told by its cgroup where its holder is hidden.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString, OsStr};
use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, Stat};
use rustix::io::Errno;

use crate::os::table::sys::procfs;

/// A tree deeper than this is nobody's; the kernel allows any depth.
const DEEPEST: usize = 64;
/// The most directory entries that are read in one search. A cgroup has some 20 to 60 files.
const MOST_ENTRIES: usize = 200_000;
/// The most processes that are listed of one cgroup.
const MOST_MEMBERS: usize = 10_000;
/// The most that is read of one file.
const LONGEST_FILE: u64 = 1 << 20;

/// A cgroup in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct Cgroup {
    /// Its id, which is its directory's inode number.
    pub(in crate::os) id: u64,
    /// Its path in the tree, as /proc/PID/cgroup has it: `/system.slice/nginx.service`.
    pub(in crate::os) path: Vec<u8>,
    /// Its directory in the file system.
    pub(in crate::os) directory: PathBuf,
}

/// Where the cgroups with these ids are. One that was removed meanwhile, or that lies outside of what is mounted
/// here, is not among them.
pub(in crate::os) fn paths(ids: &[u64]) -> BTreeMap<u64, Cgroup> {
    if ids.is_empty() {
        return BTreeMap::new();
    }
    let Some((mount, root)) = root() else { return BTreeMap::new() };
    find(&mount, &root, ids)
}

/// The cgroup v2 tree's root directory, or what of the tree is mounted here.
fn root() -> Option<(Mount, OwnedFd)> {
    let mounts = procfs::read_at(rustix::fs::CWD, "/proc/self/mountinfo", u64::MAX).ok()?;
    cgroup2_mounts(&mounts).into_iter().find_map(|mount| {
        let directory = open(rustix::fs::CWD, mount.point.as_slice()).ok()?;
        // Something else may be mounted over it. The number is CGROUP2_SUPER_MAGIC of the kernel's magic.h.
        let is_tree =
            rustix::fs::fstatfs(&directory).is_ok_and(|filesystem| filesystem.f_type == 0x6367_7270);
        is_tree.then_some((mount, directory))
    })
}

/// Opens the directory of the cgroup v2 that the calling process is in. `None` if the tree is not mounted, or does not
/// show that cgroup.
pub(in crate::os) fn own() -> Option<OwnedFd> {
    let bytes = procfs::read_at(rustix::fs::CWD, "/proc/thread-self/cgroup", LONGEST_FILE).ok()?;
    let (mount, root) = root()?;
    match mount.below(unified(&bytes)?)? {
        b"" => Some(root),
        below => open(&root, below).ok(),
    }
}

fn find(mount: &Mount, root: &OwnedFd, ids: &[u64]) -> BTreeMap<u64, Cgroup> {
    let mut wanted: BTreeSet<u64> = ids.iter().copied().collect();
    let mut found = BTreeMap::new();
    // Where the mount shows a part of the tree, what is above it belongs to the path. Ancestors of our own cgroup
    // namespace are written `/..` there, as in /proc/PID/cgroup.
    let above: &[u8] = if mount.root == b"/" { b"" } else { &mount.root };
    visit(root.as_fd(), &mut |below, id| {
        if wanted.remove(&id) {
            let mut path = above.to_vec();
            let mut directory = PathBuf::from(OsStr::from_bytes(&mount.point));
            if !below.is_empty() {
                path.push(b'/');
                path.extend_from_slice(below);
                directory.push(OsStr::from_bytes(below));
            }
            if path.is_empty() {
                path.push(b'/');
            }
            found.insert(id, Cgroup { id, path, directory });
        }
        if wanted.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found
}

/// The pids of a cgroup's processes and of those in cgroups below it (a service may sort its processes into such),
/// ascending. Of the root these are all processes of the machine. Processes outside of our pid namespace have no
/// number here. Nobody is in a cgroup that was removed, also where a new one has its name.
pub(in crate::os) fn members(cgroup: &Cgroup) -> Vec<u32> {
    let mut pids = Vec::new();
    let Ok(directory) = open(rustix::fs::CWD, cgroup.directory.as_path()) else { return pids };
    if !rustix::fs::fstat(&directory).is_ok_and(|stat| stat.st_ino == cgroup.id) {
        return pids;
    }
    visit(directory.as_fd(), &mut |below, _| {
        let file = Path::new(OsStr::from_bytes(below)).join("cgroup.procs");
        // A threaded cgroup refuses this; its processes are listed by the cgroup above it.
        if let Ok(bytes) = procfs::read_at(&directory, file.as_path(), LONGEST_FILE) {
            pids.extend(parse_members(&bytes));
        }
        if pids.len() < MOST_MEMBERS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    pids.sort_unstable();
    pids.dedup();
    pids.truncate(MOST_MEMBERS);
    pids
}

/// The lines of cgroup.procs. 0 stands for a process that our pid namespace does not know.
pub(in crate::os) fn parse_members(bytes: &[u8]) -> impl Iterator<Item = u32> {
    let pid = |line: &[u8]| std::str::from_utf8(line).ok()?.parse().ok();
    bytes.split(|byte| *byte == b'\n').filter_map(pid).filter(|pid| *pid != 0)
}

/// The path in /proc/PID/cgroup: that in the v2 tree, or where systemd keeps a tree of its own beside it, that one.
pub(in crate::os) fn of_process(bytes: &[u8]) -> Option<Vec<u8>> {
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
            // The kernel marks a cgroup that was removed and has a process that is about to end.
            (b"0", b"") => unified = Some(path.strip_suffix(b" (deleted)").unwrap_or(path)),
            (_, b"name=systemd") => systemd = Some(path),
            _ => {}
        }
    }
    let path = unified.filter(|path| *path != b"/").or(systemd).or(unified)?;
    Some(path.to_vec())
}

/// The paths in /proc/PID/cgroup's other trees, those of cgroup v1. Some runtimes make their cgroups there alone.
pub(in crate::os) fn of_process_elsewhere(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.splitn(3, |byte| *byte == b':');
        let (hierarchy, path) = (fields.next()?, fields.nth(1)?);
        (hierarchy != b"0" && path.starts_with(b"/") && path != b"/").then_some(path)
    })
}

/// A place where the tree, or a part of it, is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct Mount {
    /// Which part of the tree: `/` for all of it.
    pub(in crate::os) root: Vec<u8>,
    pub(in crate::os) point: Vec<u8>,
}

impl Mount {
    /// Returns where a cgroup is below the mount point, as a relative path. `None` if the mount does not show it.
    pub(in crate::os) fn below<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        // `/..` is above our cgroup namespace; which names lead down from there is unknown.
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

/// Returns the path in a tree of cgroup v1 with this controller.
pub(in crate::os) fn of_controller<'a>(bytes: &'a [u8], controller: &[u8]) -> Option<&'a [u8]> {
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

/// The lines of /proc/PID/cgroup: the hierarchy's number, its controllers, the path.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8], &[u8])> {
    bytes.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.splitn(3, |byte| *byte == b':');
        Some((fields.next()?, fields.next()?, fields.next()?))
    })
}

/// The mounts of cgroup v1 trees with the freezer in /proc/self/mountinfo, in the order of [`cgroup2_mounts`].
pub(in crate::os) fn freezer_mounts(bytes: &[u8]) -> Vec<Mount> {
    mounts(bytes, |kind, options| {
        kind == b"cgroup" && options.split(|byte| *byte == b',').any(|option| option == b"freezer")
    })
}

/// The cgroup2 mounts in /proc/self/mountinfo, the most complete first, of equals the latest.
pub(in crate::os) fn cgroup2_mounts(bytes: &[u8]) -> Vec<Mount> {
    mounts(bytes, |kind, _| kind == b"cgroup2")
}

/// The mounts of the file systems of this type and these options of the superblock.
fn mounts(bytes: &[u8], is_wanted: impl Fn(&[u8], &[u8]) -> bool) -> Vec<Mount> {
    let mount = |line: &[u8]| {
        let mut fields = line.split(|byte| *byte == b' ');
        let root = unescape(fields.nth(3)?);
        let point = unescape(fields.next()?);
        // Mount options, then any number of optional fields, then a dash and the type.
        fields.nth(1).filter(|field| *field == b"-").or_else(|| fields.find(|field| *field == b"-"))?;
        let kind = fields.next()?;
        let options = fields.nth(1).unwrap_or_default();
        is_wanted(kind, options).then_some(Mount { root, point })
    };
    let mut mounts: Vec<Mount> = bytes.split(|byte| *byte == b'\n').rev().filter_map(mount).collect();
    mounts.sort_by_key(|mount| mount.root.len());
    mounts
}

/// Blanks, newlines and backslashes are written as three octal digits in mountinfo.
pub(in crate::os) fn unescape(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        let (byte, left) = match rest {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', left @ ..] => {
                (((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'), left)
            }
            _ => (*first, after),
        };
        text.push(byte);
        rest = left;
    }
    text
}

fn open(parent: impl AsFd, path: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(parent, path, flags, Mode::empty())
}

/// Shows a cgroup and all below it to `each`, with the path from the first one (which is empty) and the id, those
/// above before those below, until it breaks off. What may not be read is passed over.
fn visit(root: BorrowedFd<'_>, each: &mut dyn FnMut(&[u8], u64) -> ControlFlow<()>) {
    let Ok(stat) = rustix::fs::fstat(root) else { return };
    if each(b"", stat.st_ino).is_break() {
        return;
    }
    let mut buffer = [MaybeUninit::uninit(); 32 * 1024];
    let mut visitor = Visitor { each, path: Vec::new(), entries_left: MOST_ENTRIES, buffer: &mut buffer };
    let _ = visitor.descend(root, subdirectories(&stat), 0);
}

/// How many directories are in a directory: the link count tells, two more than there are. Zero is no leaf then but a
/// file system that does not count.
fn subdirectories(directory: &Stat) -> usize {
    let links = usize::try_from(directory.st_nlink).unwrap_or(usize::MAX);
    links.checked_sub(2).unwrap_or(usize::MAX)
}

struct Visitor<'a> {
    each: &'a mut dyn FnMut(&[u8], u64) -> ControlFlow<()>,
    /// Where it is, from the first directory.
    path: Vec<u8>,
    entries_left: usize,
    buffer: &'a mut [MaybeUninit<u8>],
}

impl Visitor<'_> {
    /// Visits what is below a directory that has so many directories in it. Most have none, and listing one costs
    /// ten times what counting its links does: dozens of files stand in each.
    fn descend(&mut self, directory: BorrowedFd<'_>, children: usize, depth: usize) -> ControlFlow<()> {
        if children == 0 || depth == DEEPEST {
            return ControlFlow::Continue(());
        }
        let names = self.list(directory, children)?;
        for name in &names {
            let Ok(stat) = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let children = subdirectories(&stat);
            if children == 0 {
                continue;
            }
            let Ok(child) = open(directory, name) else { continue };
            let length = self.path.len();
            append(&mut self.path, name);
            self.descend(child.as_fd(), children, depth + 1)?;
            self.path.truncate(length);
        }
        ControlFlow::Continue(())
    }

    /// Shows a directory's directories, and gives their names.
    fn list(&mut self, directory: BorrowedFd<'_>, children: usize) -> ControlFlow<(), Vec<CString>> {
        let mut names = Vec::new();
        let mut entries = RawDir::new(directory, self.buffer);
        while names.len() < children {
            let Some(Ok(entry)) = entries.next() else { break };
            if self.entries_left == 0 {
                return ControlFlow::Break(());
            }
            self.entries_left -= 1;
            let name = entry.file_name();
            if entry.file_type() != FileType::Directory || name == c"." || name == c".." {
                continue;
            }
            let length = self.path.len();
            append(&mut self.path, name);
            let shown = (self.each)(&self.path, entry.ino());
            self.path.truncate(length);
            shown?;
            names.push(name.to_owned());
        }
        ControlFlow::Continue(names)
    }
}

fn append(path: &mut Vec<u8>, name: &CStr) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name.to_bytes());
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

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
        let file = b"6:freezer:/a\n5:cpu,cpuacct:/b\n0::/c\n";
        assert_eq!(of_controller(file, b"freezer"), Some(&b"/a"[..]));
        assert_eq!(of_controller(file, b"cpuacct"), Some(&b"/b"[..]));
        assert_eq!(of_controller(file, b"memory"), None);
        assert_eq!(unified(file), Some(&b"/c"[..]));
    }

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
            assert_eq!(of_process(file).as_deref(), path, "{}", file.escape_ascii());
        }
    }

    #[test]
    fn which_other_cgroups_a_process_is_in() {
        let paths = |file: &'static [u8]| of_process_elsewhere(file).collect::<Vec<_>>();
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

    proptest! {
        #[test]
        fn any_bytes(bytes: Vec<u8>) {
            let _ = (cgroup2_mounts(&bytes), of_process(&bytes), parse_members(&bytes).count());
            prop_assert!(of_process_elsewhere(&bytes).all(|path| path.starts_with(b"/")));
            prop_assert!(unescape(&bytes).len() <= bytes.len());
        }

        #[test]
        fn escaped_as_the_kernel_does(bytes: Vec<u8>) {
            let escape = |byte: &u8| match byte {
                b' ' | b'\t' | b'\n' | b'\\' => format!("\\{byte:03o}").into_bytes(),
                _ => vec![*byte],
            };
            let escaped: Vec<u8> = bytes.iter().flat_map(escape).collect();
            prop_assert_eq!(unescape(&escaped), bytes);
        }
    }

    /// Cgroups made for a test, which go with it.
    struct Tree(PathBuf);

    impl Tree {
        /// None where this machine has no cgroup v2 tree that may be written.
        fn new(name: &str) -> Option<Tree> {
            let (mount, _) = root()?;
            let name = format!("allears-test-{name}-{}", std::process::id());
            let directory = Path::new(OsStr::from_bytes(&mount.point)).join(name);
            std::fs::create_dir(&directory).ok()?;
            Some(Tree(directory))
        }

        fn make(&self, path: &str) -> PathBuf {
            let directory = self.0.join(path);
            std::fs::create_dir_all(&directory).unwrap();
            directory
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            fn remove(directory: &Path) {
                for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                    if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                        remove(&entry.path());
                    }
                }
                // A process that was killed leaves its cgroup a little later.
                let begun = Instant::now();
                while std::fs::remove_dir(directory).is_err() && begun.elapsed() < Duration::from_secs(5) {
                    std::thread::yield_now();
                }
            }
            remove(&self.0);
        }
    }

    /// A process that stays until the test is over.
    struct Sleeper(Child);

    impl Sleeper {
        fn in_cgroup(directory: &Path) -> Sleeper {
            // It reads from a pipe whose other end is ours, so that it cannot outlive this process.
            let child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
            let sleeper = Sleeper(child);
            std::fs::write(directory.join("cgroup.procs"), sleeper.0.id().to_string()).unwrap();
            sleeper
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn inode(directory: &Path) -> u64 {
        rustix::fs::stat(directory).unwrap().st_ino
    }

    fn skipped() {
        eprintln!("skipped: needs root and a cgroup v2 tree");
    }

    #[test]
    fn finds_cgroups_by_their_ids() {
        let Some(tree) = Tree::new("find") else { return skipped() };
        let deep = tree.make("a/b/c/x.service");
        let (mount, root) = root().unwrap();
        let root_id = rustix::fs::fstat(&root).unwrap().st_ino;
        let ids = [inode(&deep), root_id, inode(&tree.0), u64::MAX];
        let found = paths(&ids);
        assert_eq!(found.len(), 3);
        assert_eq!(found[&ids[0]].directory, deep);
        assert!(found[&ids[0]].path.ends_with(b"/a/b/c/x.service"));
        assert_eq!(found[&ids[2]].directory, tree.0);
        if mount.root == b"/" {
            assert_eq!(found[&root_id].path, b"/");
        }
        assert!(paths(&[]).is_empty());
    }

    #[test]
    fn lists_members_of_cgroups_below() {
        let Some(tree) = Tree::new("members") else { return skipped() };
        let service = tree.make("x.service");
        let worker = tree.make("x.service/workers/1");
        let (first, second) = (Sleeper::in_cgroup(&service), Sleeper::in_cgroup(&worker));
        let mut expected = [first.0.id(), second.0.id()];
        expected.sort_unstable();
        let id = inode(&service);
        let found = paths(&[id]).remove(&id).unwrap();
        assert_eq!(members(&found), expected);
        assert!(members(&Cgroup { id: id + 1, ..found }).is_empty(), "another cgroup of that name");
    }
}
