//! Network namespaces of this machine, made for each test.

use std::ffi::{CStr, CString};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use proptest::prelude::*;
use rustix::thread::set_thread_res_uid;

use super::search::{Search, gaps};
use super::*;
use crate::model::compact::CompactCollect as _;
use crate::model::{GapKind, GapReason, Help, PrivilegePurpose};
use crate::os::TableRequest;
use crate::os::linux_api::procfs;

#[test]
fn links_tell_the_kind() {
    let parse = |link: &CStr| parse_link(link.to_bytes(), b"net:[");
    assert_eq!(parse(c"net:[4026531840]"), Ok(4_026_531_840));
    assert_eq!(parse_link(b"mnt:[7]", b"mnt:["), Ok(7));
    for other in [c"mnt:[4026531840]", c"net:[]", c"net:[1", c"net:[-1]", c"/net:[1]"] {
        assert_eq!(parse(other), Err(Errno::INVAL));
    }
    assert_eq!(parse(c""), Err(Errno::ACCESS), "what may not be seen");
}

proptest! {
    #[test]
    fn any_link(bytes: Vec<u8>) {
        let link = CString::new(bytes.split(|byte| *byte == 0).next().unwrap_or_default()).unwrap();
        let _ = parse_link(link.to_bytes(), b"net:[");
    }
}

#[test]
fn gap_texts() {
    assert!(gaps(0, &[]).is_empty());
    let failed = [
        ("/run/docker/netns".to_owned(), Errno::ACCESS),
        ("/run/netns/x".to_owned(), Errno::MFILE),
        ("/run/netns/y".to_owned(), Errno::MFILE),
    ];
    let gaps = gaps(2, &failed);
    let kinds: Vec<_> = gaps.iter().map(|gap| (&gap.what, &gap.reason, gap.count)).collect();
    let namespaces = &GapKind::Namespaces;
    assert_eq!(kinds, [(namespaces, &GapReason::Permission, 3), (namespaces, &GapReason::Error, 2)]);
    assert_eq!(
        gaps[0].to_string(),
        "the network namespaces of 2 processes and the network namespaces in /run/docker/netns"
    );
    let second = gaps[1].to_string();
    assert!(second.starts_with("the network namespaces in /run/netns/x and 1 other places"), "{second}");
}

fn everything() -> TableRequest {
    TableRequest {
        tcp: true,
        udp: true,
        udplite: true,
        sctp_dccp: true,
        unix: true,
        ipv4: true,
        ipv6: true,
        all: false,
        port: None,
        namespaces: true,
        reader: crate::os::Reader::Auto,
        search: crate::os::HolderSearch::Auto,
    }
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
            let process = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
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
    namespaces.into_iter().filter(|namespace| namespace.tasks.contains(&Task::first(pid))).collect()
}

fn inside<T: Send>(namespace: &Namespace, work: impl Fn() -> T + Sync) -> Result<T, NotEntered> {
    in_each(std::slice::from_ref(namespace), |_| work()).pop().unwrap()
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
    let found = with_pid(others(&everything()).0, stage.pid());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].inode, Some(stage.number));
    assert_eq!(found[0].name, format!("net:[{}]", stage.number).as_str().into());
    assert_eq!(inside(&found[0], own).unwrap(), Some(stage.number));
    assert_eq!(inside(&found[0], || ports(own_net())).unwrap(), [stage.port()]);
    assert_eq!(own(), before);
    assert_ne!(before, Some(stage.number));
    // From in there, this one is another.
    let back = inside(&found[0], || others(&everything()).0).unwrap();
    assert!(back.iter().any(|namespace| namespace.inode == before));
    assert!(back.iter().all(|namespace| namespace.inode != Some(stage.number)));
}

#[test]
fn an_open_handle_keeps_its_namespace() {
    let Some(mut stage) = Stage::new() else { return };
    let found = with_pid(others(&everything()).0, stage.pid());
    assert!(found[0].proc_net().is_some());
    stage.process.kill().unwrap();
    stage.process.wait().unwrap();
    assert!(found[0].proc_net().is_none());
    assert_eq!(inside(&found[0], own).unwrap(), Some(stage.number));
    assert!(with_pid(others(&everything()).0, stage.pid()).is_empty());
}

