//! Netlink (netlink(7)): requests out, checked messages in. What a datagram says is decided by a function of its
//! bytes alone, so that it can be tried with any bytes and without a kernel.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};

/// The kernel fills at most 32 KiB at a time for a dump.
const BUFFER: usize = 64 * 1024;
/// A dump whose next part takes longer than this never ends.
const LONGEST_SILENCE: Duration = Duration::from_secs(2);
/// A system call that is interrupted more often than this in a row will never get through.
const INTERRUPTIONS: usize = 100;
/// How often a dump that the kernel calls inconsistent is repeated.
const REPEATS: usize = 3;

const HEADER: usize = 16;
/// The sequence number of the only request of a socket.
const SEQUENCE: u32 = 1;
const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLMSG_OVERRUN: u16 = 4;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLM_F_DUMP: u16 = 0x300;

/// Why a dump gave no answer that can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::os) enum Fault {
    /// A system call failed: no such socket is to be had here, or it does not answer.
    System(Errno),
    /// The kernel answered with an error.
    Refused(Errno),
    /// What came is no answer to what was asked.
    Malformed(&'static str),
    /// The table kept changing.
    Interrupted,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::System(errno) => {
                write!(f, "netlink is unavailable: {}", crate::os::describe_error(&(*errno).into()))
            }
            Fault::Refused(errno) => write!(f, "netlink refused: {}", io::Error::from(*errno)),
            Fault::Malformed(what) => write!(f, "netlink answered with {what}"),
            Fault::Interrupted => f.write_str("the table kept changing while netlink read it"),
        }
    }
}

impl std::error::Error for Fault {}

/// How far a dump is after a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::os) struct Progress {
    /// Whether that was the end.
    pub(in crate::os) done: bool,
    /// Whether the kernel said that the table changed underneath.
    pub(in crate::os) interrupted: bool,
}

/// Asks for a dump of a netlink protocol (`None` is NETLINK_ROUTE) and gives the payload of each of its messages. `each` may be called again from the beginning
/// where the table changed: `restart` says so first.
pub(in crate::os) fn dump(
    protocol: Option<Protocol>,
    kind: u16,
    request: &[u8],
    answer: u16,
    each: &mut dyn FnMut(&[u8]),
    restart: &mut dyn FnMut(),
) -> Result<(), Fault> {
    let mut buffer = vec![0; BUFFER];
    for _ in 0..REPEATS {
        restart();
        if !dump_once(protocol, kind, request, answer, each, &mut buffer)? {
            return Ok(());
        }
    }
    Err(Fault::Interrupted)
}

/// Asks for one answer that is no dump, and gives its payload.
pub(in crate::os) fn ask(
    protocol: Option<Protocol>,
    kind: u16,
    request: &[u8],
    answer: u16,
    each: &mut dyn FnMut(&[u8]),
) -> Result<(), Fault> {
    let socket = open(protocol)?;
    send(&socket, &frame(kind, NLM_F_REQUEST, SEQUENCE, request))?;
    let mut buffer = vec![0; BUFFER];
    read_datagram(receive(&socket, &mut buffer)?, SEQUENCE, answer, each).map(drop)
}

/// One dump over a socket of its own, so that nothing of an earlier one can be left in it. True where the table
/// changed underneath.
fn dump_once(
    protocol: Option<Protocol>,
    kind: u16,
    request: &[u8],
    answer: u16,
    each: &mut dyn FnMut(&[u8]),
    buffer: &mut [u8],
) -> Result<bool, Fault> {
    let socket = open(protocol)?;
    send(&socket, &frame(kind, NLM_F_REQUEST | NLM_F_DUMP, SEQUENCE, request))?;
    let mut interrupted = false;
    loop {
        let progress = read_datagram(receive(&socket, buffer)?, SEQUENCE, answer, each)?;
        interrupted |= progress.interrupted;
        if progress.done {
            return Ok(interrupted);
        }
    }
}

fn open(protocol: Option<Protocol>) -> Result<OwnedFd, Fault> {
    let socket =
        rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)
            .map_err(Fault::System)?;
    set_socket_timeout(&socket, Timeout::Recv, Some(LONGEST_SILENCE)).map_err(Fault::System)?;
    Ok(socket)
}

fn send(socket: &OwnedFd, message: &[u8]) -> Result<(), Fault> {
    retry(|| rustix::net::send(socket, message, SendFlags::empty())).map_err(Fault::System).map(drop)
}

fn receive<'a>(socket: &OwnedFd, buffer: &'a mut [u8]) -> Result<&'a [u8], Fault> {
    let (received, length) =
        retry(|| rustix::net::recv(socket, &mut *buffer, RecvFlags::TRUNC)).map_err(Fault::System)?;
    let bytes = buffer.get(..received).filter(|_| length == received);
    bytes.ok_or(Fault::Malformed("a datagram that was cut off"))
}

