//! The phases of the search, in the order in which [`PHASES`] lists them.

mod closed_sockets;
pub(in crate::os) mod descriptor_tables;
mod io_uring;
mod kernel_sockets;
mod repeated_walk;
mod scm_rights;
mod thread_tables;
mod visibility;
mod without_descriptor;

use super::state::HolderSearchState;
use crate::model::Error;

/// One step of the search.
struct Phase {
    runs: RunCondition,
    search: fn(&mut HolderSearchState<'_>) -> Result<(), Error>,
}

/// When a phase runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RunCondition {
    Always,
    /// While some socket has no known holder.
    IfMissing,
}

/// The phases in their order. A later one costs more, or concerns fewer sockets.
const PHASES: [Phase; 9] = [
    // The descriptor tables of all processes, by the BPF iterator or by a walk through /proc.
    Phase { runs: RunCondition::Always, search: descriptor_tables::search },
    // Sockets that were closed since the socket table was read.
    Phase { runs: RunCondition::IfMissing, search: closed_sockets::search },
    // Descriptor tables of single threads; which processes refuse access; what the kernel reports.
    Phase { runs: RunCondition::IfMissing, search: thread_tables::search },
    // Fixed files of io_urings.
    Phase { runs: RunCondition::IfMissing, search: io_uring::search },
    // What this process may not read.
    Phase { runs: RunCondition::Always, search: visibility::search },
    // Sockets that the kernel has opened itself.
    Phase { runs: RunCondition::IfMissing, search: kernel_sockets::search },
    // Sockets that were passed on while the tables were read.
    Phase { runs: RunCondition::IfMissing, search: repeated_walk::search },
    // Sockets in unread messages (SCM_RIGHTS).
    Phase { runs: RunCondition::IfMissing, search: scm_rights::search },
    // Sockets that a system call, a request of an io_uring or a mapping keeps open.
    Phase { runs: RunCondition::IfMissing, search: without_descriptor::search },
];

/// Runs the phases, each if it is needed.
pub(in crate::os) fn run(state: &mut HolderSearchState<'_>) -> Result<(), Error> {
    run_phases(&PHASES, state)
}

fn run_phases(phases: &[Phase], state: &mut HolderSearchState<'_>) -> Result<(), Error> {
    for phase in phases {
        if phase.runs == RunCondition::Always || !state.missing.is_empty() {
            (phase.search)(state)?;
            state.update_missing();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::state;
    use super::*;
    use crate::model::HolderMethod;
    use crate::os::HolderSearch;

    /// Two phases always run; no other one may cost anything when every socket has its holder.
    #[test]
    fn phases_are_skipped_when_nothing_is_missing() {
        let always: Vec<usize> =
            (0..PHASES.len()).filter(|at| PHASES[*at].runs == RunCondition::Always).collect();
        assert_eq!(always, [0, 4]);
        let (_listener, row) = state::test_rows::listener();
        let rows = [&row];
        let mut state = HolderSearchState::new(&rows, HolderSearch::Walk);
        run(&mut state).unwrap();
        assert!(state.missing.is_empty());
        assert!(state.reports.is_none(), "the kernel's reports are read for missing sockets alone");
        assert_eq!(state.method, Some(HolderMethod::Walk { not_bpf: None }));
        assert_eq!(state.finish().held[0].len(), 1);
    }

    #[test]
    fn a_phase_runs_only_while_a_socket_is_missing() {
        fn finds_all(state: &mut HolderSearchState<'_>) -> Result<(), Error> {
            state.missing.clear();
            state.walk.pids.push(1);
            Ok(())
        }
        fn marks(state: &mut HolderSearchState<'_>) -> Result<(), Error> {
            state.walk.pids.push(2);
            Ok(())
        }
        let row = state::test_rows::row(80, 7);
        let rows = [&row];
        let mut state = HolderSearchState::new(&rows, HolderSearch::Walk);
        let phases = [
            Phase { runs: RunCondition::IfMissing, search: finds_all },
            Phase { runs: RunCondition::IfMissing, search: marks },
            Phase { runs: RunCondition::Always, search: marks },
        ];
        run_phases(&phases, &mut state).unwrap();
        assert_eq!(state.walk.pids, [1, 2]);
    }
}
