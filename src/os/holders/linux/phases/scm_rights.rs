//! Sockets in Unix messages (SCM_RIGHTS) that nobody has received yet.

use super::super::bpf;
use super::super::in_flight::receivers;
use super::super::state::HolderSearchState;
use crate::model::Error;
use crate::os::descriptors::sys::walk;

/// Finds the processes that have unread messages with descriptors, and the missing sockets that may be among those.
pub(in crate::os) fn search(state: &mut HolderSearchState<'_>) -> Result<(), Error> {
    let pending = state.reports.take().unwrap_or_default().pending;
    let by_bpf = state.is_by_bpf();
    let holders = |wanted: &[u64]| match by_bpf {
        true => bpf::search(wanted).ok(),
        false => walk(wanted).ok(),
    };
    state.visibility.receivers = receivers(pending, holders);
    state.visibility.add_in_flight(state.rows, &state.missing);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;
    use std::os::fd::AsFd;

    use rustix::net::{
        AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
    };

    use super::super::super::state::KernelReports;
    use super::super::super::state::test_rows::{listener, row};
    use super::*;
    use crate::model::UnseenReason;
    use crate::os::HolderSearch;

    #[test]
    fn a_socket_in_an_unread_message_is_in_flight() {
        let (sent, row) = listener();
        let (sender, receiver) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
                .unwrap();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors = [sent.as_fd()];
        assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
        let bytes = [std::io::IoSlice::new(b"x")];
        rustix::net::sendmsg(&sender, &bytes, &mut control, SendFlags::empty()).unwrap();
        drop(sent);
        let rows = [&row];
        let mut state = HolderSearchState::new(&rows, HolderSearch::Walk);
        let pending = vec![rustix::fs::fstat(&receiver).unwrap().st_ino];
        state.reports = Some(KernelReports { pending, ..KernelReports::default() });
        search(&mut state).unwrap();
        let unseen = state.visibility.unseen(&row, &[]).unwrap();
        assert_eq!(unseen.reason, UnseenReason::InFlight);
        assert_eq!(unseen.candidates.first().map(|candidate| candidate.pid), Some(std::process::id()));
    }

    #[test]
    fn nobody_receives_anything_without_unread_messages() {
        let row = row(80, u64::MAX);
        let rows = [&row];
        let mut state = HolderSearchState::new(&rows, HolderSearch::Walk);
        search(&mut state).unwrap();
        assert!(state.visibility.receivers.is_empty());
    }
}
