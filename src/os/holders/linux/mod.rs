//! Who holds a socket, and where nobody was seen to: why not.

pub(in crate::os) mod bpf;
pub(in crate::os) mod candidates;
pub(in crate::os) mod io_uring;
pub(in crate::os) mod kernel_sockets;
pub(in crate::os) mod mappings;
pub(in crate::os) mod scm_rights;
pub(in crate::os) mod thread_fds;
pub(in crate::os) mod visibility;
pub(in crate::os) mod waiting_threads;
pub(in crate::os) mod walk;
pub(in crate::os) mod without_descriptor;

use std::collections::{BTreeMap, BTreeSet};

use rustix::io::Errno;

use crate::model::{Error, ErrorKind, Evidence, Family, Protocol};
use crate::os::process::sys::process_ref::ProcessRef;
use crate::os::services::sys::cgroup_path::belongs_to;
use crate::os::table::netstat2::Table;
use crate::os::table::sys::{procfs, unix_diag};
use crate::os::{Held, HolderSearch, Holders, Row, Unread, describe_error, threads};
use kernel_sockets::Claims;
use visibility::Visibility;
use walk::{Found, Walk, try_doors, walk, walk_among};

/// With fewer files open on the machine than this a walk is as fast as loading a program.
const WORTH_A_PROGRAM: u64 = 1000;
/// How often a socket that nobody seems to hold is looked for again.
const REPEATS: usize = 2;

/// Who holds exactly these sockets.
pub(in crate::os) fn holders(rows: &[&Row], search: HolderSearch) -> Result<Holders, Error> {
    let mut wanted: Vec<u64> = rows.iter().filter_map(|row| row.socket.inode).collect();
    wanted.sort_unstable();
    wanted.dedup();
    // The kernel's own sockets are looked for in this namespace.
    let protocols: BTreeSet<Protocol> =
        rows.iter().filter(|row| row.socket.namespace.is_none()).map(|row| row.socket.protocol).collect();
    // Where even the first process refuses, some socket will stay unexplained: what is asked then is asked now.
    let early =
        search != HolderSearch::Walk && bpf::allowed().is_ok() && is_worth_it() && first_process_refuses();
    let (meanwhile, searched) = match early {
        true => {
            let (beyond, searched) =
                threads::both(|| beyond_tables(&protocols), || begin(rows, &wanted, search));
            (Some(beyond), searched)
        }
        false => (None, begin(rows, &wanted, search)),
    };
    let Searched { mut walk, mut how, by_program } = searched?;
    let mut missing = walk.missing(&wanted);
    let closed = closed_since(rows, &missing);
    missing.retain(|inode| closed.binary_search(inode).is_err());
    let mut elsewhere = (Vec::new(), Claims::default());
    if !missing.is_empty() && by_program {
        let (doors, asked) = meanwhile.unwrap_or_else(|| beyond_tables(&protocols));
        walk.add(doors?);
        elsewhere = asked;
    } else if !missing.is_empty() {
        let (asked, threads) =
            threads::both(|| ask_kernel(&protocols), || thread_fds::search_threads(&walk.pids, &missing));
        elsewhere = asked;
        walk.add(threads);
    }
    let mut rings = Vec::new();
    if !missing.is_empty() {
        rings = io_uring::search_rings(&walk.rings.clone(), &missing, &mut walk);
        missing = walk.missing(&missing);
    }
    let (pending, claims) = elsewhere;
    let mut sight = Visibility::of(&mut walk, rows, closed);
    sight.claims = claims;
    let is_missing =
        |row: &&&Row| row.socket.inode.is_some_and(|inode| missing.binary_search(&inode).is_ok());
    if !missing.is_empty() {
        sight.look_elsewhere(rows.iter().filter(is_missing).copied());
    }
    for _ in 0..REPEATS {
        // What neither the kernel explains nor a process that hides something may have been handed on behind the
        // walk's back.
        let is_missing =
            |row: &Row| row.socket.inode.is_some_and(|inode| missing.binary_search(&inode).is_ok());
        let is_open = |row: &Row| !sight.is_kernels(&row.socket) && !sight.may_be_refused(row);
        if !rows.iter().any(|row| is_missing(row) && is_open(row)) {
            break;
        }
        if by_program {
            how = "by the BPF iterator task_file, and by a walk through /proc".to_owned();
        }
        walk.found.extend(walk::walk(&missing)?.found);
        missing = walk.missing(&missing);
        sight.closed.extend(closed_since(rows, &missing));
        sight.closed.sort_unstable();
        missing.retain(|inode| sight.closed.binary_search(inode).is_err());
    }
    if !missing.is_empty() {
        let who = |wanted: &[u64]| match by_program {
            true => bpf::search(wanted).ok(),
            false => walk::walk(wanted).ok(),
        };
        sight.receivers = scm_rights::receivers(pending, who);
        let is_open = |row: &&&Row| {
            row.socket.inode.is_some_and(|inode| missing.binary_search(&inode).is_ok())
                && sight.may_be_without_descriptor(row)
        };
        if rows.iter().any(|row| is_open(&row)) {
            sight.signs = Some(without_descriptor::search(&rings));
        }
        sight.add_in_flight(rows, &missing);
    }
    let of = join(rows, walk.found);
    let unseen = rows.iter().zip(&of).map(|(row, held)| sight.unseen(row, held)).collect();
    let gaps = sight
        .gaps(walk.failed.last().map(|(_, errno)| describe_error(&(*errno).into())), !missing.is_empty());
    let mut pids: Vec<u32> = sight.refused.iter().map(|refused| refused.pid).collect();
    pids.extend(walk.failed.iter().map(|(pid, _)| *pid));
    pids.sort_unstable();
    let unread = Unread { pids, others: sight.hidden || sight.namespaced };
    let origins = rows
        .iter()
        .map(|row| sight.cgroup(row).map_or((None, None), |found| belongs_to(&found.path, &mut || false)))
        .collect();
    Ok(Holders { of, unseen, origins, unread, gaps, how })
}

