//! Threads that wait inside a system call on a descriptor that is closed. The call keeps the file open until it
//! returns, and no descriptor table has it any more.
//!
//! /proc/PID/task/TID/syscall names the call and its arguments (proc(5)); reading it takes the rights to trace the
//! process (PTRACE_MODE_ATTACH_FSCREDS), which Yama denies to most users. /proc/PID/task/TID/wchan names the kernel's
//! function in which the thread sleeps, for whoever may read the descriptor table.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use rustix::fs::{Mode, OFlags, RawDir};
use rustix::io::Errno;

use super::thread_tables::thread_ids;
use super::walk::{number, socket_inode};
use crate::model::Call;
use crate::os::process::sys::proc_handle::Directory;
use crate::os::table::sys::procfs;

/// The most descriptors of one poll(2) or select(2) that are looked up.
const MOST_POLLED: usize = 1024;
/// The most bytes of a file that tells of a call.
const LONGEST_CALL: u64 = 512;

/// What the threads of one process tell.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::os) struct Waiting {
    /// The calls that wait on closed descriptors, each named once.
    pub(in crate::os) calls: BTreeSet<Call>,
    /// Whether the calls of a thread may not be read.
    pub(in crate::os) refused: bool,
}

/// Reads in which calls the threads of a process wait on descriptors that are closed. `listening` holds the sockets that
/// can be accepted from.
pub(in crate::os) fn waiting(process: &Directory, listening: &BTreeSet<u64>) -> Waiting {
    let mut waiting = Waiting::default();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(tasks) = rustix::fs::openat(process, "task", flags, Mode::empty()) else { return waiting };
    let mut last = None;
    for thread in thread_ids(&tasks) {
        let sleeper = Thread { process, tasks: &tasks, id: thread };
        match procfs::read_at(&tasks, format!("{thread}/syscall"), LONGEST_CALL) {
            Ok(bytes) => waiting.calls.extend(sleeper.by_call(&bytes, listening)),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                waiting.refused = true;
                // Whose wchan is refused as well shows nothing; so will the other threads of the process.
                match sleeper.by_function(listening, &mut last) {
                    Some(call) => waiting.calls.extend(call),
                    None => return waiting,
                }
            }
            // It has ended.
            Err(_) => {}
        }
    }
    waiting
}

struct Thread<'a> {
    process: &'a Directory,
    tasks: &'a OwnedFd,
    id: u32,
}

