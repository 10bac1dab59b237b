//! Network namespaces other than our own: which there are, and how to look into one. The only place where a thread
//! changes its namespace, and none but one made for it ever does.
//!
//! A namespace is seen where a process is in it or where it is mounted under a name. One that is kept open by a
//! descriptor alone, or by a thread that has left its process's, is not found.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RawDir};
use rustix::io::Errno;
use rustix::path::Arg;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::walk;
use crate::os::{describe_error, threads};
use crate::{Gap, Text};

/// Where namespaces are mounted under names: by ip-netns(8), Podman and CNI, and by Docker.
const DIRECTORIES: [&str; 3] = ["/run/netns", "/var/run/netns", "/run/docker/netns"];

/// A network namespace.
#[derive(Debug)]
pub(super) struct Namespace {
    /// Its number. `None` where its processes refuse to tell, and only that it is another one can be seen.
    pub(super) inode: Option<u64>,
    /// `blue` where it is mounted as /run/netns/blue, else `net:[4026532000]`; `pid:812`, by the first process in
    /// it, where its number is not known. Such a one may also be listed under the name it is mounted by.
    pub(super) name: Text,
    /// The processes that were seen in it, ascending.
    pub(super) pids: Vec<u32>,
    /// Holds it, so that its number stays its own; or why it could not be opened.
    entry: Result<OwnedFd, Errno>,
    /// The inode number of its net/dev in /proc: each namespace has its own, and anyone may see it.
    mark: Option<u64>,
}

impl Namespace {
    /// The directory /proc/PID/net of one of its processes, whose tables may be read also by who may not enter.
    /// `None` where no process is in it any more.
    pub(super) fn proc_net(&self) -> Option<OwnedFd> {
        self.mark?;
        self.pids.iter().find_map(|pid| {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let directory = rustix::fs::open(format!("/proc/{pid}/net"), flags, Mode::empty()).ok()?;
            // The pid may have been given away, or its process may have moved.
            (mark(&directory, c"dev").ok() == self.mark).then_some(directory)
        })
    }
}

/// The number of the network namespace that this thread is in.
pub(super) fn own() -> Option<u64> {
    number_at(CWD, c"/proc/thread-self/ns/net").ok()
}

/// The number of the network namespace that a process is in; `None` if that may not be seen.
pub(in crate::os) fn of_process(pid: u32) -> Option<u64> {
    number_at(CWD, format!("/proc/{pid}/ns/net")).ok()
}

/// Whether a process is in the network namespace that this thread is in; `None` where that may not be seen.
pub(super) fn is_own(pid: u32) -> Option<bool> {
    match number_at(CWD, format!("/proc/{pid}/ns/net")) {
        Ok(number) => Some(number == own()?),
        Err(_) => Some(
            mark(CWD, format!("/proc/{pid}/net/dev")).ok()?
                == mark(CWD, c"/proc/thread-self/net/dev").ok()?,
        ),
    }
}

/// Every network namespace but this thread's own, by name.
pub(super) fn others() -> (Vec<Namespace>, Vec<Gap>) {
    // A kernel without namespaces has no such file, and no others.
    let Some(own) = own() else { return (Vec::new(), Vec::new()) };
    let mut search = Search { own, ..Search::default() };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let listed = rustix::fs::open("/proc", flags, Mode::empty())
        .and_then(|proc| walk::processes(&proc).map(|pids| (proc, pids)));
    match listed {
        Ok((proc, pids)) => search.processes(proc.as_fd(), &pids),
        Err(errno) => search.failed.push(("/proc".to_owned(), errno)),
    }
    let mut known = Vec::new();
    for path in DIRECTORIES {
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(directory) => {
                // /var/run is /run as a rule.
                let identity = rustix::fs::fstat(&directory).map(|stat| (stat.st_dev, stat.st_ino)).ok();
                if !known.contains(&identity) {
                    known.push(identity);
                    search.mounts(path, directory.as_fd());
                }
            }
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(errno) => search.failed.push((path.to_owned(), errno)),
        }
    }
    search.finish()
}

