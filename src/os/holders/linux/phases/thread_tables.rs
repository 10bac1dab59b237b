//! Descriptor tables that belong to single threads (`unshare(CLONE_FILES)`): the walk reads only the table of each
//! process's main thread. The BPF iterator reads those of all threads, but does not show which processes refuse access.

use std::collections::BTreeSet;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::super::claims::KernelSocketReports;
use super::super::state::{HolderSearchState, KernelReports};
use crate::model::{Error, Protocol};
use crate::os::descriptors::sys::{Walk, in_parallel, probe_access, search_table};
use crate::os::linux_api::thread_list::{LINKS_OF_ONE_THREAD, share_descriptors, thread_ids};
use crate::os::linux_api::unix_diag;
use crate::os::threads;

/// Searches the tables of single threads; after a BPF search, which has read them, finds out which processes refuse
/// access. The kernel's reports are read at the same time, on a second thread.
pub(in crate::os) fn search(state: &mut HolderSearchState<'_>) -> Result<(), Error> {
    let protocols = state.protocols();
    let reports = || kernel_reports(&protocols);
    if !state.is_by_bpf() {
        let (reports, tables) =
            threads::run_both(reports, || search_threads(&state.walk.pids, &state.missing));
        state.reports = Some(reports);
        state.walk.add(tables);
        return Ok(());
    }
    let (reports, access) = threads::run_both(reports, probe_access);
    state.reports = Some(reports);
    state.walk.add(access?);
    Ok(())
}

/// Reads what the kernel reports about sockets that are in no descriptor table.
fn kernel_reports(protocols: &BTreeSet<Protocol>) -> KernelReports {
    KernelReports {
        pending: unix_diag::pending().unwrap_or_default(),
        claims: KernelSocketReports::read(protocols),
    }
}

/// Searches the descriptor tables that belong to single threads of these processes.
fn search_threads(pids: &[u32], wanted: &[u64]) -> Walk {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(proc) = rustix::fs::open("/proc", flags, Mode::empty()) else { return Walk::default() };
    in_parallel(pids, |pid, buffer, walk| {
        let tasks = format!("{pid}/task");
        // Most processes have one thread; the number of links shows that without listing them.
        let links = rustix::fs::statat(&proc, tasks.as_str(), AtFlags::empty()).map(|stat| stat.st_nlink);
        if links.is_ok_and(|links| links <= LINKS_OF_ONE_THREAD) {
            return;
        }
        let Ok(tasks) = rustix::fs::openat(&proc, tasks.as_str(), flags, Mode::empty()) else { return };
        let mut last = pid;
        for thread in thread_ids(&tasks) {
            if thread == pid || share_descriptors(last, thread) {
                continue;
            }
            last = thread;
            match rustix::fs::openat(&tasks, format!("{thread}/fd"), flags, Mode::empty()) {
                Ok(table) => {
                    search_table(pid, &table, c"../../..", wanted, buffer, walk);
                    // The directory was listed and its links refused: the other threads' links will refuse too.
                    if walk.refused.last() == Some(&pid) {
                        return;
                    }
                }
                // If the table of one thread may not be read, no other may be. (If only the main thread has ended, its
                // own table is refused and the others are not.)
                Err(Errno::ACCESS) => return,
                Err(_) => {}
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use rustix::thread::{UnshareFlags, unshare_unsafe};

    use super::super::super::state::test_rows::{listener, row};
    use super::*;
    use crate::os::HolderSearch;

    #[test]
    fn a_socket_in_the_table_of_one_thread_is_found() {
        let (opened, received) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            #[expect(unsafe_code, reason = "rustix calls every unshare unsafe")]
            // SAFETY: the thread gets a copy of the descriptor table; nobody else uses the descriptors it opens.
            unsafe { unshare_unsafe(UnshareFlags::FILES) }.unwrap();
            let (listener, row) = listener();
            opened.send(row).unwrap();
            let _ = ended.recv();
            drop(listener);
        });
        let row = received.recv().unwrap();
        let rows = [&row];
        let mut state = HolderSearchState::new(&rows, HolderSearch::Walk);
        state.walk.pids = vec![std::process::id()];
        search(&mut state).unwrap();
        state.update_missing();
        end.send(()).unwrap();
        thread.join().unwrap();
        assert!(state.missing.is_empty());
        assert!(state.reports.is_some());
    }

    #[test]
    fn a_bpf_search_lacks_only_the_processes_that_refuse() {
        let row = row(80, u64::MAX);
        let rows = [&row];
        let mut state = HolderSearchState::new(&rows, HolderSearch::Bpf);
        state.method = Some(crate::model::HolderMethod::Bpf);
        search(&mut state).unwrap();
        // No table is read again.
        assert!(state.walk.found.is_empty() && state.reports.is_some());
        assert!(!state.walk.refused.contains(&std::process::id()));
        assert_eq!(state.missing, [u64::MAX]);
    }
}
