//! All processes of /proc, from one read of /proc/PID/stat each.

use std::mem::MaybeUninit;

use rustix::fs::{CWD, Mode, OFlags, RawDir};

use super::ancestors;
use crate::model::process_table::{ProcessEntry, ProcessTable};
use crate::model::{Condition, ProcessId};
use crate::os::linux_api::procfs;

/// Returns the processes that /proc lists. One that ends meanwhile is left out.
pub(in crate::os) fn process_table() -> std::io::Result<ProcessTable> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc = rustix::fs::openat(CWD, c"/proc", flags, Mode::empty())?;
    let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
    let mut entries = RawDir::new(&proc, &mut buffer);
    let mut pids = Vec::new();
    while let Some(entry) = entries.next() {
        pids.extend(entry?.file_name().to_str().ok().and_then(|name| name.parse::<u32>().ok()));
    }
    Ok(pids.into_iter().filter_map(entry).collect())
}

fn entry(pid: u32) -> Option<ProcessEntry> {
    let stat =
        procfs::parse_stat(&procfs::read_record(CWD, format!("/proc/{pid}/stat").as_str(), 4096).ok()?)?;
    Some(ProcessEntry {
        id: ProcessId { pid, start: Some(stat.start) },
        parent: stat.parent,
        name: ancestors::name(&stat, &mut || ancestors::command(pid)),
        group: Some(stat.group),
        session: Some(stat.session),
        // proc_pid_stat(5): T is stopped by a signal, t by a tracer, Z and X have ended.
        condition: match stat.state {
            'T' => Some(Condition::Stopped { shell: None }),
            't' => Some(Condition::Traced { tracer: None }),
            _ => None,
        },
        zombie: matches!(stat.state, 'Z' | 'X'),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_and_its_child_are_there() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let table = process_table().unwrap();
        let own = std::process::id();
        let known = table.get(child.id()).unwrap();
        assert_eq!((known.parent, known.group), (own, table.get(own).unwrap().group));
        assert!(table.descendants(own).iter().any(|entry| entry.id == known.id));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(process_table().unwrap().get(known.id.pid).is_none_or(|other| other.id != known.id));
    }
}