/// Runs `look` on a thread of its own inside a namespace. No other thread's namespace changes.
///
/// What asks the kernel for sockets or opens /proc/thread-self/net sees the namespace then. /proc/net and
/// /proc/self/net do not: they are those of the process's first thread.
///
/// # Errors
/// If it may not be entered, or if no thread can be started. The calling thread never enters it instead: it may not be
/// allowed to return.
pub(super) fn inside<T: Send>(
    namespace: &Namespace,
    look: impl FnOnce() -> T + Send,
) -> Result<T, NotEntered> {
    let entry = namespace.entry.as_ref().map_err(|errno| NotEntered::Refused((*errno).into()))?;
    let entered = threads::alone(|| {
        move_into_link_name_space(entry.as_fd(), Some(LinkNameSpaceType::Network))?;
        Ok(look())
    });
    entered.map_err(NotEntered::NoThread)?.map_err(|errno: Errno| NotEntered::Refused(errno.into()))
}

/// Why a namespace was not entered.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotEntered {
    /// The kernel refused it.
    #[error("{0}")]
    Refused(io::Error),
    /// There is no thread to enter it.
    #[error("no thread can be started: {0}")]
    NoThread(io::Error),
}

/// What was seen so far.
#[derive(Default)]
struct Search {
    own: u64,
    by_number: BTreeMap<u64, Namespace>,
    /// Processes that refuse to tell the number of their namespace, by its mark.
    by_mark: BTreeMap<u64, Vec<u32>>,
    /// Processes of which nothing can be said.
    refused: usize,
    /// Places that could not be read, and why.
    failed: Vec<(String, Errno)>,
}

impl Search {
    fn processes(&mut self, proc: BorrowedFd<'_>, pids: &[u32]) {
        let own_mark = mark(proc, c"thread-self/net/dev").ok();
        for pid in pids {
            let link = format!("{pid}/ns/net");
            match number_at(proc, link.as_str()) {
                Ok(number) if number == self.own => {}
                Ok(number) => {
                    let namespace = self.by_number.entry(number).or_insert_with(|| unnamed(number));
                    namespace.pids.push(*pid);
                    if namespace.entry.is_err() {
                        namespace.entry = open_namespace(proc, link.as_str(), number);
                    }
                    if namespace.mark.is_none() {
                        namespace.mark = mark(proc, format!("{pid}/net/dev")).ok();
                    }
                }
                // Most processes of other users are where we are, and this much anyone may see.
                Err(Errno::ACCESS | Errno::PERM) => match mark(proc, format!("{pid}/net/dev")) {
                    Ok(mark) if Some(mark) == own_mark => {}
                    Ok(mark) => self.by_mark.entry(mark).or_default().push(*pid),
                    Err(errno) if has_ended(errno) => {}
                    Err(_) => self.refused += 1,
                },
                Err(errno) if has_ended(errno) => {}
                Err(errno) => self.failed.push((format!("/proc/{link}"), errno)),
            }
        }
    }

    fn mounts(&mut self, path: &str, directory: BorrowedFd<'_>) {
        let mut buffer = [MaybeUninit::uninit(); 8 * 1024];
        let mut entries = RawDir::new(directory, &mut buffer);
        let mut names: Vec<CString> = Vec::new();
        while let Some(entry) = entries.next() {
            match entry {
                Ok(entry) => names.push(entry.file_name().to_owned()),
                Err(errno) => {
                    self.failed.push((path.to_owned(), errno));
                    break;
                }
            }
        }
        // One that has several names goes by the first.
        names.sort_unstable();
        for name in &names {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = match rustix::fs::openat(directory, name, flags, Mode::empty()) {
                Ok(file) => file,
                Err(Errno::NOENT) => continue,
                Err(errno) => {
                    self.failed.push((format!("{path}/{}", name.to_string_lossy()), errno));
                    continue;
                }
            };
            // A name whose namespace was unmounted is left as an empty file.
            let Some(number) = number_of(&file).filter(|number| *number != self.own) else { continue };
            let namespace = self.by_number.entry(number).or_insert_with(|| unnamed(number));
            if namespace.name == unnamed(number).name {
                namespace.name = name.to_bytes().into();
            }
            if namespace.entry.is_err() {
                namespace.entry = open_namespace(directory, name, number);
            }
        }
    }

