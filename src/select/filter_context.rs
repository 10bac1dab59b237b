//! Facts about a machine that the process filters depend on.

use crate::model::{Gap, GapReason, Selection, Snapshot, System};
use crate::os;

/// The lowest uid of a person on macOS.
const FIRST_OF_MACOS: u32 = 500;
/// The lowest uid of a person if /etc/login.defs does not set one.
const FIRST_ELSEWHERE: u32 = 1000;

/// Facts about the machine of a snapshot that the process filters depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FilterContext {
    /// Whether an ancestry that does not end at pid 1 is whole too.
    pub(super) whole_ancestries: bool,
    /// The lowest uid of a person.
    pub(super) first_person: u32,
    /// Whether it runs macOS.
    pub(super) is_macos: bool,
}

impl FilterContext {
    /// Returns the facts about this machine, after a scan with these gaps.
    pub(crate) fn read(selection: &Selection, gaps: &[Gap]) -> FilterContext {
        let configured = if selection.developer { os::first_person() } else { None };
        let is_macos = os::SYSTEM == System::Macos;
        let first_person = configured.unwrap_or(first_by_default(is_macos));
        FilterContext { whole_ancestries: !hides_processes(gaps), first_person, is_macos }
    }

    /// Returns the facts about the machine of a saved snapshot. Ancestries are whole if a tree was requested.
    pub(super) fn from_saved(snapshot: &Snapshot) -> FilterContext {
        let is_macos = snapshot.os == System::Macos;
        let asked = snapshot.selections.as_ref().and_then(|asked| asked.first());
        let whole_ancestries =
            asked.is_some_and(Selection::needs_ancestors) && !hides_processes(&snapshot.gaps);
        FilterContext { whole_ancestries, first_person: first_by_default(is_macos), is_macos }
    }
}

/// Returns whether ancestors may be among processes that the caller cannot see.
fn hides_processes(gaps: &[Gap]) -> bool {
    gaps.iter().any(|gap| gap.reason == GapReason::HiddenProc)
}

fn first_by_default(is_macos: bool) -> u32 {
    if is_macos { FIRST_OF_MACOS } else { FIRST_ELSEWHERE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{GapDetail, GapKind};

    fn gap(reason: GapReason) -> Gap {
        Gap::new(GapKind::Holders, reason, 1, GapDetail::UnknownFacts, None)
    }

    /// People have uids of 500 and more on macOS, of 1000 and more elsewhere.
    #[test]
    fn people_by_their_system() {
        let saved = std::fs::read("tests/replay/workstation.json").unwrap();
        let saved = crate::render::json::read(&saved).unwrap();
        let of = |os| {
            let context = FilterContext::from_saved(&Snapshot { os, ..saved.clone() });
            (context.first_person, context.is_macos)
        };
        assert_eq!((of(System::Macos), of(System::Linux)), ((500, true), (1000, false)));
        let here = FilterContext::read(&Selection::default(), &[]);
        let is_macos = std::env::consts::OS == "macos";
        assert_eq!((here.is_macos, here.first_person), (is_macos, if is_macos { 500 } else { 1000 }));
    }

    #[test]
    fn ancestries_are_whole_if_they_were_read_and_none_is_hidden() {
        let read = |gaps: &[Gap]| FilterContext::read(&Selection::default(), gaps).whole_ancestries;
        assert!(read(&[]) && read(&[gap(GapReason::Unseen)]));
        assert!(!read(&[gap(GapReason::Unseen), gap(GapReason::HiddenProc)]));
        let saved = std::fs::read("tests/replay/workstation.json").unwrap();
        let saved = crate::render::json::read(&saved).unwrap();
        let of = |selections, reason| {
            let snapshot = Snapshot { selections, gaps: vec![gap(reason)], ..saved.clone() };
            FilterContext::from_saved(&snapshot).whole_ancestries
        };
        let tree = || Some(vec![Selection { trees: vec![1], ..Selection::default() }]);
        assert!(of(tree(), GapReason::Unseen));
        assert!(!of(tree(), GapReason::HiddenProc), "ancestors may be hidden");
        assert!(!of(Some(vec![Selection::default()]), GapReason::Unseen), "ancestors were not read");
        assert!(!of(None, GapReason::Unseen));
    }
}
