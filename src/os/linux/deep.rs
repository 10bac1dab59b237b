//! Where else a socket can be: in the descriptor table of a single thread, in an io_uring, in a message that nobody
//! has received yet, in the hands of the kernel. Looked for only where the walk explains too little.

use std::io::BufRead;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, Mode, OFlags, RawDir};
use rustix::io::Errno;

use super::netlink::{attributes, dump, u16_at};
use super::pin::{Directory, Pin};
use super::procfs;
use super::walk::{Found, Ring, Walk, in_parallel, number, search_table, socket_inode};

/// A process's `task` directory has two links, and one more for each thread.
const LINKS_OF_ONE_THREAD: libc::nlink_t = 3;

/// Looks for sockets in descriptor tables that belong to single threads.
pub(super) fn search_threads(pids: &[u32], wanted: &[u64]) -> Walk {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(proc) = rustix::fs::open("/proc", flags, Mode::empty()) else { return Walk::default() };
    in_parallel(pids, |pid, buffer, walk| {
        let tasks = format!("{pid}/task");
        // Most processes have one thread, and this tells without listing them.
        let links = rustix::fs::statat(&proc, tasks.as_str(), AtFlags::empty()).map(|stat| stat.st_nlink);
        if links.is_ok_and(|links| links <= LINKS_OF_ONE_THREAD) {
            return;
        }
        let Ok(tasks) = rustix::fs::openat(&proc, tasks.as_str(), flags, Mode::empty()) else { return };
        let mut last = pid;
        for thread in threads(&tasks) {
            if thread == pid || share_descriptors(last, thread) {
                continue;
            }
            last = thread;
            match rustix::fs::openat(&tasks, format!("{thread}/fd"), flags, Mode::empty()) {
                Ok(table) => {
                    search_table(pid, &table, c"../../..", wanted, buffer, walk);
                    // The directory listed and its links refused: so will the other threads'.
                    if walk.refused.last() == Some(&pid) {
                        return;
                    }
                }
                // Where one thread may not be looked into, no other may be. (Where only the main thread has ended,
                // its own table is refused and the others' are not.)
                Err(Errno::ACCESS) => return,
                Err(_) => {}
            }
        }
    })
}

fn threads(tasks: impl AsFd) -> Vec<u32> {
    let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
    let mut entries = RawDir::new(tasks, &mut buffer);
    let mut threads = Vec::new();
    while let Some(Ok(entry)) = entries.next() {
        threads.extend(number(entry.file_name()));
    }
    threads.sort_unstable();
    threads
}

/// Whether two threads have one descriptor table (kcmp(2)). Where that is not told they are taken to have two.
fn share_descriptors(one: u32, other: u32) -> bool {
    const KCMP_FILES: libc::c_int = 2;
    let (Ok(one), Ok(other)) = (libc::pid_t::try_from(one), libc::pid_t::try_from(other)) else {
        return false;
    };
    #[expect(unsafe_code, reason = "neither rustix nor nix has this system call")]
    // SAFETY: kcmp takes five numbers and touches no memory of ours.
    let order = unsafe { libc::syscall(libc::SYS_kcmp, one, other, KCMP_FILES, 0, 0) };
    order == 0
}

/// Looks for sockets that are fixed files of io_urings: those stand in the ring's fdinfo alone.
pub(super) fn search_rings(rings: &[Ring], wanted: &[u64], walk: &mut Walk) {
    for ring in rings {
        let Ok(directory) = Directory::open(ring.pid) else { continue };
        let Ok(info) = procfs::read_at(&directory, format!("fdinfo/{}", ring.descriptor), 1 << 22) else {
            continue;
        };
        let Some(process) = Pin::new(ring.pid, directory) else { continue };
        for inode in fixed_files(&info).filter(|inode| wanted.binary_search(inode).is_ok()) {
            walk.found.push(Found { inode, process: process.clone(), descriptor: ring.descriptor });
        }
    }
}

/// The sockets among a ring's files: lines such as `    0: socket:[4711]`.
pub(super) fn fixed_files(info: &[u8]) -> impl Iterator<Item = u64> {
    info.split(|byte| *byte == b'\n').filter_map(|line| {
        let at = line.windows(9).position(|window| window == b": socket:")?;
        socket_inode(line.get(at + 2..)?.trim_ascii())
    })
}

