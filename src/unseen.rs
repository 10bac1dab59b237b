//! Holders that no descriptor table shows, in phrases that the card, `why` and `free` share. Pure.

use std::borrow::Cow;

use crate::management::kernel_socket;
use crate::model::{Candidate, Evidence, Listener, Reason, Unseen};

/// The most candidates that a phrase names.
const MOST: usize = 3;

impl Unseen {
    /// Whether it is known to be held in no descriptor table, so that no right to read more of them would show it.
    pub(crate) fn is_without_descriptor(&self) -> bool {
        self.reason == Reason::Unknown
            && self.candidates.first().is_some_and(|first| {
                first.evidence.is_without_descriptor() || first.evidence == Evidence::Message
            })
    }

    /// Who holds it, where more is known than that nobody was seen: a phrase that can follow "by" and begin a sentence.
    pub(crate) fn who(&self) -> Option<String> {
        match self.reason {
            Reason::Kernel => Some(match kernel_socket::described_all(&self.kernel) {
                Some(what) => format!("the kernel itself, for {what}"),
                None => "the kernel itself".to_owned(),
            }),
            Reason::InFlight => Some("a message that nobody has received yet".to_owned()),
            Reason::Unknown if self.is_without_descriptor() => {
                let sure = match self.candidates.first().map(|first| first.evidence) {
                    Some(Evidence::Mapping) => "without a descriptor",
                    Some(Evidence::WaitsIn(_)) => "probably, without a descriptor",
                    _ => "perhaps, without a descriptor",
                };
                Some(match self.candidates.as_slice() {
                    [only] => format!("{} (pid {}; {sure})", only.name.to_string_lossy(), only.pid),
                    _ => format!("{} ({sure})", names(&self.candidates)),
                })
            }
            _ => None,
        }
    }

    /// How the candidates can have it, in a sentence. `None` where their tables may not be read.
    pub(crate) fn evidence(&self) -> Option<String> {
        let sentence = |alike: &[Candidate]| {
            let who = names(alike);
            Some(match alike.first()?.evidence {
                Evidence::Mapping => format!("{who} has it mapped into memory, which keeps it open"),
                Evidence::WaitsIn(call) => format!(
                    "a thread of {who} waits in {} on a descriptor that is closed, which keeps a socket open",
                    call.manual()
                ),
                Evidence::Ring => format!("{who} has an io_uring, and the kernel does not tell its sockets"),
                Evidence::Aio => {
                    format!("{who} has asynchronous I/O under way, and the kernel does not tell its sockets")
                }
                Evidence::Message => {
                    format!("descriptors wait for {who} in a message that is not received yet")
                }
                _ => return None,
            })
        };
        let sentences: Vec<String> = self.hidden()?.chunk_by(alike).filter_map(sentence).collect();
        (!sentences.is_empty()).then(|| sentences.join("; or "))
    }

    /// What ends such a hold.
    pub(crate) fn ends(&self) -> Option<String> {
        let candidates = self.hidden()?;
        let who = names(candidates);
        let mut groups = candidates.chunk_by(alike);
        Some(match (groups.next()?.first()?.evidence, groups.next()) {
            (Evidence::WaitsIn(call), None) => {
                format!("it is closed when that {} returns, or {who} ends", call.manual())
            }
            (Evidence::Mapping, None) => format!("it is closed when the memory is unmapped, or {who} ends"),
            (Evidence::Message, None) => {
                format!("it is closed when {who} receives and closes it, or ends without receiving it")
            }
            (Evidence::Ring | Evidence::Aio, None) => {
                format!("it is closed when the requests of {who} end, or {who} itself, if that has it")
            }
            _ => format!("it is closed when whichever has it ends, {who}"),
        })
    }

    /// The candidates that would have it in no descriptor table.
    fn hidden(&self) -> Option<&[Candidate]> {
        let hidden = self.is_without_descriptor() || self.in_flight();
        (hidden && !self.candidates.is_empty()).then_some(&self.candidates)
    }

    fn in_flight(&self) -> bool {
        self.reason == Reason::InFlight
    }
}

/// What is known of a listener's holders where none was seen in a descriptor table.
pub(crate) fn of(listener: &Listener) -> Option<&Unseen> {
    listener.unseen.as_ref().filter(|_| listener.holders.is_empty())
}