impl Thread<'_> {
    /// The call, if it waits on a descriptor that is closed or leads to another kind of file by now.
    fn by_call(&self, bytes: &[u8], listening: &BTreeSet<u64>) -> Option<Call> {
        let entered = Entered::parse(bytes)?;
        match entered.waits_on()? {
            Waits::Descriptor(call, descriptor) => {
                let left = match self.leads_to(descriptor) {
                    Lead::Closed => true,
                    // Something else has the number now, if nothing can be accepted from it.
                    Lead::Socket(inode) => call == Call::Accept && !listening.contains(&inode),
                    Lead::Other => call == Call::Accept,
                    Lead::Unknown => false,
                };
                (left && self.sleeps_as(call)).then_some(call)
            }
            Waits::File(call, descriptor) => {
                // read(2) and write(2) wait on files of every kind.
                let closed = self.leads_to(descriptor) == Lead::Closed;
                (closed && self.sleeps_on_a_socket()).then_some(call)
            }
            Waits::Poll { array, count } => {
                let size = count.min(MOST_POLLED).checked_mul(8)?;
                // struct pollfd: the descriptor, what is waited for, what came.
                let polled = self.memory(array, size)?;
                let closed = |entry: &[u8]| {
                    let descriptor = entry.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes));
                    let descriptor = descriptor.and_then(|number| u32::try_from(number).ok());
                    descriptor.is_some_and(|number| self.leads_to(number) == Lead::Closed)
                };
                polled.chunks_exact(8).any(closed).then_some(Call::Poll)
            }
            Waits::Select { sets, count } => {
                let words = count.min(MOST_POLLED).div_ceil(usize::BITS as usize);
                let size = words.checked_mul(size_of::<usize>())?;
                let closed = |set: u64| {
                    let set = self.memory(set, size).unwrap_or_default();
                    bits(&set).any(|number| self.leads_to(number) == Lead::Closed)
                };
                sets.into_iter().filter(|set| *set != 0).any(closed).then_some(Call::Select)
            }
        }
    }

    /// The call by the function that the thread sleeps in, where its arguments may not be read: it waits on a closed
    /// descriptor if the table has nothing that it could wait on. `None` if the function may not be read either.
    fn by_function(
        &self,
        listening: &BTreeSet<u64>,
        sockets: &mut Option<BTreeSet<u64>>,
    ) -> Option<Option<Call>> {
        let function = self.function()?;
        let call = match function.as_slice() {
            name if name.starts_with(b"inet_csk_accept") => Call::Accept,
            name if name.starts_with(b"__skb_wait_for_more_packets") => Call::Receive,
            _ => return Some(None),
        };
        // Nearly always the threads of a process have one table.
        let sockets = match sockets {
            Some(sockets) => sockets,
            None => sockets.insert(self.sockets()?),
        };
        let has_one = match call {
            Call::Accept => sockets.iter().any(|inode| listening.contains(inode)),
            _ => !sockets.is_empty(),
        };
        Some((!has_one).then_some(call))
    }

    /// The sockets in the thread's descriptor table.
    fn sockets(&self) -> Option<BTreeSet<u64>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let table = rustix::fs::openat(self.tasks, format!("{}/fd", self.id), flags, Mode::empty()).ok()?;
        let mut buffer = [std::mem::MaybeUninit::uninit(); 16 * 1024];
        let mut entries = RawDir::new(&table, &mut buffer);
        let mut sockets = BTreeSet::new();
        while let Some(entry) = entries.next() {
            let entry = entry.ok()?;
            if number(entry.file_name()).is_none() {
                continue;
            }
            let mut link = [std::mem::MaybeUninit::uninit(); 64];
            match rustix::fs::readlinkat_raw(&table, entry.file_name(), &mut link) {
                Ok((target, _)) => sockets.extend(socket_inode(target)),
                Err(Errno::NOENT) => {}
                Err(_) => return None,
            }
        }
        Some(sockets)
    }

    /// The function of the kernel that the thread sleeps in. `None` if it is not told.
    fn function(&self) -> Option<Vec<u8>> {
        let name = procfs::read_at(self.tasks, format!("{}/wchan", self.id), LONGEST_CALL).ok()?;
        (!name.is_empty() && name != b"0").then_some(name)
    }

    /// Whether the thread may sleep in such a call of a socket of the internet or Unix. Kernels without symbols do not
    /// tell.
    fn sleeps_as(&self, call: Call) -> bool {
        self.function().is_none_or(|function| match call {
            Call::Accept => function.starts_with(b"inet_csk_") || is_of_sockets(&function),
            _ => true,
        })
    }

    fn sleeps_on_a_socket(&self) -> bool {
        self.function().is_some_and(|function| is_of_sockets(&function))
    }

    fn leads_to(&self, descriptor: u32) -> Lead {
        let mut link = [std::mem::MaybeUninit::uninit(); 64];
        let path = format!("{}/fd/{descriptor}", self.id);
        match rustix::fs::readlinkat_raw(self.tasks, path.as_str(), &mut link) {
            Ok((target, _)) => socket_inode(target).map_or(Lead::Other, Lead::Socket),
            Err(Errno::NOENT) => Lead::Closed,
            Err(_) => Lead::Unknown,
        }
    }

    /// Memory of the thread's, if it is present: a page that has to be fetched may come from a file system or a handler
    /// (userfaultfd(2)) that does not answer.
    fn memory(&self, address: u64, size: usize) -> Option<Vec<u8>> {
        const PRESENT: u64 = 1 << 63;
        let open = |name| {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            rustix::fs::openat(self.process, name, flags, Mode::empty()).map(std::fs::File::from).ok()
        };
        let page = u64::try_from(rustix::param::page_size()).ok()?;
        let last = address.checked_add(u64::try_from(size).ok()?.checked_sub(1)?)?;
        let pages = open("pagemap")?;
        for number in address / page..=last / page {
            let mut entry = [0; 8];
            pages.read_exact_at(&mut entry, number.checked_mul(8)?).ok()?;
            if u64::from_ne_bytes(entry) & PRESENT == 0 {
                return None;
            }
        }
        let mut bytes = vec![0; size];
        open("mem")?.read_exact_at(&mut bytes, address).ok()?;
        Some(bytes)
    }
}

