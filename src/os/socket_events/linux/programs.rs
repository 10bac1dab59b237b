//! The attached programs, and the events that they write. Nothing is pinned: programs, maps and attachments exist as long
//! as their descriptors.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use super::monotonic;
use super::program::{FUNCTIONS, LICENCE, Outputs, TRACEPOINT, Traced, WANTED, assemble};
use super::ring::Ring;
use crate::model::{BpfStep, BpfUnavailable, ProcessId, Text};
use crate::os::linux_api::bpf::{allowed, calls, is_locked_down, tracing, types};
use crate::os::namespaces::sys as namespaces;
use crate::os::parse::linux::btf::{self, AttachPoint};
use crate::os::parse::linux::socket_event::{EventRecord, Hook, record};
use crate::os::socket_events::{
    EventBatch, EventProcess, ProgramCoverage, RefusedCall, SocketEvent, SocketEventKind,
};

/// The bytes of the ring buffer: about 1,900 records.
const RING: u32 = 256 * 1024;
/// In nanoseconds. Before Linux 6.5 a refused bind of multipath TCP is reported twice: by the socket inside, and within this
/// time by the outer one (observed on 6.1).
const TWICE: u64 = 10_000_000;
/// The most records of one batch.
const MOST: usize = 20_000;

/// Programs that are attached to functions of the kernel.
pub(in crate::os) struct Programs {
    ring: Ring,
    map: OwnedFd,
    /// Counts the records that found no room.
    lost: OwnedFd,
    known_lost: u64,
    /// Closing them detaches the programs.
    _attached: Vec<OwnedFd>,
}

impl Programs {
    /// Attaches programs to the kernel's functions, or to a tracepoint if it lets none run at functions.
    ///
    /// # Errors
    /// If the kernel does not permit or support either.
    pub(in crate::os) fn attach() -> Result<(Programs, ProgramCoverage), BpfUnavailable> {
        allowed()?;
        let types = types::Types::read_running_kernel().map_err(failed(BpfStep::ReadTypes))?;
        let unread = |fault: btf::BtfError| failed(BpfStep::ReadTypes)(fault.into());
        let layout = btf::layout(&types, &WANTED).map_err(unread)?;
        let mut names = FUNCTIONS.map(|traced| traced.name).to_vec();
        names.push(TRACEPOINT.name);
        let points = btf::attach_points(&types, &names).map_err(unread)?;
        drop(types);
        let namespace = namespaces::network_namespace(std::process::id())
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| failed(BpfStep::LoadProgram)(io::ErrorKind::Unsupported.into()))?;
        let map = tracing::ring(RING).map_err(failed(BpfStep::MakeMap))?;
        let ring = Ring::new(map.as_fd(), RING as usize).map_err(failed(BpfStep::MakeMap))?;
        let lost = calls::shared(&0_u64.to_ne_bytes()).map_err(failed(BpfStep::MakeMap))?;
        let outputs = Outputs { ring: map.as_raw_fd(), lost: lost.as_raw_fd(), namespace };
        let trace = |traced: &Traced, point: Option<AttachPoint>| {
            let point = point.ok_or(io::ErrorKind::NotFound)?;
            let program = assemble(traced, point.parameters, &layout, outputs);
            let program = program.ok_or(io::ErrorKind::Unsupported)?;
            tracing::trace(&program, LICENCE, traced.at(), point.number)
        };
        let (mut attached, mut missing) = (Vec::new(), Vec::new());
        for (traced, point) in FUNCTIONS.iter().zip(&points) {
            match trace(traced, *point) {
                Ok(link) => attached.push(link),
                // The first function reports what listens. If it is refused, so are the others.
                Err(error) if attached.is_empty() => {
                    let link = trace(&TRACEPOINT, points.last().copied().flatten());
                    attached.push(link.map_err(|_| not_loaded(&error))?);
                    let coverage = ProgramCoverage::Tracepoint { because: not_loaded(&error) };
                    return Ok((Programs { ring, map, lost, known_lost: 0, _attached: attached }, coverage));
                }
                Err(_) => missing.push(traced.name),
            }
        }
        let programs = Programs { ring, map, lost, known_lost: 0, _attached: attached };
        Ok((programs, ProgramCoverage::Functions { missing }))
    }

    pub(in crate::os) fn descriptor(&self) -> BorrowedFd<'_> {
        self.map.as_fd()
    }

    /// Adds the events that have been written.
    pub(in crate::os) fn drain(&mut self, batch: &mut EventBatch) {
        let now = monotonic();
        let own = std::process::id();
        let mut last: Option<EventRecord> = None;
        let mut full = false;
        self.ring.drain(|bytes| {
            let Some(record) = record(bytes).filter(|record| record.pid != own) else { return };
            let is_repeated = record.is_multipath && last.as_ref().is_some_and(|last| repeats(&record, last));
            last = Some(record.clone());
            full |= batch.events.len() >= MOST;
            if let Some(event) = event(record, now).filter(|_| !is_repeated && !full) {
                batch.events.push(event);
            }
        });
        batch.lost |= full;
        let lost = tracing::counter(self.lost.as_fd()).unwrap_or(self.known_lost);
        batch.lost |= lost != self.known_lost;
        self.known_lost = lost;
    }
}

fn failed(step: BpfStep) -> impl Fn(io::Error) -> BpfUnavailable {
    move |error| BpfUnavailable::Failed { step, error: Text::from_display(error) }
}

fn not_loaded(error: &io::Error) -> BpfUnavailable {
    match is_locked_down() {
        Some(true) => BpfUnavailable::Lockdown,
        _ => BpfUnavailable::Failed { step: BpfStep::LoadProgram, error: Text::from_display(error) },
    }
}

/// Returns whether two records are about one refusal.
fn repeats(record: &EventRecord, last: &EventRecord) -> bool {
    record.error.is_some()
        && (record.pid, record.error, record.address, record.port)
            == (last.pid, last.error, last.address, last.port)
        && record.time.saturating_sub(last.time) < TWICE
}

/// Returns the event of a record.
fn event(record: EventRecord, now: Duration) -> Option<SocketEvent> {
    let kind = match (record.hook, record.error) {
        (Hook::Listen, Some(errno)) => SocketEventKind::Refused(RefusedCall::Listen, errno),
        (Hook::Bind, Some(errno)) => SocketEventKind::Refused(RefusedCall::Bind, errno),
        (Hook::Listen, None) => SocketEventKind::Listened,
        (Hook::Bind, None) => SocketEventKind::Bound,
        // A client that was bound to a port before it had a peer.
        (Hook::Unbind, _) if record.has_peer || record.port == 0 => return None,
        (Hook::StopListening | Hook::Unbind, _) => SocketEventKind::Closed,
    };
    let tick = 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1);
    let at = Duration::from_nanos(record.time);
    Some(SocketEvent {
        kind,
        protocol: record.protocol,
        address: record.address,
        port: record.port,
        interface: record.interface,
        cookie: record.cookie,
        process: Some(EventProcess {
            id: ProcessId { pid: record.pid, start: Some(record.start / tick) },
            name: record.name.into(),
            uid: record.uid,
        }),
        at,
        age: now.saturating_sub(at),
    })
}