/// Which of these sockets each of these processes has open: the pid and the row's place. Nobody else is looked into.
pub(in crate::os) fn held_among(rows: &[Row], pids: &[u32]) -> Result<Vec<(u32, usize)>, Error> {
    let mut by_inode: Vec<(u64, usize)> =
        rows.iter().enumerate().filter_map(|(at, row)| Some((row.socket.inode?, at))).collect();
    by_inode.sort_unstable();
    by_inode.dedup_by_key(|(inode, _)| *inode);
    let wanted: Vec<u64> = by_inode.iter().map(|(inode, _)| *inode).collect();
    let found = walk_among(pids, &wanted)?.found;
    let row = |inode| {
        let at = by_inode.binary_search_by_key(&inode, |(inode, _)| *inode).ok()?;
        by_inode.get(at).map(|(_, row)| *row)
    };
    let mut held: Vec<(u32, usize)> =
        found.iter().filter_map(|found| Some((found.process.pid, row(found.inode)?))).collect();
    held.sort_unstable();
    held.dedup();
    Ok(held)
}

/// What a search found.
struct Searched {
    walk: Walk,
    /// By which way, in a sentence.
    how: String,
    /// Whether a program in the kernel found it. Nothing is known then of who may be looked into from here.
    by_program: bool,
}

/// Looks for the holders of wanted sockets the way that was asked for.
fn begin(rows: &[&Row], wanted: &[u64], search: HolderSearch) -> Result<Searched, Error> {
    let names_pids = rows.iter().any(|row| !row.pids.is_empty());
    let refused = match search {
        HolderSearch::Walk => None,
        // Whoever is named by the table is looked into first, which takes a walk.
        HolderSearch::Auto if names_pids || wanted.is_empty() => None,
        HolderSearch::Auto if !is_worth_it() => Some("few files are open here".to_owned()),
        HolderSearch::Auto | HolderSearch::Bpf => match bpf::search(wanted) {
            Ok(walk) => {
                let how = "by the BPF iterator task_file".to_owned();
                return Ok(Searched { walk, how, by_program: true });
            }
            Err(refusal) if search == HolderSearch::Bpf => {
                let attempted = format!("cannot search for holders by BPF: {refusal}");
                return Err(Error::new(ErrorKind::Unsupported, attempted));
            }
            Err(refusal) => Some(refusal.to_string()),
        },
    };
    let walk = by_walk(rows, wanted)?;
    let why = refused.map_or_else(String::new, |refused| format!(" (not by BPF: {refused})"));
    Ok(Searched { walk, how: format!("by a walk through /proc{why}"), by_program: false })
}

