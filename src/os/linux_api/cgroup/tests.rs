use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;

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
