//! The holders of sockets on macOS. A descriptor table that has the socket is proof. If none that may be read has it,
//! the kernel reports the process that used it last: that process may hold it, or a child that it passed the socket to.
//! It is therefore a candidate, never a holder.

use std::collections::BTreeMap;

pub(in crate::os) use super::by_table::held_among;
use crate::model::{
    Candidate, Error, ErrorKind, Evidence, Gap, GapDetail, GapKind, GapReason, Help, HolderMethod,
    MissingPermissions, PrivilegePurpose, Protocol, ScanTarget, Socket, Unseen, UnseenReason,
};
use crate::os::descriptors::sys::{self as descriptors, Walk};
use crate::os::macos_api as kernel;
use crate::os::process::sys::ProcessRef;
use crate::os::table::sys::PcbInfo;
use crate::os::{HolderSearch, Holders, ProgramWords, Row, SocketHolder, UnreadProcesses};

/// Whether holders can be searched by BPF.
pub(in crate::os) const HAS_BPF: bool = false;

/// Returns the holders of these sockets.
pub(in crate::os) fn holders(
    rows: &[&Row],
    _search: HolderSearch,
    _program_words: ProgramWords,
) -> Result<Holders, Error> {
    let attempted = || Error::new(ErrorKind::Processes, "cannot list the processes");
    let walked = descriptors::sockets().map_err(|error| attempted().because(error))?;
    let held = held(rows, &walked);
    let unseen: Vec<Option<Box<Unseen>>> =
        rows.iter().zip(&held).map(|(row, held)| unseen(row, held, &walked).map(Box::new)).collect();
    let mut gaps: Vec<Gap> = walked.failures().into_iter().collect();
    let missing = unseen.iter().flatten().any(|unseen| unseen.reason == UnseenReason::Permission);
    if missing {
        let refused = walked.refused.len();
        let detail = GapDetail::Descriptors(None);
        let help = Help::Privileges(PrivilegePurpose::SeeMany);
        gaps.push(Gap::new(GapKind::Descriptors, GapReason::Permission, refused, detail, help));
    }
    let others = !walked.refused.is_empty() || walked.failures().is_some();
    let origins = vec![None; rows.len()];
    let method = Some(HolderMethod::Libproc);
    Ok(Holders { held, unseen, origins, unread: UnreadProcesses { pids: Vec::new(), others }, gaps, method })
}

/// Returns the processes that have these sockets open. The number of the control block identifies the socket of a
/// descriptor, even if another one has the same address and port.
fn held(rows: &[&Row], walked: &Walk) -> Vec<Vec<SocketHolder>> {
    let key = |socket: &Socket, generation: u64| (socket.protocol, socket.endpoint.port(), generation);
    let mut places: BTreeMap<(Protocol, Option<u16>, u64), usize> = BTreeMap::new();
    for (at, row) in rows.iter().enumerate().filter(|(_, row)| row.pcb.generation != 0) {
        places.insert(key(&row.socket, row.pcb.generation), at);
    }
    let mut all: Vec<Vec<SocketHolder>> = vec![Vec::new(); rows.len()];
    for seen in &walked.found {
        let place = places.get(&key(&seen.entry.socket, seen.entry.generation));
        let Some(held) = place.and_then(|at| all.get_mut(*at)) else { continue };
        match held.last_mut().filter(|last| last.process.pid() == seen.pid) {
            Some(same) => same.descriptors.push(seen.descriptor),
            None => held.extend(ProcessRef::open(seen.pid).map(|process| SocketHolder {
                process,
                descriptors: vec![seen.descriptor],
                evidence: Evidence::Descriptor,
            })),
        }
    }
    all
}

/// Returns an explanation if a socket may have holders other than those that were found.
fn unseen(row: &Row, held: &[SocketHolder], walked: &Walk) -> Option<Unseen> {
    let PcbInfo { open, last_users, by_netstat, .. } = row.pcb;
    let evidence = if by_netstat { Evidence::Netstat } else { Evidence::LastUser };
    if !open {
        return None;
    }
    let candidates = || candidates(last_users.unwrap_or_default(), held, evidence);
    let explained = |reason, help: Help, candidates| {
        Some(Unseen { reason, help: Some(help), candidates, kernel: Vec::new() })
    };
    let target = row.socket.endpoint.port().map(ScanTarget::Port);
    let sudo = Help::PrivilegedScan { target, missing: MissingPermissions::Privileges };
    if !held.is_empty() {
        // Another process has used it since.
        let refused = |candidate: &Candidate| walked.refused.contains(&candidate.pid);
        let candidates: Vec<Candidate> = candidates().into_iter().filter(refused).collect();
        return (!candidates.is_empty())
            .then(|| explained(UnseenReason::Permission, sudo, candidates))
            .flatten();
    }
    if last_users == Some([0, 0]) {
        return Some(Unseen {
            reason: UnseenReason::Kernel,
            help: None,
            candidates: Vec::new(),
            kernel: Vec::new(),
        });
    }
    match walked.refused.is_empty() {
        false => explained(UnseenReason::Permission, sudo, candidates()),
        true => explained(UnseenReason::Unknown, Help::ScanAgain, candidates()),
    }
}

/// Returns the processes that used a socket last, if they still run and are not among its known holders.
fn candidates(last_users: [u32; 2], held: &[SocketHolder], evidence: Evidence) -> Vec<Candidate> {
    let [last, behalf] = last_users;
    let mut pids = vec![last];
    pids.extend((behalf != last).then_some(behalf));
    pids.retain(|pid| *pid != 0 && !held.iter().any(|held| held.process.pid() == *pid));
    let named = |pid| {
        let name = kernel::name(pid)?;
        Some(Candidate { pid, name: name.into(), evidence })
    };
    pids.into_iter().filter_map(named).collect()
}
