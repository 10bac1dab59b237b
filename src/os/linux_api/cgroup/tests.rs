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
    for torn in [&b""[..], b"40 1 0:38 / /x rw", b"40 1 0:38 / /x rw -", b"40 1 0:38 / /x rw - cgroup", b"-"]
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
    assert_eq!(path_of_controller(file, b"freezer"), Some(&b"/a"[..]));
    assert_eq!(path_of_controller(file, b"cpuacct"), Some(&b"/b"[..]));
    assert_eq!(path_of_controller(file, b"memory"), None);
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

proptest! {
    #[test]
    fn any_bytes(bytes: Vec<u8>) {
        let _ = (cgroup2_mounts(&bytes), path_of_process(&bytes), parse_members(&bytes).count());
        prop_assert!(other_paths_of_process(&bytes).all(|path| path.starts_with(b"/")));
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
