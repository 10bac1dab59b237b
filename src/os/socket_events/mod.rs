//! Events of sockets as the kernel reports them while they happen: a TCP socket listens or stops listening, a UDP socket is
//! bound or loses its port, and a bind or a listen is refused. A scan misses all of them between two passes. It depends
//! on `model` and on `os`; it only observes, and filters nothing for the user but the network namespace.
//!
//! ```text
//! let (source, coverage) = socket_events::open(EventSource::Auto);  // what it sees, and why not more
//! let reading = source?.read(move |batch| sender.send(batch).is_ok())?;  // on a thread of its own, until it is dropped
//! ```

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(not(target_os = "linux"), path = "unsupported.rs")]
pub(in crate::os) mod sys;

use std::io::{self, PipeWriter};
use std::net::IpAddr;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{BpfUnavailable, ProcessId, Protocol, Text};

/// The source of events to use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum EventSource {
    /// The best one that is available.
    #[default]
    Auto,
    /// Programs in the kernel, which see every event with its process.
    Bpf,
    /// The kernel's messages about destroyed sockets.
    Destroyed,
    /// None.
    Off,
}

/// What a source sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventCoverage {
    pub(crate) programs: ProgramCoverage,
    pub(crate) destroyed: DestroyedCoverage,
}

/// What programs in the kernel report.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "Linux alone has sources"))]
pub(crate) enum ProgramCoverage {
    /// Nothing: for this reason, if one was to be attached and this system has such programs.
    None(Option<BpfUnavailable>),
    /// TCP sockets that listen or stop, because the kernel does not let programs run at its functions.
    Tracepoint { because: BpfUnavailable },
    /// Everything, except what these functions of the kernel do.
    Functions { missing: Vec<&'static str> },
}

/// Whether the messages about destroyed sockets are read, which name no process.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "Linux alone has sources"))]
pub(crate) enum DestroyedCoverage {
    /// They are not needed, or this system has none.
    Unused,
    /// Those of UDP.
    Udp,
    /// Those of TCP and UDP.
    TcpAndUdp,
    /// They are unavailable for this reason.
    Unavailable(Text),
}

impl EventCoverage {
    /// The coverage of no source.
    pub(crate) const NONE: EventCoverage =
        EventCoverage { programs: ProgramCoverage::None(None), destroyed: DestroyedCoverage::Unused };

    /// Returns whether sockets of a protocol that open and close between two passes are noticed.
    pub(crate) fn notices(&self, protocol: Protocol) -> bool {
        self.by_programs(protocol)
            || match self.destroyed {
                DestroyedCoverage::Unused | DestroyedCoverage::Unavailable(_) => false,
                DestroyedCoverage::Udp => protocol == Protocol::Udp,
                DestroyedCoverage::TcpAndUdp => matches!(protocol, Protocol::Tcp | Protocol::Udp),
            }
    }

    /// Returns whether every socket of a protocol that opens and closes between two passes is noticed with its process.
    pub(crate) fn names_every_process(&self, protocol: Protocol) -> bool {
        let reports_refusals = |name: &&str| matches!(*name, "mptcp_bind" | "security_socket_bind");
        let is_whole = match &self.programs {
            ProgramCoverage::Functions { missing } => missing.iter().all(reports_refusals),
            ProgramCoverage::None(_) | ProgramCoverage::Tracepoint { .. } => true,
        };
        is_whole && self.by_programs(protocol)
    }