/// Repeats an interrupted system call, but not for ever.
fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    for _ in 0..INTERRUPTIONS {
        match call() {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
    Err(Errno::INTR)
}

/// A request.
fn frame(kind: u16, flags: u16, sequence: u32, request: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + request.len()).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(HEADER + request.len());
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend(sequence.to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    message.extend(request);
    message
}

/// Reads one datagram of an answer. A message of another sequence or kind than was asked for is a fault: on a socket
/// that was just opened there is nothing else to come.
pub(in crate::os) fn read_datagram(
    bytes: &[u8],
    sequence: u32,
    answer: u16,
    each: &mut dyn FnMut(&[u8]),
) -> Result<Progress, Fault> {
    if bytes.is_empty() {
        return Err(Fault::Malformed("an empty datagram"));
    }
    let mut progress = Progress { done: false, interrupted: false };
    let mut rest = bytes;
    while !rest.is_empty() {
        let short = Fault::Malformed("a message without a whole header");
        let length = u32_at(rest, 0).ok_or(short)?;
        let kind = u16_at(rest, 4).ok_or(short)?;
        let flags = u16_at(rest, 6).ok_or(short)?;
        let number = u32_at(rest, 8).ok_or(short)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let payload =
            rest.get(HEADER..length).ok_or(Fault::Malformed("a message of an impossible length"))?;
        if number != sequence {
            return Err(Fault::Malformed("a message that belongs to another request"));
        }
        progress.interrupted |= flags & NLM_F_DUMP_INTR != 0;
        match kind {
            NLMSG_NOOP => {}
            NLMSG_ERROR => {
                let errno = u32_at(payload, 0).ok_or(Fault::Malformed("an error without a number"))?;
                refused(errno.cast_signed())?;
            }
            NLMSG_DONE => {
                // The end may carry the error that ended it.
                refused(u32_at(payload, 0).map_or(0, u32::cast_signed))?;
                progress.done = true;
                return Ok(progress);
            }
            NLMSG_OVERRUN => return Err(Fault::Malformed("lost messages")),
            kind if kind == answer => each(payload),
            _ => return Err(Fault::Malformed("a message of another kind")),
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(progress)
}

fn refused(errno: i32) -> Result<(), Fault> {
    // MAX_ERRNO of the kernel's err.h.
    match errno {
        0 => Ok(()),
        -4095..=-1 => Err(Fault::Refused(Errno::from_raw_os_error(-errno))),
        _ => Err(Fault::Malformed("an error that has no such number")),
    }
}

/// Calls for each attribute with its type, without the flag bits, and its bytes. What is torn ends the list.
pub(in crate::os) fn attributes<'a>(mut bytes: &'a [u8], mut each: impl FnMut(u16, &'a [u8])) {
    const TYPE_MASK: u16 = 0x3fff;
    while let (Some(length), Some(kind)) = (u16_at(bytes, 0), u16_at(bytes, 2)) {
        let length = usize::from(length);
        let Some(value) = bytes.get(4..length) else { return };
        each(kind & TYPE_MASK, value);
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
}

/// The two bytes at an offset, in the machine's own order.
pub(in crate::os) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// The four bytes at an offset, in the machine's own order.
pub(in crate::os) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The eight bytes at an offset, in the machine's own order.
pub(in crate::os) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KIND: u16 = 20;

    fn message(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let mut message = frame(kind, NLM_F_REQUEST, sequence, payload);
        message[6..8].copy_from_slice(&flags.to_ne_bytes());
        message.resize(message.len().next_multiple_of(4), 0);
        message
    }

    fn read(bytes: &[u8]) -> (Result<Progress, Fault>, Vec<Vec<u8>>) {
        let mut payloads = Vec::new();
        let progress = read_datagram(bytes, 1, KIND, &mut |payload| payloads.push(payload.to_vec()));
        (progress, payloads)
    }

    #[test]
    fn messages_until_the_end() {
        let bytes =
            [message(KIND, 0, 1, b"abcd"), message(1, 0, 1, b""), message(KIND, 0, 1, b"ef")].concat();
        let (progress, payloads) = read(&bytes);
        assert_eq!(progress, Ok(Progress { done: false, interrupted: false }));
        assert_eq!(payloads, [b"abcd".to_vec(), b"ef".to_vec()]);
        let (progress, _) = read(&message(NLMSG_DONE, NLM_F_DUMP_INTR, 1, &0_i32.to_ne_bytes()));
        assert_eq!(progress, Ok(Progress { done: true, interrupted: true }));
    }

    #[test]
    fn an_error_is_never_the_end_of_an_empty_list() {
        let permission = (-1_i32).to_ne_bytes();
        for (bytes, fault) in [
            (message(NLMSG_ERROR, 0, 1, &permission), Fault::Refused(Errno::PERM)),
            (message(NLMSG_DONE, 0, 1, &permission), Fault::Refused(Errno::PERM)),
            (message(NLMSG_ERROR, 0, 1, b""), Fault::Malformed("an error without a number")),
            (
                message(NLMSG_ERROR, 0, 1, &(-5000_i32).to_ne_bytes()),
                Fault::Malformed("an error that has no such number"),
            ),
            (message(NLMSG_OVERRUN, 0, 1, b""), Fault::Malformed("lost messages")),
            (message(KIND, 0, 2, b""), Fault::Malformed("a message that belongs to another request")),
            (message(99, 0, 1, b""), Fault::Malformed("a message of another kind")),
            (Vec::new(), Fault::Malformed("an empty datagram")),
            (vec![0; 16], Fault::Malformed("a message of an impossible length")),
            (vec![1; 3], Fault::Malformed("a message without a whole header")),
        ] {
            assert_eq!(read(&bytes).0, Err(fault));
        }
        let mut torn = message(KIND, 0, 1, b"abcd");
        torn.pop();
        assert!(read(&torn).0.is_err());
    }

    #[test]
    fn attributes_end_where_they_are_torn() {
        let mut list = Vec::new();
        let bytes =
            [&8_u16.to_ne_bytes()[..], &0x8005_u16.to_ne_bytes(), b"abcd", &99_u16.to_ne_bytes(), b"xx"];
        attributes(&bytes.concat(), |kind, value| list.push((kind, value.to_vec())));
        assert_eq!(list, [(5, b"abcd".to_vec())]);
        attributes(&[0; 8], |_, _| panic!("an attribute of no length"));
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            attributes(&bytes, |_, _| {});
        }
    }
}