#[test]
fn without_rights_tables_are_read_through_a_process() {
    let Some(stage) = Stage::new() else { return };
    let own = own();
    let (namespaces, gaps) = as_nobody(|| others(&everything()));
    assert!(namespaces.iter().all(|namespace| namespace.inode.is_none_or(|inode| Some(inode) != own)));
    assert!(gaps.iter().all(|gap| gap.help == Some(Help::Privileges(PrivilegePurpose::SeeMany))), "{gaps:?}");
    let found = with_pid(namespaces, stage.pid());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].inode, None);
    assert_eq!(found[0].name, format!("pid:{}", found[0].tasks[0].pid).as_str().into());
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
                mount(Some(Path::new(from)), &directory.join(name), none, MsFlags::MS_BIND, none).unwrap();
            };
            bind(&format!("/proc/{}/ns/net", stage.pid()), "blue");
            bind(&format!("/proc/{}/ns/net", stage.pid()), "indigo");
            bind("/proc/thread-self/ns/net", "own");
            let mut search = Search::new(own().unwrap(), true);
            let opened = rustix::fs::open(&directory, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty());
            search.mounts_in("there", opened.unwrap().as_fd());
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

#[test]
fn a_program_in_the_kernel_finds_what_the_walk_finds() {
    use super::descriptors::{self, Descriptors, ListedSockets};
    let made = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).ok()?;
        let namespace = std::fs::File::open("/proc/thread-self/ns/net").unwrap();
        Some((own().unwrap(), namespace, TcpListener::bind("0.0.0.0:0").unwrap()))
    });
    let Some((number, namespace, listener)) = made.join().unwrap() else {
        eprintln!("skipped: needs root");
        return;
    };
    let (sender, receiver) = std::os::unix::net::UnixDatagram::pair().unwrap();
    sender.send(b"unread").unwrap();
    let inode = |file: BorrowedFd<'_>| rustix::fs::fstat(file).unwrap().st_ino;
    let (listening, waiting) = (inode(listener.as_fd()), inode(receiver.as_fd()));
    let pid = std::process::id();
    let place = |file: BorrowedFd<'_>| descriptors::TaskDescriptor {
        task: Task::first(pid),
        descriptor: std::os::fd::AsRawFd::as_raw_fd(&file).cast_unsigned(),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc = rustix::fs::open("/proc", flags, Mode::empty()).unwrap();
    let Some(found) = task_files::search(proc.as_fd(), own().into_iter()) else {
        eprintln!("skipped: needs BPF");
        return;
    };
    let listed = ListedSockets { inodes: vec![waiting], pending: vec![waiting] };
    let walked = descriptors::search(proc.as_fd(), &[pid], &listed);
    let finds = |found: &Descriptors| {
        assert!(found.networks.contains(&(number, place(namespace.as_fd()))), "the namespace");
        assert!(found.sockets.contains(&(listening, place(listener.as_fd()))), "the socket in it");
        assert!(found.pending.contains(&place(receiver.as_fd())), "the unread message");
        assert!(!found.pending.contains(&place(sender.as_fd())), "nothing is unread in the other socket");
    };
    finds(&found);
    finds(&walked);
    // Only sockets of unknown namespaces are reported.
    assert!(found.sockets.iter().all(|(inode, _)| *inode != waiting));
    let both = task_files::search(proc.as_fd(), own().into_iter().chain([number])).unwrap();
    assert!(both.sockets.iter().all(|(inode, _)| *inode != listening));
    assert!(both.networks.contains(&(number, place(namespace.as_fd()))));
}

#[test]
fn each_namespace_is_entered_whichever_thread_does_it() {
    let stages: Vec<Stage> = (0..6).map_while(|_| Stage::new()).collect();
    let (namespaces, _) = others(&everything());
    let numbers = in_each(&namespaces, |_| own());
    assert_eq!(numbers.len(), namespaces.len());
    for (namespace, number) in namespaces.iter().zip(numbers) {
        if let Ok(number) = number {
            assert_eq!(number, namespace.inode);
        }
    }
    let entered = namespaces.iter().filter_map(|namespace| namespace.inode).collect_set();
    assert!(stages.iter().all(|stage| entered.contains(&stage.number)));
}
