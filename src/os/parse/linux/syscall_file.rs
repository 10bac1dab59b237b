//! The system call in /proc/PID/task/TID/syscall (proc_pid_syscall(5)). Pure. The numbers of system calls are an argument:
//! every processor has its own.

use std::ffi::c_long;

use crate::model::WaitingCall;

/// The numbers of the system calls that can wait on a descriptor.
#[derive(Debug, Clone, Copy)]
pub(in crate::os) struct CallNumbers<'a> {
    pub(in crate::os) accept: &'a [c_long],
    /// Calls that receive from sockets only.
    pub(in crate::os) receive: &'a [c_long],
    /// Calls that send to sockets only.
    pub(in crate::os) send: &'a [c_long],
    pub(in crate::os) connect: &'a [c_long],
    pub(in crate::os) read: &'a [c_long],
    pub(in crate::os) write: &'a [c_long],
    pub(in crate::os) poll: &'a [c_long],
    pub(in crate::os) select: &'a [c_long],
}

/// Returns the numbers of the set bits in machine words, the format of fd_set.
pub(in crate::os) fn bits(words: &[u8]) -> impl Iterator<Item = u32> {
    let words = words.chunks_exact(size_of::<usize>());
    words.zip(0_u32..).flat_map(|(word, at)| {
        let word = word.first_chunk().map_or(0, |bytes| usize::from_ne_bytes(*bytes));
        (0..usize::BITS).filter(move |bit| word >> bit & 1 == 1).map(move |bit| at * usize::BITS + bit)
    })
}

/// The system call that a thread is in.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::os) struct SystemCall {
    number: c_long,
    arguments: [u64; 6],
}