/// Of processes that have one of these Unix sockets, those for whom descriptors wait in it. `search` says who has them.
pub(super) fn receivers(mut pending: Vec<u64>, search: impl Fn(&[u64]) -> Option<Walk>) -> Vec<Pin> {
    pending.sort_unstable();
    if pending.is_empty() {
        return Vec::new();
    }
    let Some(walk) = search(&pending) else { return Vec::new() };
    let mut receivers: Vec<Pin> = Vec::new();
    for found in walk.found {
        let Some(directory) = found.process.directory() else { continue };
        let info = procfs::read_at(&*directory, format!("fdinfo/{}", found.descriptor), 1 << 16);
        let waits = info.is_ok_and(|info| waiting_descriptors(&info) > 0);
        if waits && receivers.iter().all(|known| known.pid != found.process.pid) {
            receivers.push(found.process);
        }
    }
    receivers
}

/// `scm_fds: 3`
pub(super) fn waiting_descriptors(info: &[u8]) -> u64 {
    let line =
        info.lines().map_while(Result::ok).find_map(|line| line.strip_prefix("scm_fds:").map(str::to_owned));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

/// The UDP ports of this namespace's vxlan and geneve links: the kernel itself receives there.
pub(super) fn kernel_ports() -> Vec<u16> {
    const RTM_NEWLINK: u16 = 16;
    const RTM_GETLINK: u16 = 18;
    // struct ifinfomsg: any family, any link.
    let request = [0; 16];
    let ports = std::cell::RefCell::new(Vec::new());
    let mut each = |message: &[u8]| ports.borrow_mut().extend(link_port(message));
    match dump(None, RTM_GETLINK, &request, RTM_NEWLINK, &mut each, &mut || ports.borrow_mut().clear()) {
        Ok(()) => ports.into_inner(),
        Err(_) => Vec::new(),
    }
}

/// The port of a tunnel in an RTM_NEWLINK message (linux/if_link.h).
pub(super) fn link_port(message: &[u8]) -> Option<u16> {
    const IFLA_LINKINFO: u16 = 18;
    const IFLA_INFO_KIND: u16 = 1;
    const IFLA_INFO_DATA: u16 = 2;
    const IFLA_VXLAN_PORT: u16 = 15;
    const IFLA_GENEVE_PORT: u16 = 5;
    let mut info = Vec::new();
    attributes(message.get(16..)?, |kind, value| {
        if kind == IFLA_LINKINFO {
            info = value.to_vec();
        }
    });
    let mut name = Vec::new();
    let mut data = Vec::new();
    attributes(&info, |kind, value| match kind {
        IFLA_INFO_KIND => name = value.strip_suffix(b"\0").unwrap_or(value).to_vec(),
        IFLA_INFO_DATA => data = value.to_vec(),
        _ => {}
    });
    let wanted = match name.as_slice() {
        b"vxlan" => IFLA_VXLAN_PORT,
        b"geneve" => IFLA_GENEVE_PORT,
        _ => return None,
    };
    let mut port = None;
    attributes(&data, |kind, value| {
        if kind == wanted {
            port = u16_at(value, 0).map(u16::from_be);
        }
    });
    port
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn files_of_a_ring() {
        let info = b"SqMask:\t0x3\nUserFiles:\t2\n    0: socket:[4711]\n    1: /dev/null\n    2: socket:[4712]\nUserBufs:\t0\n";
        assert_eq!(fixed_files(info).collect::<Vec<_>>(), [4711, 4712]);
    }

    #[test]
    fn descriptors_under_way() {
        assert_eq!(waiting_descriptors(b"pos:\t0\nscm_fds: 2\nino:\t9\n"), 2);
        assert_eq!(waiting_descriptors(b"pos:\t0\nscm_fds: 0\n"), 0);
        assert_eq!(waiting_descriptors(b""), 0);
    }

    #[test]
    fn threads_of_one_process_share_their_descriptors() {
        let own = rustix::process::getpid().as_raw_nonzero().get().cast_unsigned();
        std::thread::spawn(move || {
            let thread = rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned();
            assert!(share_descriptors(own, thread));
        })
        .join()
        .unwrap();
        assert!(!share_descriptors(own, 1) || own == 1);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = fixed_files(&bytes).count();
            let _ = waiting_descriptors(&bytes);
            let _ = link_port(&bytes);
        }
    }
}