/// How it is known that a candidate may be the one: a phrase that follows its name.
pub(crate) fn why(evidence: Evidence) -> Cow<'static, str> {
    Cow::Borrowed(match evidence {
        Evidence::Cgroup => "by the socket's cgroup",
        Evidence::LastUser => "by last use",
        Evidence::Netstat => "by last use, as netstat prints it",
        Evidence::Message => "by a message on its way there",
        Evidence::Child => "by a handle inherited from its parent",
        Evidence::Table => "by the system's table",
        Evidence::Arguments => "by the port in its command line",
        Evidence::Name => "by the name of the port's service",
        Evidence::Listens => "by its listening elsewhere",
        Evidence::Unread => "whose descriptors could not be read either",
        Evidence::Mapping => "by its mapping of the socket",
        Evidence::WaitsIn(call) => {
            let waits = format!("by a thread that waits in {} on a closed descriptor", call.manual());
            return Cow::Owned(waits);
        }
        Evidence::Ring => "by its io_uring, of which the kernel does not tell the sockets",
        Evidence::Aio => "by its asynchronous I/O, of which the kernel does not tell the sockets",
        Evidence::User | Evidence::Descriptor => "by the socket's user",
    })
}

/// Whether the same is known of two candidates.
pub(crate) fn alike(one: &Candidate, other: &Candidate) -> bool {
    one.evidence == other.evidence
}

/// `postgres (pid 812)`, `python3 (pid 4) or node (pid 5)`.
fn names(candidates: &[Candidate]) -> String {
    let named =
        |candidate: &Candidate| format!("{} (pid {})", candidate.name.to_string_lossy(), candidate.pid);
    let shown: Vec<String> = candidates.iter().take(MOST).map(named).collect();
    let more = candidates.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" or one of {more} more") } else { String::new() };
    format!("{}{more}", shown.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Call;

    fn unseen(reason: Reason, evidence: Evidence, pids: &[u32]) -> Unseen {
        let candidate = |pid: &u32| Candidate { pid: *pid, name: "node".into(), evidence };
        Unseen { reason, help: None, candidates: pids.iter().map(candidate).collect(), kernel: Vec::new() }
    }

    #[test]
    fn the_wording_shows_how_well_it_is_known() {
        let who = |evidence, pids: &[u32]| unseen(Reason::Unknown, evidence, pids).who();
        let accept = Evidence::WaitsIn(Call::Accept);
        assert_eq!(who(Evidence::Mapping, &[4]).as_deref(), Some("node (pid 4; without a descriptor)"));
        assert_eq!(who(accept, &[4]).as_deref(), Some("node (pid 4; probably, without a descriptor)"));
        let two = who(Evidence::Ring, &[4, 5]);
        assert_eq!(two.as_deref(), Some("node (pid 4) or node (pid 5) (perhaps, without a descriptor)"));
        assert_eq!(who(Evidence::User, &[4]), None, "its table may have it");
        assert_eq!(unseen(Reason::Permission, Evidence::Ring, &[4]).who(), None);
    }

    #[test]
    fn what_keeps_it_open_and_what_ends_that() {
        let waits = unseen(Reason::Unknown, Evidence::WaitsIn(Call::Poll), &[4]);
        assert!(waits.evidence().unwrap().contains("waits in poll(2) on a descriptor that is closed"));
        assert!(waits.ends().unwrap().contains("when that poll(2) returns, or node (pid 4) ends"));
        let message = unseen(Reason::InFlight, Evidence::Message, &[4]);
        assert!(message.ends().unwrap().contains("receives and closes it"));
        assert_eq!(unseen(Reason::InFlight, Evidence::Message, &[]).evidence(), None);
        let mut both = unseen(Reason::Unknown, Evidence::WaitsIn(Call::Accept), &[4]);
        both.candidates.extend(unseen(Reason::Unknown, Evidence::Message, &[5]).candidates);
        let evidence = both.evidence().unwrap();
        assert!(
            evidence.contains("of node (pid 4) waits")
                && evidence.contains("; or descriptors wait for node (pid 5)")
        );
        assert!(both.ends().unwrap().ends_with("node (pid 4) or node (pid 5)"));
    }
}