/// Where a descriptor leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lead {
    Closed,
    Socket(u64),
    Other,
    Unknown,
}

/// Whether a function of the kernel waits for what comes to a socket, or for room to send.
fn is_of_sockets(function: &[u8]) -> bool {
    // Terminals sleep in wait_woken too.
    const SOCKETS: [&[u8]; 7] = [b"__skb_", b"skb_", b"sk_", b"wait_woken", b"unix_", b"tcp_", b"inet_"];
    SOCKETS.iter().any(|name| function.starts_with(name))
}

/// The numbers of the bits that are set in words of the machine, as fd_set has them.
fn bits(words: &[u8]) -> impl Iterator<Item = u32> {
    let words = words.chunks_exact(size_of::<usize>());
    words.zip(0_u32..).flat_map(|(word, at)| {
        let word = word.first_chunk().map_or(0, |bytes| usize::from_ne_bytes(*bytes));
        (0..usize::BITS).filter(move |bit| word >> bit & 1 == 1).map(move |bit| at * usize::BITS + bit)
    })
}

/// A system call that a thread is in.
#[derive(Debug, PartialEq, Eq)]
struct Entered {
    number: libc::c_long,
    arguments: [u64; 6],
}

/// What a call waits on.
#[derive(Debug, PartialEq, Eq)]
enum Waits {
    /// One socket.
    Descriptor(Call, u32),
    /// One file of any kind.
    File(Call, u32),
    Poll {
        array: u64,
        count: usize,
    },
    Select {
        sets: [u64; 3],
        count: usize,
    },
}

impl Entered {
    /// `43 0x3 0x0 0x0 0x0 0x0 0x0 0x7f41... 0x7f41...`: the call's number, its arguments, the stack pointer and the
    /// program counter. A thread that runs is `running`. Threads of the kernel, those of io_uring too, have no stack
    /// pointer; what stands there of them means nothing.
    fn parse(bytes: &[u8]) -> Option<Entered> {
        let mut fields = std::str::from_utf8(bytes).ok()?.split_ascii_whitespace();
        let number = fields.next()?.parse().ok().filter(|number| *number >= 0)?;
        let mut hexadecimal = || u64::from_str_radix(fields.next()?.strip_prefix("0x")?, 16).ok();
        let mut arguments = [0; 6];
        for argument in &mut arguments {
            *argument = hexadecimal()?;
        }
        let stack = hexadecimal()?;
        // Programs of another word size have other numbers.
        let is_ours = (u32::try_from(stack).is_err()) == (usize::BITS == 64);
        (stack != 0 && is_ours).then_some(Entered { number, arguments })
    }

    fn waits_on(&self) -> Option<Waits> {
        let [first, second, third, fourth, ..] = self.arguments;
        // Descriptors are ints: the upper half of a register may hold anything.
        let descriptor = || Some(first & 0xffff_ffff).and_then(|number| u32::try_from(number).ok());
        let is = |calls: &[libc::c_long]| calls.contains(&self.number);
        if is(&calls::ACCEPT) {
            return Some(Waits::Descriptor(Call::Accept, descriptor()?));
        }
        if is(&[libc::SYS_recvfrom, libc::SYS_recvmsg, libc::SYS_recvmmsg]) {
            return Some(Waits::Descriptor(Call::Receive, descriptor()?));
        }
        if is(&[libc::SYS_sendto, libc::SYS_sendmsg, libc::SYS_sendmmsg]) {
            return Some(Waits::Descriptor(Call::Send, descriptor()?));
        }
        if is(&[libc::SYS_connect]) {
            return Some(Waits::Descriptor(Call::Connect, descriptor()?));
        }
        if is(&[libc::SYS_read, libc::SYS_readv]) {
            return Some(Waits::File(Call::Receive, descriptor()?));
        }
        if is(&[libc::SYS_write, libc::SYS_writev]) {
            return Some(Waits::File(Call::Send, descriptor()?));
        }
        if is(&calls::POLL) {
            let count = usize::try_from(second & 0xffff_ffff).ok().filter(|count| *count > 0)?;
            return Some(Waits::Poll { array: first, count });
        }
        if is(&calls::SELECT) {
            let count = usize::try_from(first & 0xffff_ffff).ok().filter(|count| *count > 0)?;
            return Some(Waits::Select { sets: [second, third, fourth], count });
        }
        None
    }
}