/// What a system call waits on.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::os) enum WaitsOn {
    /// One socket.
    Descriptor(WaitingCall, u32),
    /// One file of any kind.
    File(WaitingCall, u32),
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
    pub(in crate::os) fn parse(bytes: &[u8]) -> Option<SystemCall> {
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

    /// Returns what the call waits on. `None` for a call with another number.
    pub(in crate::os) fn waits_on(&self, numbers: &CallNumbers<'_>) -> Option<WaitsOn> {
        let [first, second, third, fourth, ..] = self.arguments;
        // Descriptors are ints: the upper half of a register may hold anything.
        let descriptor = || Some(first & 0xffff_ffff).and_then(|number| u32::try_from(number).ok());
        let is = |calls: &[c_long]| calls.contains(&self.number);
        if is(numbers.accept) {
            return Some(WaitsOn::Descriptor(WaitingCall::Accept, descriptor()?));
        }
        if is(numbers.receive) {
            return Some(WaitsOn::Descriptor(WaitingCall::Receive, descriptor()?));
        }
        if is(numbers.send) {
            return Some(WaitsOn::Descriptor(WaitingCall::Send, descriptor()?));
        }
        if is(numbers.connect) {
            return Some(WaitsOn::Descriptor(WaitingCall::Connect, descriptor()?));
        }
        if is(numbers.read) {
            return Some(WaitsOn::File(WaitingCall::Receive, descriptor()?));
        }
        if is(numbers.write) {
            return Some(WaitsOn::File(WaitingCall::Send, descriptor()?));
        }
        if is(numbers.poll) {
            let count = usize::try_from(second & 0xffff_ffff).ok().filter(|count| *count > 0)?;
            return Some(WaitsOn::Poll { array: first, count });
        }
        if is(numbers.select) {
            let count = usize::try_from(first & 0xffff_ffff).ok().filter(|count| *count > 0)?;
            return Some(WaitsOn::Select { sets: [second, third, fourth], count });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The numbers of aarch64 (asm-generic/unistd.h).
    const NUMBERS: CallNumbers<'_> = CallNumbers {
        accept: &[202, 242],
        receive: &[207, 212, 243],
        send: &[206, 211, 269],
        connect: &[203],
        read: &[63, 65],
        write: &[64, 66],
        poll: &[73],
        select: &[72],
    };

    /// A stack pointer as this process has one.
    fn line(number: c_long, arguments: &str) -> Vec<u8> {
        let stack = if usize::BITS == 64 { "0x7f418aab2fc0" } else { "0xbf800000" };
        format!("{number} {arguments} {stack} 0x1234\n").into_bytes()
    }

    #[test]
    fn calls_and_what_they_wait_on() {
        let waits = |line: &[u8]| SystemCall::parse(line).and_then(|call| call.waits_on(&NUMBERS));
        let accept = line(242, "0x3 0x0 0x0 0x0 0x0 0x0");
        assert_eq!(waits(&accept), Some(WaitsOn::Descriptor(WaitingCall::Accept, 3)));
        let receive = line(207, "0xffffffff00000007 0x1 0x9 0x0 0x0 0x0");
        assert_eq!(
            waits(&receive),
            Some(WaitsOn::Descriptor(WaitingCall::Receive, 7)),
            "an int in a wider register"
        );
        let connect = line(203, "0x9 0x0 0x0 0x0 0x0 0x0");
        assert_eq!(waits(&connect), Some(WaitsOn::Descriptor(WaitingCall::Connect, 9)));
        let send = line(206, "0x9 0x0 0x0 0x0 0x0 0x0");
        assert_eq!(waits(&send), Some(WaitsOn::Descriptor(WaitingCall::Send, 9)));
        let read = line(63, "0x5 0x0 0x0 0x0 0x0 0x0");
        assert_eq!(waits(&read), Some(WaitsOn::File(WaitingCall::Receive, 5)));
        let write = line(64, "0x5 0x0 0x0 0x0 0x0 0x0");
        assert_eq!(waits(&write), Some(WaitsOn::File(WaitingCall::Send, 5)));
        let poll = line(73, "0x7f00 0x2 0x0 0x0 0x8 0x0");
        assert_eq!(waits(&poll), Some(WaitsOn::Poll { array: 0x7f00, count: 2 }));
        let select = line(72, "0x4 0x7f00 0x0 0x0 0x0 0x0");
        assert_eq!(waits(&select), Some(WaitsOn::Select { sets: [0x7f00, 0, 0], count: 4 }));
        let poll = line(73, "0x7f00 0xffffffff00000002 0x0 0x0 0x8 0x0");
        assert_eq!(waits(&poll), Some(WaitsOn::Poll { array: 0x7f00, count: 2 }));
        let select = line(72, "0xffffffff00000004 0x7f00 0x1 0x2 0x0 0x0");
        assert_eq!(waits(&select), Some(WaitsOn::Select { sets: [0x7f00, 1, 2], count: 4 }));
        assert_eq!(waits(&line(73, "0x7f00 0x0 0x0 0x0 0x8 0x0")), None, "no descriptor");
        assert_eq!(waits(&line(72, "0x0 0x7f00 0x0 0x0 0x0 0x0")), None, "no descriptor");
        assert_eq!(waits(&line(98, "0x7f00 0x0 0x0 0x0 0x0 0x0")), None);
    }

    #[test]
    fn threads_that_are_in_no_call() {
        let of_the_kernel = b"0 0x0 0x0 0x0 0x0 0x0 0x0 0x0 0x0\n";
        for none in [&b"running\n"[..], b"-1 0x7ffd0 0x7f00\n", b"", b"43\n", of_the_kernel] {
            assert_eq!(SystemCall::parse(none), None);
        }
        let other_word_size = if usize::BITS == 64 { "0xffd0a000" } else { "0x7f418aab2fc0" };
        let other = format!("63 0x5 0x0 0x0 0x0 0x0 0x0 {other_word_size} 0x1234\n");
        assert_eq!(SystemCall::parse(other.as_bytes()), None);
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
            let _ = SystemCall::parse(&bytes).and_then(|call| call.waits_on(&NUMBERS));
            let _ = bits(&bytes).count();
        }
    }
}
