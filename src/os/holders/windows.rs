//! Holders on Windows: the socket table names them.

use std::cell::OnceCell;
use std::collections::BTreeMap;

pub(in crate::os) use super::by_table::held_among;
use crate::model::{Candidate, Error, Evidence, Help, HolderMethod, Unseen, UnseenReason};
use crate::os::parse::windows::process_times;
use crate::os::parse::windows::process_times::{KERNEL, Lifetime};
use crate::os::process::sys::ProcessRef;
use crate::os::{HolderSearch, Holders, ProgramWords, Row, SocketHolder, UnreadProcesses};

/// Whether holders can be searched by BPF.
pub(in crate::os) const HAS_BPF: bool = false;

/// Returns the holders that the socket table names, without processes that have ended or that began after the socket was
/// opened.
pub(in crate::os) fn holders(
    rows: &[&Row],
    _search: HolderSearch,
    _program_words: ProgramWords,
) -> Result<Holders, Error> {
    let mut search = from_table(rows, Evidence::Table, UnseenReason::Unknown, &Help::NoProcessNamed);
    let mut lives: BTreeMap<u32, Lifetime> = BTreeMap::new();
    let mut life = |pid: u32| *lives.entry(pid).or_insert_with(|| crate::os::windows_api::lifetime(pid));
    let list = OnceCell::new();
    for ((row, held), unseen) in rows.iter().zip(&mut search.held).zip(&mut search.unseen) {
        held.retain_mut(|one| {
            let pid = one.process.pid();
            let opened = row.opened.get(&pid).copied();
            let lived = if KERNEL.contains(&pid) { Lifetime::Unknown } else { life(pid) };
            one.process.set_start(lived);
            let later = process_times::is_older(opened, lived);
            if lived != Lifetime::Ended && !later {
                return true;
            }
            let list = list.get_or_init(crate::os::windows_api::processes);
            let name = || list.iter().find(|listed| listed.pid == pid).map(|listed| listed.name.clone());
            let evidence = Evidence::Table;
            let later = later.then(|| Candidate { pid, name: name().unwrap_or_default(), evidence });
            if row.socket.is_listener() {
                *unseen = Some(process_times::without_process(pid, opened, later, list, &mut life).into());
            }
            false
        });
    }
    Ok(search)
}

/// Returns the holders that the rows name. `reason` is why a list is empty.
fn from_table(rows: &[&Row], evidence: Evidence, reason: UnseenReason, help: &Help) -> Holders {
    let held: Vec<Vec<SocketHolder>> = rows
        .iter()
        .map(|row| {
            let holder = |pid: &u32| SocketHolder {
                process: ProcessRef::without_start(*pid),
                descriptors: Vec::new(),
                evidence,
            };
            row.pids.iter().map(holder).collect()
        })
        .collect();
    let unseen = rows
        .iter()
        .zip(&held)
        .map(|(row, held)| {
            let missing = held.is_empty() && row.socket.is_listener();
            let unseen =
                || Unseen { reason, help: Some(help.clone()), candidates: Vec::new(), kernel: Vec::new() };
            missing.then(|| Box::new(unseen()))
        })
        .collect();
    let origins = vec![None; rows.len()];
    let unread = UnreadProcesses { pids: Vec::new(), others: true };
    let method = Some(HolderMethod::SocketTable);
    Holders { held, unseen, origins, unread, gaps: Vec::new(), method }
}