    fn finish(mut self) -> (Vec<Namespace>, Vec<Gap>) {
        for namespace in self.by_number.values_mut() {
            let same = namespace.mark.and_then(|mark| self.by_mark.remove(&mark));
            namespace.pids.extend(same.unwrap_or_default());
            namespace.pids.sort_unstable();
        }
        let by_mark = self.by_mark.into_iter().map(|(mark, pids)| Namespace {
            inode: None,
            name: pids.first().map(|pid| format!("pid:{pid}")).unwrap_or_default().as_str().into(),
            pids,
            entry: Err(Errno::ACCESS),
            mark: Some(mark),
        });
        let mut namespaces: Vec<Namespace> = self.by_number.into_values().chain(by_mark).collect();
        namespaces.sort_by(|a, b| (&a.name, a.inode).cmp(&(&b.name, b.inode)));
        (namespaces, gaps(self.refused, &self.failed))
    }
}

/// What could not be seen, as one gap for what rights would show, and one for what failed otherwise.
fn gaps(refused: usize, failed: &[(String, Errno)]) -> Vec<Gap> {
    let (closed, failed): (Vec<_>, Vec<_>) =
        failed.iter().partition(|(_, errno)| matches!(*errno, Errno::ACCESS | Errno::PERM));
    let mut gaps = Vec::new();
    if refused > 0 || !closed.is_empty() {
        let mut parts = Vec::new();
        match refused {
            0 => {}
            1 => parts.push("the network namespace of one process".to_owned()),
            many => parts.push(format!("the network namespaces of {many} processes")),
        }
        parts.extend(closed.iter().map(|(path, _)| format!("the network namespaces in {path}")));
        let help = (!super::privileged()).then_some("run with sudo to see them");
        gaps.push(Gap::new("namespaces", "permission", refused + closed.len(), parts.join(" and "), help));
    }
    if let Some((path, errno)) = failed.first() {
        let errno = describe_error(&(*errno).into());
        let detail = match failed.len() {
            1 => format!("the network namespaces in {path}: {errno}"),
            many => format!("the network namespaces in {path} and {} other places: {errno}", many - 1),
        };
        gaps.push(Gap::new("namespaces", "error", failed.len(), detail, None));
    }
    gaps
}

fn unnamed(number: u64) -> Namespace {
    let name = format!("net:[{number}]").as_str().into();
    Namespace { inode: Some(number), name, pids: Vec::new(), entry: Err(Errno::NOENT), mark: None }
}