    fn by_programs(&self, protocol: Protocol) -> bool {
        match self.programs {
            ProgramCoverage::None(_) => false,
            ProgramCoverage::Tracepoint { .. } => protocol == Protocol::Tcp,
            ProgramCoverage::Functions { .. } => {
                matches!(protocol, Protocol::Tcp | Protocol::Udp | Protocol::UdpLite)
            }
        }
    }
}

/// What happened to a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "Linux alone has sources"))]
pub(crate) enum SocketEventKind {
    /// A TCP socket listens.
    Listened,
    /// A UDP socket was bound by bind(2). A client that only sends is not reported.
    Bound,
    /// A TCP socket stopped listening, or a UDP socket that was [`SocketEventKind::Bound`] lost its port.
    Closed,
    /// The kernel refused a call with this errno.
    Refused(RefusedCall, i32),
    /// A socket with a port and no peer is gone. It listened or was only bound, at any time before: the kernel does not
    /// say more.
    Destroyed,
}

impl SocketEventKind {
    /// Returns whether it is the result of a call that opens.
    pub(crate) fn opens(self) -> bool {
        !matches!(self, SocketEventKind::Closed | SocketEventKind::Destroyed)
    }
}

/// A call that the kernel refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "Linux alone has sources"))]
pub(crate) enum RefusedCall {
    /// bind(2).
    Bind,
    /// listen(2).
    Listen,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SocketEvent {
    pub(crate) kind: SocketEventKind,
    pub(crate) protocol: Protocol,
    /// For a refused bind the address that was requested.
    pub(crate) address: IpAddr,
    /// 0 if the kernel was to choose one and did not.
    pub(crate) port: u16,
    /// The index of the interface it is bound to.
    pub(crate) interface: Option<u32>,
    /// Identifies this socket while the machine runs, as in the socket table.
    pub(crate) cookie: u64,
    /// The process that made the call. `None` if the source names none.
    pub(crate) process: Option<EventProcess>,
    /// When it happened, by the monotonic clock.
    pub(crate) at: Duration,
    /// How long ago that was when it was read.
    pub(crate) age: Duration,
}

/// The process of an event. It may have ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventProcess {
    pub(crate) id: ProcessId,
    /// The name of the thread that made the call, at most 15 bytes.
    pub(crate) name: Text,
    pub(crate) uid: u32,
}

/// Events that were read together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct EventBatch {
    /// In the order in which they happened.
    pub(crate) events: Vec<SocketEvent>,
    /// Whether the kernel had no room for further ones.
    pub(crate) lost: bool,
    /// When they were read.
    pub(crate) read_at: Timestamp,
}

/// An open source.
pub(crate) struct SocketEvents(sys::Source);

/// A thread that reads a source. It ends when this is dropped.
pub(crate) struct EventReading {
    stop: PipeWriter,
    ended: Receiver<()>,
}

impl EventReading {
    /// Ends the thread. Returns after it has passed on what happened before this call.
    pub(crate) fn finish(self) {
        drop(self.stop);
        // Nothing is sent: this waits until the thread has dropped its end.
        let _ = self.ended.recv();
    }
}

/// Opens a source of events in this thread's network namespace. Events are collected from here on.
pub(crate) fn open(source: EventSource) -> (Option<SocketEvents>, EventCoverage) {
    let (source, coverage) = sys::open(source);
    (source.map(SocketEvents), coverage)
}

/// Leaves a socket of this process out of the messages about destroyed sockets, which name no process: a socket that only
/// tests a bind is no listener that somebody missed.
pub(crate) fn leave_out(socket: &socket2::Socket) {
    sys::leave_out(socket);
}

impl SocketEvents {
    /// Reads events on a thread of its own and passes them on, at most 50 times a second, until the result is dropped or
    /// `pass_on` returns false.
    ///
    /// # Errors
    /// If no thread can be started.
    pub(crate) fn read(
        self,
        mut pass_on: impl FnMut(EventBatch) -> bool + Send + 'static,
    ) -> io::Result<EventReading> {
        let (stopped, stop) = io::pipe()?;
        let (sender, ended) = mpsc::channel();
        super::threads::detach("events", move || {
            sys::read(self.0, &stopped, |batch| pass_on(EventBatch { read_at: Timestamp::now(), ..batch }));
            drop(sender);
        })?;
        Ok(EventReading { stop, ended })
    }
}
