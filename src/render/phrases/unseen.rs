//! Holders that no descriptor table shows.

#[cfg(feature = "cli")]
use std::borrow::Cow;

use super::{candidate, kernel_sockets, name_pid_and};
use crate::model::{Candidate, Evidence, Unseen, UnseenReason};

/// The most candidates that a phrase names.
const MOST: usize = 3;

/// Returns who holds a socket, if more is known than that nobody was seen: a phrase that can follow "by" and begin a
/// sentence.
pub(crate) fn unseen_holder(unseen: &Unseen) -> Option<String> {
    match unseen.reason {
        UnseenReason::Kernel => Some(match kernel_sockets(&unseen.kernel) {
            Some(what) => format!("the kernel itself, for {what}"),
            None => "the kernel itself".to_owned(),
        }),
        UnseenReason::InFlight => Some("a message that nobody has received yet".to_owned()),
        UnseenReason::Unknown if unseen.is_without_descriptor() => {
            let certainty = match unseen.candidates.first().map(|first| first.evidence) {
                Some(Evidence::Mapping) => "without a descriptor",
                Some(Evidence::WaitsIn(_)) => "probably, without a descriptor",
                _ => "perhaps, without a descriptor",
            };
            Some(match unseen.candidates.as_slice() {
                [only] => name_pid_and(&only.name, only.pid, &format!("; {certainty}")),
                several => format!("{} ({certainty})", candidates(several)),
            })
        }
        _ => None,
    }
}

/// Returns how the candidates can have the socket, in a sentence. `None` if their descriptor tables could not be read.
pub(crate) fn unseen_evidence(unseen: &Unseen) -> Option<String> {
    let sentence = |equal: &[Candidate]| {
        let who = candidates(equal);
        Some(match equal.first()?.evidence {
            Evidence::Mapping => format!("{who} has it mapped into memory, which keeps it open"),
            Evidence::WaitsIn(call) => format!(
                "a thread of {who} waits in {} on a descriptor that is closed, which keeps a socket open",
                call.manual()
            ),
            Evidence::Ring => format!("{who} has an io_uring, and the kernel does not report its sockets"),
            Evidence::Aio => {
                format!("{who} has asynchronous I/O under way, and the kernel does not report its sockets")
            }
            Evidence::Message => format!("descriptors wait for {who} in a message that is not received yet"),
            _ => return None,
        })
    };
    let sentences: Vec<String> =
        unseen.without_descriptor()?.chunk_by(is_evidence_equal).filter_map(sentence).collect();
    (!sentences.is_empty()).then(|| sentences.join("; or "))
}

/// Returns what closes a socket that no descriptor table shows.
pub(crate) fn unseen_ends(unseen: &Unseen) -> Option<String> {
    let hidden = unseen.without_descriptor()?;
    let who = candidates(hidden);
    let mut groups = hidden.chunk_by(is_evidence_equal);
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
        _ => format!("it is closed when the one that has it ends: {who}"),
    })
}

/// Returns how it is known that a candidate may be the holder: a phrase that follows its name.
#[cfg(feature = "cli")]
pub(crate) fn evidence(evidence: Evidence) -> Cow<'static, str> {
    Cow::Borrowed(match evidence {
        Evidence::Cgroup => "by the socket's cgroup",
        Evidence::LastUser => "by last use",
        Evidence::Netstat => "by last use, as netstat prints it",
        Evidence::Message => "by a message on its way there",
        Evidence::Child => "by a handle inherited from its parent",
        Evidence::Table => "by the system's table",
        Evidence::Arguments => "by the port in its command line",
        Evidence::Name => "by the name of the port's service",
        Evidence::Listens => "because it listens on other ports",
        Evidence::Unread => "whose descriptors could not be read either",
        Evidence::Mapping => "by its mapping of the socket",
        Evidence::WaitsIn(call) => {
            let waits = format!("by a thread that waits in {} on a closed descriptor", call.manual());
            return Cow::Owned(waits);
        }
        Evidence::Ring => "by its io_uring, whose sockets the kernel does not report",
        Evidence::Aio => "by its asynchronous I/O, whose sockets the kernel does not report",
        Evidence::Call => "by its call of bind or listen",
        Evidence::User | Evidence::Descriptor => "by the socket's user",
    })
}

/// Returns whether the same is known of two candidates.
pub(crate) fn is_evidence_equal(one: &Candidate, other: &Candidate) -> bool {
    one.evidence == other.evidence
}

/// Returns the candidates: `postgres (pid 812)`, `python3 (pid 4) or node (pid 5)`.
fn candidates(candidates: &[Candidate]) -> String {
    let shown: Vec<String> = candidates.iter().take(MOST).map(candidate).collect();
    let more = candidates.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" or one of {more} more") } else { String::new() };
    format!("{}{more}", shown.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::WaitingCall;

    fn unseen(reason: UnseenReason, evidence: Evidence, pids: &[u32]) -> Unseen {
        let candidate = |pid: &u32| Candidate { pid: *pid, name: "node".into(), evidence };
        Unseen { reason, help: None, candidates: pids.iter().map(candidate).collect(), kernel: Vec::new() }
    }

    #[test]
    fn the_wording_shows_how_well_it_is_known() {
        let who = |evidence, pids: &[u32]| unseen_holder(&unseen(UnseenReason::Unknown, evidence, pids));
        let accept = Evidence::WaitsIn(WaitingCall::Accept);
        assert_eq!(who(Evidence::Mapping, &[4]).as_deref(), Some("node (pid 4; without a descriptor)"));
        assert_eq!(who(accept, &[4]).as_deref(), Some("node (pid 4; probably, without a descriptor)"));
        let two = who(Evidence::Ring, &[4, 5]);
        assert_eq!(two.as_deref(), Some("node (pid 4) or node (pid 5) (perhaps, without a descriptor)"));
        assert_eq!(who(Evidence::User, &[4]), None, "its table may have it");
        assert_eq!(unseen_holder(&unseen(UnseenReason::Permission, Evidence::Ring, &[4])), None);
    }

    #[test]
    fn what_keeps_it_open_and_what_ends_that() {
        let waits = unseen(UnseenReason::Unknown, Evidence::WaitsIn(WaitingCall::Poll), &[4]);
        let sentence = unseen_evidence(&waits).unwrap();
        assert!(sentence.contains("waits in poll(2) on a descriptor that is closed"));
        assert!(unseen_ends(&waits).unwrap().contains("when that poll(2) returns, or node (pid 4) ends"));
        let message = unseen(UnseenReason::InFlight, Evidence::Message, &[4]);
        assert!(unseen_ends(&message).unwrap().contains("receives and closes it"));
        assert_eq!(unseen_evidence(&unseen(UnseenReason::InFlight, Evidence::Message, &[])), None);
        let mut both = unseen(UnseenReason::Unknown, Evidence::WaitsIn(WaitingCall::Accept), &[4]);
        both.candidates.extend(unseen(UnseenReason::Unknown, Evidence::Message, &[5]).candidates);
        let sentence = unseen_evidence(&both).unwrap();
        assert!(
            sentence.contains("of node (pid 4) waits")
                && sentence.contains("; or descriptors wait for node (pid 5)")
        );
        assert!(unseen_ends(&both).unwrap().ends_with("node (pid 4) or node (pid 5)"));
    }
}
