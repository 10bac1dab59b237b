//! The processes of a machine at one moment, as far as every user may read them: who is whose parent, and which belong to
//! one session or process group. Pure: `os` fills it.

use crate::model::compact::CompactCollect as _;
use std::collections::{BTreeMap, BTreeSet};

use super::{Condition, ProcessId, Text};

/// One process of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProcessEntry {
    /// Which one it is.
    pub(crate) id: ProcessId,
    /// Its parent's pid, 0 if it has none.
    pub(crate) parent: u32,
    /// Its name as the kernel keeps it. Linux: the first 15 bytes.
    pub(crate) name: Text,
    /// Its process group; `None` if the system has none.
    pub(crate) group: Option<u32>,
    /// Its session; `None` if the system has none.
    pub(crate) session: Option<u32>,
    /// Why it does not run. `None` if it runs, or if that is unknown.
    pub(crate) condition: Option<Condition>,
    /// Whether it has ended and waits for its parent to notice.
    pub(crate) zombie: bool,
}

/// Processes by pid.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProcessTable {
    entries: BTreeMap<u32, ProcessEntry>,
    children: BTreeMap<u32, Vec<u32>>,
}

impl FromIterator<ProcessEntry> for ProcessTable {
    fn from_iter<I: IntoIterator<Item = ProcessEntry>>(entries: I) -> Self {
        let entries: BTreeMap<u32, ProcessEntry> =
            entries.into_iter().map(|entry| (entry.id.pid, entry)).collect_map();
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for entry in entries.values() {
            // A "parent" that began after its child is another process with that pid.
            let parent = entries.get(&entry.parent).filter(|parent| parent.id.start <= entry.id.start);
            if parent.is_some() && entry.parent != entry.id.pid {
                children.entry(entry.parent).or_default().push(entry.id.pid);
            }
        }
        ProcessTable { entries, children }
    }
}

impl ProcessTable {
    /// Returns the process that has this pid.
    pub(crate) fn get(&self, pid: u32) -> Option<&ProcessEntry> {
        self.entries.get(&pid)
    }

    /// Returns this very process, if it still had its pid.
    pub(crate) fn find(&self, id: ProcessId) -> Option<&ProcessEntry> {
        self.get(id.pid).filter(|entry| entry.id.start == id.start)
    }

    /// Returns the children of a process, ascending by pid.
    pub(crate) fn children(&self, pid: u32) -> impl Iterator<Item = &ProcessEntry> {
        self.children.get(&pid).into_iter().flatten().filter_map(|child| self.get(*child))
    }

    /// Returns the parent of a process.
    pub(crate) fn parent(&self, pid: u32) -> Option<&ProcessEntry> {
        let child = self.get(pid)?;
        self.get(child.parent).filter(|parent| parent.id.start <= child.id.start && parent.id.pid != pid)
    }

    /// Returns the ancestors of a process, the nearest first.
    pub(crate) fn ancestors(&self, pid: u32) -> Vec<&ProcessEntry> {
        let mut found: Vec<&ProcessEntry> = Vec::new();
        let mut next = self.parent(pid);
        while let Some(entry) = next.filter(|entry| !found.iter().any(|known| known.id == entry.id)) {
            found.push(entry);
            next = self.parent(entry.id.pid);
        }
        found
    }

    /// Returns a process's children, their children and so on, ascending by pid.
    pub(crate) fn descendants(&self, pid: u32) -> Vec<&ProcessEntry> {
        let mut found = BTreeSet::new();
        let mut open = vec![pid];
        while let Some(parent) = open.pop() {
            open.extend(self.children(parent).map(|child| child.id.pid).filter(|child| found.insert(*child)));
        }
        found.remove(&pid);
        found.into_iter().filter_map(|pid| self.get(pid)).collect()
    }

    /// Returns every process, ascending by pid.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ProcessEntry> {
        self.entries.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(pid: u32, parent: u32, start: u64) -> ProcessEntry {
        ProcessEntry {
            id: ProcessId { pid, start: Some(start) },
            parent,
            name: "x".into(),
            group: None,
            session: None,
            condition: None,
            zombie: false,
        }
    }

    fn pids(entries: &[&ProcessEntry]) -> Vec<u32> {
        entries.iter().map(|entry| entry.id.pid).collect()
    }

    #[test]
    fn families() {
        let table: ProcessTable =
            [entry(1, 0, 0), entry(5, 1, 10), entry(7, 5, 11), entry(9, 7, 12), entry(8, 1, 5)]
                .into_iter()
                .collect();
        assert_eq!(pids(&table.ancestors(9)), [7, 5, 1]);
        assert_eq!(pids(&table.descendants(5)), [7, 9]);
        assert_eq!(pids(&table.children(1).collect::<Vec<_>>()), [5, 8]);
        assert!(table.find(ProcessId { pid: 7, start: Some(12) }).is_none());
    }

    #[test]
    fn a_parent_that_began_later_is_another_process() {
        let table: ProcessTable = [entry(5, 1, 10), entry(7, 5, 9)].into_iter().collect();
        assert!(table.ancestors(7).is_empty() && table.descendants(5).is_empty());
    }

    #[test]
    fn circles_end() {
        let table: ProcessTable = [entry(5, 7, 10), entry(7, 5, 10)].into_iter().collect();
        assert_eq!(pids(&table.ancestors(7)), [5, 7]);
        assert_eq!(pids(&table.descendants(5)), [7]);
    }
}
