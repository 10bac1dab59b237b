//! Cgroups of version 2 for tests.

use std::path::PathBuf;
use std::sync::OnceLock;

/// Returns where a cgroup2 hierarchy is mounted in which this user may create cgroups. It is probed once, because tests run
/// at the same time.
pub(crate) fn cgroup_root() -> Option<PathBuf> {
    static ROOT: OnceLock<Option<PathBuf>> = OnceLock::new();
    ROOT.get_or_init(find_cgroup_root).clone()
}

fn find_cgroup_root() -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    let mut fields = mounts.lines().map(|line| line.split(' '));
    let mounted = fields.find_map(|mut line| {
        let place = line.nth(1)?;
        (line.next()? == "cgroup2").then(|| PathBuf::from(place))
    })?;
    let probe = mounted.join(format!("allears-probe-{}", std::process::id()));
    let made = std::fs::create_dir(&probe);
    let _absent_where_it_was_not_made = std::fs::remove_dir(&probe);
    made.is_ok().then_some(mounted)
}

/// A cgroup of this run. It is removed when this is dropped.
pub(crate) struct Cgroup {
    path: PathBuf,
    parents: Vec<PathBuf>,
}

impl Cgroup {
    /// Creates `path` below the mounted hierarchy, with its missing parents.
    pub(crate) fn new(path: &str) -> Self {
        let root = cgroup_root().expect("a cgroup2 file system");
        let whole = root.join(path);
        let missing: Vec<PathBuf> =
            whole.ancestors().skip(1).take_while(|part| !part.exists()).map(PathBuf::from).collect();
        // Another test may be removing a shared parent.
        let made = super::until(|| std::fs::create_dir_all(&whole).ok());
        assert!(made.is_some(), "make the cgroup {}", whole.display());
        Self { path: whole, parents: missing }
    }

    pub(crate) fn step(&self) -> String {
        format!("cgroup={}", self.path.display())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // It can be removed once the last process in it is reaped.
        let _gave_up = super::until(|| std::fs::remove_dir(&self.path).ok());
        for parent in &self.parents {
            let _used_by_others = std::fs::remove_dir(parent);
        }
    }
}