/// Calls that newer architectures have in their general forms alone.
#[cfg(target_arch = "x86_64")]
mod calls {
    pub(in crate::os) const ACCEPT: [libc::c_long; 2] = [libc::SYS_accept, libc::SYS_accept4];
    pub(in crate::os) const POLL: [libc::c_long; 2] = [libc::SYS_poll, libc::SYS_ppoll];
    pub(in crate::os) const SELECT: [libc::c_long; 2] = [libc::SYS_select, libc::SYS_pselect6];
}

#[cfg(any(target_arch = "aarch64", target_arch = "riscv64"))]
mod calls {
    pub(in crate::os) const ACCEPT: [libc::c_long; 2] = [libc::SYS_accept, libc::SYS_accept4];
    pub(in crate::os) const POLL: [libc::c_long; 1] = [libc::SYS_ppoll];
    pub(in crate::os) const SELECT: [libc::c_long; 1] = [libc::SYS_pselect6];
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
mod calls {
    pub(in crate::os) const ACCEPT: [libc::c_long; 1] = [libc::SYS_accept4];
    pub(in crate::os) const POLL: [libc::c_long; 1] = [libc::SYS_ppoll];
    pub(in crate::os) const SELECT: [libc::c_long; 1] = [libc::SYS_pselect6];
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A stack pointer as this process has one.
    fn line(number: libc::c_long, arguments: &str) -> Vec<u8> {
        let stack = if usize::BITS == 64 { "0x7f418aab2fc0" } else { "0xbf800000" };
        format!("{number} {arguments} {stack} 0x1234\n").into_bytes()
    }

    #[test]
    fn calls_and_what_they_wait_on() {
        let waits = |line: &[u8]| Entered::parse(line).and_then(|entered| entered.waits_on());
        let accept = line(libc::SYS_accept4, "0x3 0x0 0x0 0x0 0x0 0x0");
        assert_eq!(waits(&accept), Some(Waits::Descriptor(Call::Accept, 3)));
        let receive = line(libc::SYS_recvfrom, "0xffffffff00000007 0x1 0x9 0x0 0x0 0x0");
        assert_eq!(waits(&receive), Some(Waits::Descriptor(Call::Receive, 7)), "an int in a wider register");
        let poll = line(libc::SYS_ppoll, "0x7f00 0x2 0x0 0x0 0x8 0x0");
        assert_eq!(waits(&poll), Some(Waits::Poll { array: 0x7f00, count: 2 }));
        let select = line(libc::SYS_pselect6, "0x4 0x7f00 0x0 0x0 0x0 0x0");
        assert_eq!(waits(&select), Some(Waits::Select { sets: [0x7f00, 0, 0], count: 4 }));
        assert_eq!(waits(&line(libc::SYS_futex, "0x7f00 0x0 0x0 0x0 0x0 0x0")), None);
    }

    #[test]
    fn threads_that_are_in_no_call() {
        let of_the_kernel = b"0 0x0 0x0 0x0 0x0 0x0 0x0 0x0 0x0\n";
        for none in [&b"running\n"[..], b"-1 0x7ffd0 0x7f00\n", b"", b"43\n", of_the_kernel] {
            assert_eq!(Entered::parse(none), None);
        }
        // What is left of the call by which a ring was entered.
        assert_eq!(Entered::parse(b"426 0x4 0x1 0x0 0x0 0x0 0x0 0x0 0x0\n"), None);
    }

    #[test]
    fn descriptors_in_a_set() {
        let set: Vec<u8> = [0b1001_usize, 1].into_iter().flat_map(usize::to_ne_bytes).collect();
        assert_eq!(bits(&set).collect::<Vec<_>>(), [0, 3, usize::BITS]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Entered::parse(&bytes).and_then(|entered| entered.waits_on());
            let _ = bits(&bytes).count();
        }
    }
}
