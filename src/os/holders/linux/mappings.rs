//! The mappings of a process that keep a socket open, or may.

use std::io::BufReader;

use rustix::fs::{Mode, OFlags};

use crate::os::parse::linux::proc_maps;
pub(in crate::os) use crate::os::parse::linux::proc_maps::Mappings;
use crate::os::process::sys::proc_handle::Directory;

/// Reads the mappings of a process. They are empty if it has ended or may not be read.
pub(in crate::os) fn mappings(process: &Directory) -> Mappings {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    match rustix::fs::openat(process, "maps", flags, Mode::empty()) {
        Ok(maps) => proc_maps::parse(BufReader::with_capacity(64 * 1024, std::fs::File::from(maps))),
        Err(_) => Mappings::default(),
    }
}
