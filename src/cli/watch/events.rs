//! The source of events between two passes.

use crate::cli::arguments::EventsName;
use crate::model::{Error, ErrorKind, Gap, GapDetail, GapKind, GapReason, Protocol, Selection};
use crate::os::socket_events::{
    self, DestroyedCoverage, EventBatch, EventCoverage, EventReading, EventSource, ProgramCoverage,
};

/// What a source covers, and the thread that reads it if there is one.
pub(super) type Started = (EventCoverage, Option<EventReading>);

/// Opens the source, and starts to pass on its events. Returns what it covers.
///
/// # Errors
/// If the user named a source that is unavailable here.
pub(super) fn start(
    name: EventsName,
    pass_on: impl FnMut(EventBatch) -> bool + Send + 'static,
) -> Result<Started, Error> {
    let source = match name {
        EventsName::Auto => EventSource::Auto,
        EventsName::Bpf => EventSource::Bpf,
        EventsName::Destroyed => EventSource::Destroyed,
        EventsName::Off => EventSource::Off,
    };
    let (opened, coverage) = socket_events::open(source);
    let Some(opened) = opened else {
        return match (name, why_not(&coverage)) {
            (EventsName::Auto | EventsName::Off, _) => Ok((coverage, None)),
            (_, why) => Err(unavailable(why)),
        };
    };
    match opened.read(pass_on) {
        Ok(reading) => Ok((coverage, Some(reading))),
        Err(_) if name == EventsName::Auto => Ok((EventCoverage::NONE, None)),
        Err(error) => Err(unavailable(Some(error.to_string()))),
    }
}

/// As [`start`], but `auto` is only the source that names processes, or none.
///
/// # Errors
/// As [`start`].
pub(super) fn start_with_processes(
    name: EventsName,
    pass_on: impl FnMut(EventBatch) -> bool + Send + 'static,
) -> Result<Started, Error> {
    match name {
        EventsName::Auto => Ok(start(EventsName::Bpf, pass_on).unwrap_or((EventCoverage::NONE, None))),
        _ => start(name, pass_on),
    }
}

fn unavailable(why: Option<String>) -> Error {
    let why = why.unwrap_or_else(|| "this system reports none".to_owned());
    Error::new(ErrorKind::Unsupported, format!("cannot read events of sockets: {why}"))
}

/// Returns why there is no source, in a sentence.
fn why_not(coverage: &EventCoverage) -> Option<String> {
    match (&coverage.programs, &coverage.destroyed) {
        (_, DestroyedCoverage::Unavailable(error)) => Some(error.to_string_lossy().into_owned()),
        (ProgramCoverage::None(Some(why)), _) => Some(why.to_string()),
        _ => None,
    }
}

/// Returns the gap for what is not noticed between two passes, if the selection has protocols that could be.
pub(super) fn not_covered(coverage: &EventCoverage, selection: &Selection) -> Option<Gap> {
    let missed = |protocol: &Protocol| selection.wants(*protocol) && !coverage.notices(*protocol);
    [Protocol::Tcp, Protocol::Udp].iter().any(missed).then(|| {
        let error = match &coverage.destroyed {
            DestroyedCoverage::Unavailable(error) => Some(error.clone()),
            _ => None,
        };
        let detail = GapDetail::ShortLived(error);
        Gap::new(GapKind::ShortLived, GapReason::Unsupported, 1, detail, None)
    })
}
