//! Netlink sockets (netlink(7)): sends a request, receives the answer, and repeats a dump that the kernel calls
//! inconsistent. `parse::linux::netlink` reads the messages.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::buffer::spare_capacity;
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
    Connection::new(protocol).dump(kind, request, answer, each, restart)
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
    let mut buffer = Vec::with_capacity(BUFFER);
    read_datagram(receive(&socket, &mut buffer)?, SEQUENCE, answer, each)?;
    Ok(())
}

/// A netlink socket for several dumps, one after another. It belongs to the network namespace in which its first dump was
/// requested.
pub(in crate::os) struct Connection {
    protocol: Option<Protocol>,
    /// The socket, while no message of an earlier dump can be left in it.
    socket: Option<OwnedFd>,
    /// The number of datagrams with a part of the last answer.
    pages: usize,
    /// The sequence number of the last request.
    sequence: u32,
    /// What the kernel has written last. It is never cleared: nobody reads more of it than the kernel wrote.
    buffer: Vec<u8>,
}

impl Connection {
    /// Returns a connection to a netlink protocol (`None` is NETLINK_ROUTE). The first dump opens the socket.
    pub(in crate::os) fn new(protocol: Option<Protocol>) -> Connection {
        Connection { protocol, socket: None, pages: 0, sequence: 0, buffer: Vec::new() }
    }

    /// Requests a dump, as the function [`dump`] does.
    ///
    /// # Errors
    /// As [`dump`].
    pub(in crate::os) fn dump(
        &mut self,
        kind: u16,
        request: &[u8],
        answer: u16,
        each: &mut dyn FnMut(&[u8]),
        restart: &mut dyn FnMut(),
    ) -> Result<(), NetlinkError> {
        for _ in 0..REPEATS {
            restart();
            if !self.dump_once(kind, request, answer, each)? {
                return Ok(());
            }
        }
        Err(NetlinkError::Interrupted)
    }

    /// Returns whether the kernel wrote the last dump in several pages, and may have skipped rows between them.
    pub(in crate::os) fn was_paged(&self) -> bool {
        self.pages > 1
    }

    /// Reads one dump. Returns whether the table changed meanwhile.
    fn dump_once(
        &mut self,
        kind: u16,
        request: &[u8],
        answer: u16,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, NetlinkError> {
        // The socket is kept only if the dump is read to its end.
        let socket = self.socket.take().map_or_else(|| open(self.protocol), Ok)?;
        self.sequence = self.sequence.wrapping_add(SEQUENCE);
        send(&socket, &frame(kind, NLM_F_REQUEST | NLM_F_DUMP, self.sequence, request))?;
        self.buffer.clear();
        self.buffer.reserve(BUFFER);
        let mut interrupted = false;
        self.pages = 0;
        loop {
            let datagram = receive(&socket, &mut self.buffer)?;
            let mut is_page = false;
            let mut each = |message: &[u8]| {
                is_page = true;
                each(message);
            };
            let progress = read_datagram(datagram, self.sequence, answer, &mut each)?;
            self.pages += usize::from(is_page);
            interrupted |= progress.interrupted;
            if progress.done {
                self.socket = Some(socket);
                return Ok(interrupted);
            }
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

/// Receives a datagram into the capacity of `buffer`.
fn receive<'a>(socket: &OwnedFd, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], NetlinkError> {
    buffer.clear();
    let (received, length) = retry(|| rustix::net::recv(socket, spare_capacity(buffer), RecvFlags::TRUNC))
        .map_err(NetlinkError::System)?;
    let is_whole = length == received;
    if is_whole { Ok(buffer) } else { Err(NetlinkError::Malformed("a datagram that was cut off")) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::parse::linux::rtnetlink::{ADDRESS_HEADER, address};

    const RTM_NEWADDR: u16 = 20;
    const RTM_GETADDR: u16 = 22;

    fn addresses(connection: &mut Connection) -> Result<usize, NetlinkError> {
        let count = std::cell::Cell::new(0);
        let mut each = |message: &[u8]| count.set(count.get() + usize::from(address(message).is_some()));
        let mut restart = || count.set(0);
        connection.dump(RTM_GETADDR, &[0; ADDRESS_HEADER], RTM_NEWADDR, &mut each, &mut restart)?;
        Ok(count.get())
    }

    #[test]
    fn dumps_of_one_connection_do_not_mix() {
        let mut connection = Connection::new(None);
        let first = addresses(&mut connection).unwrap();
        assert!(first > 0);
        for _ in 0..3 {
            assert_eq!(addresses(&mut connection).unwrap(), first);
        }
        assert_eq!(connection.sequence, 4);
    }

    #[test]
    fn a_socket_with_the_rest_of_a_dump_is_not_used_again() {
        let mut connection = Connection::new(None);
        addresses(&mut connection).unwrap();
        assert!(connection.socket.is_some());
        // The answers have another kind than is expected here.
        let refused =
            connection.dump(RTM_GETADDR, &[0; ADDRESS_HEADER], RTM_GETADDR, &mut |_| {}, &mut || {});
        assert!(matches!(refused, Err(NetlinkError::Malformed(_))));
        assert!(connection.socket.is_none());
        assert!(addresses(&mut connection).unwrap() > 0);
    }
}
