//! The holders of sockets on Linux, found in phases.
//!
//! `PHASES` lists them in their order. Each is a function over one [`State`], in a file of its own; it runs only while
//! some socket has no known holder, so that an ordinary query costs one walk through the descriptor tables. The modules
//! below `holders` may use the other topics of `os` and `model`. They change no row and read no facts about holders:
//! that is `os::process`.

pub(in crate::os) mod bpf;
pub(in crate::os) mod candidates;
pub(in crate::os) mod closed_sockets;
pub(in crate::os) mod descriptor_tables;
pub(in crate::os) mod io_uring;
pub(in crate::os) mod kernel_sockets;
pub(in crate::os) mod mappings;
pub(in crate::os) mod repeated_walk;
pub(in crate::os) mod scm_rights;
pub(in crate::os) mod state;
pub(in crate::os) mod thread_tables;
pub(in crate::os) mod visibility;
pub(in crate::os) mod waiting_threads;
pub(in crate::os) mod without_descriptor;

use crate::model::Error;
use crate::os::{HolderSearch, Holders, ProgramWords, Row};
pub(in crate::os) use descriptor_tables::held_among;
use state::State;

/// Whether holders can be searched by BPF.
pub(in crate::os) const HAS_BPF: bool = true;

/// One step of the search.
struct Phase {
    runs: Runs,
    search: fn(&mut State<'_>) -> Result<(), Error>,
}

/// When a phase runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runs {
    Always,
    /// While some socket has no known holder.
    IfMissing,
}

/// The phases in their order. A later one costs more, or concerns fewer sockets.
const PHASES: [Phase; 9] = [
    // The descriptor tables of all processes, by the BPF iterator or by a walk through /proc.
    Phase { runs: Runs::Always, search: descriptor_tables::search },
    // Sockets that were closed since the socket table was read.
    Phase { runs: Runs::IfMissing, search: closed_sockets::search },
    // Descriptor tables of single threads; which processes refuse access; what the kernel reports.
    Phase { runs: Runs::IfMissing, search: thread_tables::search },
    // Fixed files of io_urings.
    Phase { runs: Runs::IfMissing, search: io_uring::search },
    // What this process may not read.
    Phase { runs: Runs::Always, search: visibility::search },
    // Sockets that the kernel has opened itself.
    Phase { runs: Runs::IfMissing, search: kernel_sockets::search },
    // Sockets that were passed on while the tables were read.
    Phase { runs: Runs::IfMissing, search: repeated_walk::search },
    // Sockets in unread messages (SCM_RIGHTS).
    Phase { runs: Runs::IfMissing, search: scm_rights::search },
    // Sockets that a system call, a request of an io_uring or a mapping keeps open.
    Phase { runs: Runs::IfMissing, search: without_descriptor::search },
];

/// Returns the holders of these rows, and for each row without one the reason.
///
/// # Errors
/// If /proc cannot be read, or if the requested method is unavailable.
pub(in crate::os) fn holders(
    rows: &[&Row],
    request: HolderSearch,
    program_words: ProgramWords,
) -> Result<Holders, Error> {
    let mut state = State::new(rows, request);
    state.visibility.program_words = program_words;
    run(&PHASES, &mut state)?;
    Ok(state.finish())
}

fn run(phases: &[Phase], state: &mut State<'_>) -> Result<(), Error> {
    for phase in phases {
        if phase.runs == Runs::Always || !state.missing.is_empty() {
            (phase.search)(state)?;
            state.update_missing();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::HolderMethod;

    /// Two phases always run; no other one may cost anything when every socket has its holder.
    #[test]
    fn phases_are_skipped_when_nothing_is_missing() {
        let always: Vec<usize> = (0..PHASES.len()).filter(|at| PHASES[*at].runs == Runs::Always).collect();
        assert_eq!(always, [0, 4]);
        let (_listener, row) = state::test_rows::listener();
        let rows = [&row];
        let mut state = State::new(&rows, HolderSearch::Walk);
        run(&PHASES, &mut state).unwrap();
        assert!(state.missing.is_empty());
        assert!(state.reports.is_none(), "the kernel's reports are read for missing sockets alone");
        assert_eq!(state.method, Some(HolderMethod::Walk { not_bpf: None }));
        assert_eq!(state.finish().held[0].len(), 1);
    }

    #[test]
    fn a_phase_runs_only_while_a_socket_is_missing() {
        fn finds_all(state: &mut State<'_>) -> Result<(), Error> {
            state.missing.clear();
            state.walk.pids.push(1);
            Ok(())
        }
        fn marks(state: &mut State<'_>) -> Result<(), Error> {
            state.walk.pids.push(2);
            Ok(())
        }
        let row = state::test_rows::row(80, 7);
        let rows = [&row];
        let mut state = State::new(&rows, HolderSearch::Walk);
        let phases = [
            Phase { runs: Runs::IfMissing, search: finds_all },
            Phase { runs: Runs::IfMissing, search: marks },
            Phase { runs: Runs::Always, search: marks },
        ];
        run(&phases, &mut state).unwrap();
        assert_eq!(state.walk.pids, [1, 2]);
    }
}
