//! The holders of sockets on Linux, found in phases.
//!
//! `phases` lists them in their order. Each is a function over one [`HolderSearchState`], in a file of its own; it runs only while
//! some socket has no known holder, so that an ordinary query costs one walk through the descriptor tables. The modules
//! below `holders` may use the other topics of `os` and `model`. They change no row and read no facts about holders:
//! that is `os::process`.

pub(in crate::os) mod bpf;
pub(in crate::os) mod candidates;
pub(in crate::os) mod claims;
pub(in crate::os) mod in_flight;
pub(in crate::os) mod mappings;
mod phases;
pub(in crate::os) mod signs;
pub(in crate::os) mod state;
pub(in crate::os) mod visibility;
pub(in crate::os) mod waiting_threads;

use crate::model::Error;
use crate::os::{HolderSearch, Holders, ProgramWords, Row};
pub(in crate::os) use phases::descriptor_tables::held_among;
use state::HolderSearchState;

/// Whether holders can be searched by BPF.
pub(in crate::os) const HAS_BPF: bool = true;

/// Returns the holders of these rows, and for each row without one the reason.
///
/// # Errors
/// If /proc cannot be read, or if the requested method is unavailable.
pub(in crate::os) fn holders(
    rows: &[&Row],
    request: HolderSearch,
    program_words: ProgramWords,
) -> Result<Holders, Error> {
    let mut state = HolderSearchState::new(rows, request);
    state.visibility.program_words = program_words;
    phases::run(&mut state)?;
    Ok(state.finish())
}