/// Opens a namespace, if it still is the one with this number.
fn open_namespace(parent: impl AsFd, path: impl Arg, number: u64) -> Result<OwnedFd, Errno> {
    let entry = rustix::fs::openat(parent, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    if number_of(&entry) == Some(number) { Ok(entry) } else { Err(Errno::STALE) }
}

/// The number of the namespace that is open here. Nothing but namespaces is on this file system (NSFS_MAGIC of the
/// kernel's magic.h). One of another kind mounted among these is not told apart here: it refuses to be entered.
pub(super) fn number_of(file: &OwnedFd) -> Option<u64> {
    let filesystem = rustix::fs::fstatfs(file).ok()?;
    if filesystem.f_type != 0x6e73_6673 {
        return None;
    }
    rustix::fs::fstat(file).map(|stat| stat.st_ino).ok()
}

fn number_at(parent: impl AsFd, path: impl Arg) -> Result<u64, Errno> {
    let link = rustix::fs::readlinkat(parent, path, Vec::with_capacity(32))?;
    parse_link(&link).ok_or(Errno::INVAL)
}

/// The number in `net:[4026531840]`.
fn parse_link(link: &CStr) -> Option<u64> {
    walk::digits(link.to_bytes().strip_prefix(b"net:[")?.strip_suffix(b"]")?)
}

/// The inode number of a namespace's net/dev.
fn mark(parent: impl AsFd, path: impl Arg) -> Result<u64, Errno> {
    rustix::fs::statat(parent, path, AtFlags::empty()).map(|stat| stat.st_ino)
}

/// A process that has ended, or is about to, is in no namespace any more.
fn has_ended(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::SRCH)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::thread;

    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};
    use proptest::prelude::*;
    use rustix::thread::set_thread_res_uid;

    use super::super::procfs;
    use super::*;

    #[test]
    fn links_tell_the_kind() {
        assert_eq!(parse_link(c"net:[4026531840]"), Some(4_026_531_840));
        for other in [c"mnt:[4026531840]", c"net:[]", c"net:[1", c"net:[-1]", c"/net:[1]", c""] {
            assert_eq!(parse_link(other), None);
        }
    }

    proptest! {
        #[test]
        fn any_link(bytes: Vec<u8>) {
            let link = CString::new(bytes.split(|byte| *byte == 0).next().unwrap_or_default()).unwrap();
            let _ = parse_link(&link);
        }
    }

    #[test]
    fn gaps_say_what_and_why() {
        assert!(gaps(0, &[]).is_empty());
        let failed = [
            ("/run/docker/netns".to_owned(), Errno::ACCESS),
            ("/run/netns/x".to_owned(), Errno::MFILE),
            ("/run/netns/y".to_owned(), Errno::MFILE),
        ];
        let told: Vec<String> = gaps(2, &failed)
            .iter()
            .map(|gap| format!("{:?} {:?} {} {:?}", gap.what, gap.reason, gap.count, gap.detail))
            .collect();
        let places = "the network namespaces of 2 processes and the network namespaces in /run/docker/netns";
        assert_eq!(told.first(), Some(&format!("\"namespaces\" \"permission\" 3 \"{places}\"")));
        assert!(told[1].starts_with(
            "\"namespaces\" \"error\" 2 \"the network namespaces in /run/netns/x and 1 other places"
        ));
    }

    /// A namespace with a listener and a process in it.
    struct Stage {
        number: u64,
        listener: TcpListener,
        process: Child,
    }

    impl Stage {
        /// None, and a word about it, where this may not be done.
        fn new() -> Option<Stage> {
            let made = thread::spawn(|| {
                unshare(CloneFlags::CLONE_NEWNET).ok()?;
                let listener = TcpListener::bind("0.0.0.0:0").unwrap();
                // It reads from a pipe whose other end is ours, so that it cannot outlive this process.
                let process =
                    Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
                Some(Stage { number: own().unwrap(), listener, process })
            });
            let stage = made.join().unwrap();
            if stage.is_none() {
                eprintln!("skipped: needs root");
            }
            stage
        }

        fn pid(&self) -> u32 {
            self.process.id()
        }

        fn port(&self) -> u16 {
            self.listener.local_addr().unwrap().port()
        }
    }

    impl Drop for Stage {
        fn drop(&mut self) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }

    /// The namespaces in which a process was seen.
    fn with_pid(namespaces: Vec<Namespace>, pid: u32) -> Vec<Namespace> {
        namespaces.into_iter().filter(|namespace| namespace.pids.contains(&pid)).collect()
    }

    fn ports(directory: impl AsFd) -> Vec<u16> {
        let table = procfs::read_at(directory, "tcp", u64::MAX).unwrap();
        procfs::parse_net(&table).into_iter().map(|(_, socket)| socket.local.port()).collect()
    }

    fn own_net() -> OwnedFd {
        rustix::fs::open("/proc/thread-self/net", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap()
    }

    /// Runs on a thread that is an ordinary user's.
    fn as_nobody<T: Send>(look: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let nobody = rustix::process::Uid::from_raw(65534);
            let thread = scope.spawn(move || {
                set_thread_res_uid(nobody, nobody, nobody).unwrap();
                look()
            });
            thread.join().unwrap()
        })
    }

    #[test]
    fn enters_a_namespace_and_leaves_this_thread_where_it_is() {
        let Some(stage) = Stage::new() else { return };
        let before = own();
        let found = with_pid(others().0, stage.pid());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].inode, Some(stage.number));
        assert_eq!(found[0].name, format!("net:[{}]", stage.number).as_str().into());
        assert_eq!(inside(&found[0], own).unwrap(), Some(stage.number));
        assert_eq!(inside(&found[0], || ports(own_net())).unwrap(), [stage.port()]);
        assert_eq!(own(), before);
        assert_ne!(before, Some(stage.number));
        // From in there, this one is another.
        let back = inside(&found[0], || others().0).unwrap();
        assert!(back.iter().any(|namespace| namespace.inode == before));
        assert!(back.iter().all(|namespace| namespace.inode != Some(stage.number)));
    }

    #[test]
    fn stays_the_namespace_it_was_when_its_processes_are_gone() {
        let Some(mut stage) = Stage::new() else { return };
        let found = with_pid(others().0, stage.pid());
        assert!(found[0].proc_net().is_some());
        stage.process.kill().unwrap();
        stage.process.wait().unwrap();
        assert!(found[0].proc_net().is_none());
        assert_eq!(inside(&found[0], own).unwrap(), Some(stage.number));
        assert!(with_pid(others().0, stage.pid()).is_empty());
    }

    #[test]
    fn without_rights_tables_are_read_through_a_process() {
        let Some(stage) = Stage::new() else { return };
        let own = own();
        let (namespaces, gaps) = as_nobody(others);
        assert!(namespaces.iter().all(|namespace| namespace.inode.is_none_or(|inode| Some(inode) != own)));
        assert!(gaps.iter().all(|gap| gap.help == Some("run with sudo to see them".into())), "{gaps:?}");
        let found = with_pid(namespaces, stage.pid());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].inode, None);
        assert_eq!(found[0].name, format!("pid:{}", found[0].pids[0]).as_str().into());
        assert!(as_nobody(|| inside(&found[0], || ()).is_err()));
        assert_eq!(as_nobody(|| ports(found[0].proc_net().unwrap())), [stage.port()]);
    }

    #[test]
    fn mounts_give_names() {
        let Some(stage) = Stage::new() else { return };
        let directory = std::env::temp_dir().join(format!("allears-test-netns-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        for name in ["blue", "indigo", "stale", "own"] {
            std::fs::write(directory.join(name), "").unwrap();
        }
        let search = thread::scope(|scope| {
            let thread = scope.spawn(|| {
                // The mounts are this thread's alone, and go with it.
                unshare(CloneFlags::CLONE_NEWNS).unwrap();
                let none: Option<&str> = None;
                mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
                let bind = |from: &str, name: &str| {
                    mount(Some(Path::new(from)), &directory.join(name), none, MsFlags::MS_BIND, none)
                        .unwrap();
                };
                bind(&format!("/proc/{}/ns/net", stage.pid()), "blue");
                bind(&format!("/proc/{}/ns/net", stage.pid()), "indigo");
                bind("/proc/thread-self/ns/net", "own");
                let mut search = Search { own: own().unwrap(), ..Search::default() };
                let opened = rustix::fs::open(&directory, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty());
                search.mounts("there", opened.unwrap().as_fd());
                search
            });
            thread.join().unwrap()
        });
        std::fs::remove_dir_all(&directory).unwrap();
        let (namespaces, gaps) = search.finish();
        assert!(gaps.is_empty(), "{gaps:?}");
        assert_eq!(namespaces.len(), 1);
        assert_eq!((namespaces[0].name.as_str(), namespaces[0].inode), (Some("blue"), Some(stage.number)));
        assert!(namespaces[0].proc_net().is_none());
        assert_eq!(inside(&namespaces[0], own).unwrap(), Some(stage.number));
    }
}
