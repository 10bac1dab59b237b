//! Events of sockets on Linux: by programs in the kernel if permitted, and by its messages about
//! destroyed sockets for what they do not report.

mod destroyed;
mod program;
mod programs;
mod ring;

use std::io::PipeReader;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use super::{DestroyedCoverage, EventBatch, EventCoverage, EventSource, ProgramCoverage};
use crate::model::Text;
use destroyed::DestroyedSockets;
use programs::Programs;

/// The shortest time between two reads: many events at once cost few wake-ups.
const PAUSE: Duration = Duration::from_millis(20);

/// The number of waits that may fail, one after the other.
const FAILURES: u32 = 50;

/// An open source, of one or two parts.
pub(in crate::os) struct Source {
    programs: Option<Programs>,
    destroyed: Option<DestroyedSockets>,
}

/// Opens the requested source, or the best one.
pub(in crate::os) fn open(source: EventSource) -> (Option<Source>, EventCoverage) {
    let mut coverage = EventCoverage::NONE;
    let mut parts = Source { programs: None, destroyed: None };
    if matches!(source, EventSource::Auto | EventSource::Bpf) {
        coverage.programs = match Programs::attach() {
            Ok((programs, covered)) => {
                parts.programs = Some(programs);
                covered
            }
            Err(unavailable) => ProgramCoverage::None(Some(unavailable)),
        };
    }
    let by_functions = matches!(coverage.programs, ProgramCoverage::Functions { .. });
    if matches!(source, EventSource::Auto | EventSource::Destroyed) && !by_functions {
        // Each message costs the process that closes a socket some time, and a tracepoint has TCP already.
        let with_tcp = parts.programs.is_none();
        coverage.destroyed = match DestroyedSockets::subscribe(with_tcp) {
            Ok(sockets) => {
                parts.destroyed = Some(sockets);
                if with_tcp { DestroyedCoverage::TcpAndUdp } else { DestroyedCoverage::Udp }
            }
            Err(errno) => DestroyedCoverage::Unavailable(Text::from_display(std::io::Error::from(errno))),
        };
    }
    let is_open = parts.programs.is_some() || parts.destroyed.is_some();
    (is_open.then_some(parts), coverage)
}

/// Leaves a socket out of the messages about destroyed sockets.
pub(in crate::os) fn leave_out(socket: &socket2::Socket) {
    destroyed::leave_out(socket.as_fd());
}

/// Reads events until the other end of `stopped` is closed or `pass_on` returns false.
pub(in crate::os) fn read(
    mut source: Source,
    stopped: &PipeReader,
    mut pass_on: impl FnMut(EventBatch) -> bool,
) {
    let mut failures = 0;
    loop {
        let (ready, is_last) = {
            let parts = source.programs.iter().map(Programs::descriptor);
            let parts = parts.chain(source.destroyed.iter().map(DestroyedSockets::descriptor));
            let parts = [stopped.as_fd()].into_iter().chain(parts);
            let mut parts: Vec<_> = parts.map(|part| PollFd::from_borrowed_fd(part, PollFlags::IN)).collect();
            let ready = poll(&mut parts, None);
            (ready, parts.first().is_some_and(|stopped| !stopped.revents().is_empty()))
        };
        failures = match ready {
            Ok(_) | Err(Errno::INTR) => 0,
            Err(_) => failures + 1,
        };
        // Without a wait it could not be stopped. What happens from here on is lost.
        let is_last = is_last || failures > FAILURES;
        let mut batch = EventBatch { lost: failures > FAILURES, ..EventBatch::default() };
        if let Some(programs) = &mut source.programs {
            programs.drain(&mut batch);
        }
        if let Some(sockets) = &mut source.destroyed {
            sockets.drain(&mut batch);
        }
        if (batch.lost || !batch.events.is_empty()) && !pass_on(batch) || is_last {
            return;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Returns the time of the monotonic clock.
fn monotonic() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests;