/// Whether so many files are open that a walk takes longer than loading a program does.
fn is_worth_it() -> bool {
    procfs::open_files().is_none_or(|open| open >= WORTH_A_PROGRAM)
}

/// Looks in every process, but first in those that the rows name, so that their word is checked and not taken.
fn by_walk(rows: &[&Row], wanted: &[u64]) -> Result<Walk, Error> {
    let mut named: Vec<u32> = rows.iter().flat_map(|row| row.pids.iter().copied()).collect();
    named.sort_unstable();
    named.dedup();
    let mut found = if named.is_empty() { Walk::default() } else { walk_among(&named, wanted)? };
    let rest = found.missing(wanted);
    if !rest.is_empty() {
        let whole = walk(&rest)?;
        found.pids.clone_from(&whole.pids);
        found.add(whole);
    }
    Ok(found)
}

/// What explains a socket that is in no descriptor table: who may not be looked into, and what the kernel says. Tables
/// of single threads are among those that the program sees; a process that hides from this one may hide from it too.
fn beyond_tables(protocols: &BTreeSet<Protocol>) -> (Result<Walk, Error>, (Vec<u64>, Claims)) {
    let (asked, doors) = threads::both(|| ask_kernel(protocols), try_doors);
    (doors, asked)
}

/// Whether the first process may not be looked into.
fn first_process_refuses() -> bool {
    let first = rustix::fs::readlink("/proc/1/fd/0", Vec::new());
    first.is_err_and(|errno| matches!(errno, Errno::ACCESS | Errno::PERM))
}

/// The Unix sockets in which something waits, and the sockets that the kernel has opened itself.
fn ask_kernel(protocols: &BTreeSet<Protocol>) -> (Vec<u64>, Claims) {
    (unix_diag::pending().unwrap_or_default(), Claims::read(protocols))
}

/// Puts what was found to the rows.
fn join(rows: &[&Row], mut found: Vec<Found>) -> Vec<Vec<Held>> {
    found.sort_by_key(|found| (found.inode, found.process.pid, found.descriptor));
    found.dedup_by_key(|found| (found.inode, found.process.pid, found.descriptor));
    let mut by_inode: BTreeMap<u64, Vec<Held>> = BTreeMap::new();
    for found in found {
        let holders = by_inode.entry(found.inode).or_default();
        match holders.last_mut() {
            Some(last) if last.process.pid() == found.process.pid => last.descriptors.push(found.descriptor),
            _ => holders.push(Held {
                process: ProcessRef::new(found.process),
                descriptors: vec![found.descriptor],
                evidence: Evidence::Descriptor,
            }),
        }
    }
    let of =
        |row: &&Row| row.socket.inode.and_then(|inode| by_inode.get(&inode)).cloned().unwrap_or_default();
    rows.iter().map(of).collect()
}

/// Those of the missing sockets that are not in the table any more. Ascending.
fn closed_since(rows: &[&Row], missing: &[u64]) -> Vec<u64> {
    let mut open: BTreeMap<(Protocol, Family, bool), Option<BTreeSet<u64>>> = BTreeMap::new();
    let mut closed = Vec::new();
    for row in rows {
        let Some(inode) = row.socket.inode.filter(|inode| missing.binary_search(inode).is_ok()) else {
            continue;
        };
        let table = Table { protocol: row.socket.protocol, family: row.socket.family() };
        // Another namespace's table is not read again from here.
        if row.socket.namespace.is_some() {
            continue;
        }
        let listener = row.socket.is_listener();
        let key = (table.protocol, table.family, listener);
        let listed = open.entry(key).or_insert_with(|| crate::os::table::sys::inodes(table, listener));
        if listed.as_ref().is_some_and(|listed| !listed.contains(&inode)) {
            closed.push(inode);
        }
    }
    closed.sort_unstable();
    closed
}
