//! Netlink sockets (netlink(7)): sends a request, receives the answer, and repeats a dump that the kernel calls
//! inconsistent. `parse::linux::netlink` reads the messages.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::os::parse::linux::netlink;
use crate::os::parse::linux::netlink::{NLM_F_DUMP, NLM_F_REQUEST, SEQUENCE, frame, read_datagram};

/// In bytes. The kernel sends at most 32 KiB at a time for a dump.
const BUFFER: usize = 64 * 1024;
/// A dump whose next datagram takes longer than this is given up.
const LONGEST_SILENCE: Duration = Duration::from_secs(2);
/// A system call that is interrupted this often in a row is given up.
const INTERRUPTIONS: usize = 100;
/// The number of attempts for a dump that the kernel calls inconsistent.
const REPEATS: usize = 3;

/// Why a request has no reliable answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::os) enum NetlinkError {
    /// A system call failed: netlink is unavailable here, or does not answer in time.
    System(Errno),
    /// The kernel answered with an error.
    Refused(Errno),
    /// The answer is malformed, or belongs to another request.
    Malformed(&'static str),
    /// The table changed during every attempt.
    Interrupted,
}

impl fmt::Display for NetlinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NetlinkError::System(errno) => {
                write!(f, "netlink is unavailable: {}", crate::os::describe_error(&(*errno).into()))
            }
            NetlinkError::Refused(errno) => write!(f, "netlink refused: {}", io::Error::from(*errno)),
            NetlinkError::Malformed(what) => write!(f, "netlink answered with {what}"),
            NetlinkError::Interrupted => f.write_str("the table kept changing while netlink read it"),
        }
    }
}

impl std::error::Error for NetlinkError {}

impl From<netlink::DatagramError> for NetlinkError {
    fn from(fault: netlink::DatagramError) -> NetlinkError {
        match fault {
            netlink::DatagramError::Refused(errno) => NetlinkError::Refused(Errno::from_raw_os_error(errno)),
            netlink::DatagramError::Malformed(what) => NetlinkError::Malformed(what),
        }
    }
}

/// Requests a dump from a netlink protocol (`None` is NETLINK_ROUTE), and calls `each` with the payload of each message. If
/// the table changed meanwhile, the dump is repeated: `restart` is called before each attempt.
///
/// # Errors
/// If netlink is unavailable, if the kernel refuses, and if the table changed during every attempt.
pub(in crate::os) fn dump(
    protocol: Option<Protocol>,
    kind: u16,
    request: &[u8],
    answer: u16,
    each: &mut dyn FnMut(&[u8]),
    restart: &mut dyn FnMut(),
) -> Result<(), NetlinkError> {
    let mut buffer = vec![0; BUFFER];
    for _ in 0..REPEATS {
        restart();
        if !dump_once(protocol, kind, request, answer, each, &mut buffer)? {
            return Ok(());
        }
    }
    Err(NetlinkError::Interrupted)
}

/// Requests a single answer instead of a dump, and calls `each` with its payload.
pub(in crate::os) fn ask(
    protocol: Option<Protocol>,
    kind: u16,
    request: &[u8],
    answer: u16,
    each: &mut dyn FnMut(&[u8]),
) -> Result<(), NetlinkError> {
    let socket = open(protocol)?;
    send(&socket, &frame(kind, NLM_F_REQUEST, SEQUENCE, request))?;
    let mut buffer = vec![0; BUFFER];
    read_datagram(receive(&socket, &mut buffer)?, SEQUENCE, answer, each)?;
    Ok(())
}

/// Reads one dump over a socket of its own, in which no message of an earlier dump can be left. Returns whether the table
/// changed meanwhile.
fn dump_once(
    protocol: Option<Protocol>,
    kind: u16,
    request: &[u8],
    answer: u16,
    each: &mut dyn FnMut(&[u8]),
    buffer: &mut [u8],
) -> Result<bool, NetlinkError> {
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

fn open(protocol: Option<Protocol>) -> Result<OwnedFd, NetlinkError> {
    let socket =
        rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)
            .map_err(NetlinkError::System)?;
    set_socket_timeout(&socket, Timeout::Recv, Some(LONGEST_SILENCE)).map_err(NetlinkError::System)?;
    Ok(socket)
}

fn send(socket: &OwnedFd, message: &[u8]) -> Result<(), NetlinkError> {
    retry(|| rustix::net::send(socket, message, SendFlags::empty())).map_err(NetlinkError::System).map(drop)
}

fn receive<'a>(socket: &OwnedFd, buffer: &'a mut [u8]) -> Result<&'a [u8], NetlinkError> {
    let (received, length) =
        retry(|| rustix::net::recv(socket, &mut *buffer, RecvFlags::TRUNC)).map_err(NetlinkError::System)?;
    let bytes = buffer.get(..received).filter(|_| length == received);
    bytes.ok_or(NetlinkError::Malformed("a datagram that was cut off"))
}

/// Repeats an interrupted system call, a limited number of times.
fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    for _ in 0..INTERRUPTIONS {
        match call() {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
    Err(Errno::INTR)
}
