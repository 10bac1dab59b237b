//! The kernel's messages about destroyed sockets (SKNLGRP_INET_TCP_DESTROY and its siblings in linux/sock_diag.h, Linux
//! 4.6). Every user may read them, in each network namespace those of its own sockets. They have the address and the
//! cookie of a socket, but neither its inode number nor its owner.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};

use super::monotonic;
use crate::os::parse::linux::netlink::each_message;
use crate::os::parse::linux::socket_event::destroyed;
use crate::os::socket_events::{EventBatch, SocketEvent, SocketEventKind};

/// The groups of TCP over IPv4 and IPv6, as bits.
const TCP: u32 = 0b0101;
/// The groups of UDP over IPv4 and IPv6, as bits.
const UDP: u32 = 0b1010;
/// In bytes. A message is shorter than one KiB.
const BUFFER: usize = 16 * 1024;
/// The most messages of one batch, so that a stream of them reaches the reader.
const MOST: usize = 10_000;

/// The most own sockets that are remembered.
const MOST_OWN: usize = 4096;

/// Whether somebody is subscribed.
static IS_SUBSCRIBED: AtomicBool = AtomicBool::new(false);
/// The cookies of sockets of this process that are left out, the oldest first.
static OWN: Mutex<VecDeque<u64>> = Mutex::new(VecDeque::new());

/// Remembers a socket, so that its end is left out.
pub(in crate::os) fn leave_out(socket: BorrowedFd<'_>) {
    if !IS_SUBSCRIBED.load(Ordering::Relaxed) {
        return;
    }
    let Ok(cookie) = rustix::net::sockopt::socket_cookie(socket) else { return };
    let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    if own.len() >= MOST_OWN {
        own.pop_front();
    }
    own.push_back(cookie);
}

fn is_own(cookie: u64) -> bool {
    OWN.lock().unwrap_or_else(PoisonError::into_inner).contains(&cookie)
}

/// A subscription.
pub(in crate::os) struct DestroyedSockets {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl DestroyedSockets {
    /// Subscribes to UDP, or to TCP and UDP.
    ///
    /// # Errors
    /// If netlink is unavailable.
    pub(in crate::os) fn subscribe(with_tcp: bool) -> Result<DestroyedSockets, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(SOCK_DIAG))?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, if with_tcp { TCP | UDP } else { UDP }))?;
        IS_SUBSCRIBED.store(true, Ordering::Relaxed);
        Ok(DestroyedSockets { socket, buffer: vec![0; BUFFER] })
    }

    pub(in crate::os) fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Adds the messages that have arrived.
    pub(in crate::os) fn drain(&mut self, batch: &mut EventBatch) {
        for _ in 0..MOST {
            let length = match rustix::net::recv(&self.socket, &mut *self.buffer, RecvFlags::empty()) {
                Ok((length, _)) => length,
                Err(Errno::INTR) => continue,
                // The kernel dropped messages, because this socket had no room for them.
                Err(Errno::NOBUFS) => {
                    batch.lost = true;
                    continue;
                }
                Err(_) => return,
            };
            let at = monotonic();
            each_message(self.buffer.get(..length).unwrap_or_default(), |message| {
                let Some(gone) = destroyed(message).filter(|gone| !is_own(gone.cookie)) else { return };
                batch.events.push(SocketEvent {
                    kind: SocketEventKind::Destroyed,
                    protocol: gone.protocol,
                    address: gone.address,
                    port: gone.port,
                    interface: gone.interface,
                    cookie: gone.cookie,
                    process: None,
                    at,
                    age: std::time::Duration::ZERO,
                });
            });
        }
    }
}
