//! The system call in /proc/PID/task/TID/syscall (proc_pid_syscall(5)). Pure, but not in `parse`: the numbers of system
//! calls come from libc, which has them for the machine it is compiled for alone.

use crate::model::Call;

/// Returns the numbers of the set bits in machine words, the format of fd_set.
pub(super) fn bits(words: &[u8]) -> impl Iterator<Item = u32> {
    let words = words.chunks_exact(size_of::<usize>());
    words.zip(0_u32..).flat_map(|(word, at)| {
        let word = word.first_chunk().map_or(0, |bytes| usize::from_ne_bytes(*bytes));
        (0..usize::BITS).filter(move |bit| word >> bit & 1 == 1).map(move |bit| at * usize::BITS + bit)
    })
}

/// The system call that a thread is in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SystemCall {
    number: libc::c_long,
    arguments: [u64; 6],
}

/// What a system call waits on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WaitsOn {
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

impl SystemCall {
    /// Reads a line such as `43 0x3 0x0 0x0 0x0 0x0 0x0 0x7f41... 0x7f41...`: the call's number, its arguments, the stack
    /// pointer and the program counter. Returns `None` for a running thread (`running`), and for kernel threads, including
    /// those of io_uring, which have no stack pointer.
    pub(super) fn parse(bytes: &[u8]) -> Option<SystemCall> {
        let mut fields = std::str::from_utf8(bytes).ok()?.split_ascii_whitespace();
        let number = fields.next()?.parse().ok().filter(|number| *number >= 0)?;
        let mut hexadecimal = || u64::from_str_radix(fields.next()?.strip_prefix("0x")?, 16).ok();
        let mut arguments = [0; 6];
        for argument in &mut arguments {
            *argument = hexadecimal()?;
        }
        let stack = hexadecimal()?;
        // A program with another word size has other call numbers.
        let is_ours = (u32::try_from(stack).is_err()) == (usize::BITS == 64);
        (stack != 0 && is_ours).then_some(SystemCall { number, arguments })
    }

    pub(super) fn waits_on(&self) -> Option<WaitsOn> {
        let [first, second, third, fourth, ..] = self.arguments;
        // Descriptors are ints: the upper half of a register may hold anything.
        let descriptor = || Some(first & 0xffff_ffff).and_then(|number| u32::try_from(number).ok());
        let is = |calls: &[libc::c_long]| calls.contains(&self.number);
        if is(&calls::ACCEPT) {
            return Some(WaitsOn::Descriptor(Call::Accept, descriptor()?));
        }
        if is(&[libc::SYS_recvfrom, libc::SYS_recvmsg, libc::SYS_recvmmsg]) {
            return Some(WaitsOn::Descriptor(Call::Receive, descriptor()?));
        }
        if is(&[libc::SYS_sendto, libc::SYS_sendmsg, libc::SYS_sendmmsg]) {
            return Some(WaitsOn::Descriptor(Call::Send, descriptor()?));
        }
        if is(&[libc::SYS_connect]) {
            return Some(WaitsOn::Descriptor(Call::Connect, descriptor()?));
        }
        if is(&[libc::SYS_read, libc::SYS_readv]) {
            return Some(WaitsOn::File(Call::Receive, descriptor()?));
        }
        if is(&[libc::SYS_write, libc::SYS_writev]) {
            return Some(WaitsOn::File(Call::Send, descriptor()?));
        }
        if is(&calls::POLL) {
            let count = usize::try_from(second & 0xffff_ffff).ok().filter(|count| *count > 0)?;
            return Some(WaitsOn::Poll { array: first, count });
        }
        if is(&calls::SELECT) {
            let count = usize::try_from(first & 0xffff_ffff).ok().filter(|count| *count > 0)?;
            return Some(WaitsOn::Select { sets: [second, third, fourth], count });
        }
        None
    }
}

/// Newer architectures have these calls only in their general forms.
#[cfg(target_arch = "x86_64")]
mod calls {
    pub(super) const ACCEPT: [libc::c_long; 2] = [libc::SYS_accept, libc::SYS_accept4];
    pub(super) const POLL: [libc::c_long; 2] = [libc::SYS_poll, libc::SYS_ppoll];
    pub(super) const SELECT: [libc::c_long; 2] = [libc::SYS_select, libc::SYS_pselect6];
}

#[cfg(any(target_arch = "aarch64", target_arch = "riscv64"))]
mod calls {
    pub(super) const ACCEPT: [libc::c_long; 2] = [libc::SYS_accept, libc::SYS_accept4];
    pub(super) const POLL: [libc::c_long; 1] = [libc::SYS_ppoll];
    pub(super) const SELECT: [libc::c_long; 1] = [libc::SYS_pselect6];
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
mod calls {
    pub(super) const ACCEPT: [libc::c_long; 1] = [libc::SYS_accept4];
    pub(super) const POLL: [libc::c_long; 1] = [libc::SYS_ppoll];
    pub(super) const SELECT: [libc::c_long; 1] = [libc::SYS_pselect6];
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
        let waits = |line: &[u8]| SystemCall::parse(line).and_then(|call| call.waits_on());
        let accept = line(libc::SYS_accept4, "0x3 0x0 0x0 0x0 0x0 0x0");
        assert_eq!(waits(&accept), Some(WaitsOn::Descriptor(Call::Accept, 3)));
        let receive = line(libc::SYS_recvfrom, "0xffffffff00000007 0x1 0x9 0x0 0x0 0x0");
        assert_eq!(
            waits(&receive),
            Some(WaitsOn::Descriptor(Call::Receive, 7)),
            "an int in a wider register"
        );
        let poll = line(libc::SYS_ppoll, "0x7f00 0x2 0x0 0x0 0x8 0x0");
        assert_eq!(waits(&poll), Some(WaitsOn::Poll { array: 0x7f00, count: 2 }));
        let select = line(libc::SYS_pselect6, "0x4 0x7f00 0x0 0x0 0x0 0x0");
        assert_eq!(waits(&select), Some(WaitsOn::Select { sets: [0x7f00, 0, 0], count: 4 }));
        assert_eq!(waits(&line(libc::SYS_futex, "0x7f00 0x0 0x0 0x0 0x0 0x0")), None);
    }

    #[test]
    fn threads_that_are_in_no_call() {
        let of_the_kernel = b"0 0x0 0x0 0x0 0x0 0x0 0x0 0x0 0x0\n";
        for none in [&b"running\n"[..], b"-1 0x7ffd0 0x7f00\n", b"", b"43\n", of_the_kernel] {
            assert_eq!(SystemCall::parse(none), None);
        }
        // What is left of the call by which a ring was entered.
        assert_eq!(SystemCall::parse(b"426 0x4 0x1 0x0 0x0 0x0 0x0 0x0 0x0\n"), None);
    }

    #[test]
    fn descriptors_in_a_set() {
        let set: Vec<u8> = [0b1001_usize, 1].into_iter().flat_map(usize::to_ne_bytes).collect();
        assert_eq!(bits(&set).collect::<Vec<_>>(), [0, 3, usize::BITS]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = SystemCall::parse(&bytes).and_then(|call| call.waits_on());
            let _ = bits(&bytes).count();
        }
    }
}
