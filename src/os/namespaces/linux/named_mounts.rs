//! Network namespaces that are mounted under names: by ip-netns(8), Podman and CNI, and by Docker.

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{Mode, OFlags, RawDir};
use rustix::io::Errno;

use super::search::{Search, unnamed};
use super::{number_of, open_namespace};

/// The directories of such mounts.
const DIRECTORIES: [&str; 3] = ["/run/netns", "/var/run/netns", "/run/docker/netns"];

impl Search {
    /// Adds the namespaces that are mounted under names in the usual directories.
    pub(in crate::os) fn named_mounts(&mut self) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut known = Vec::new();
        for path in DIRECTORIES {
            match rustix::fs::open(path, flags, Mode::empty()) {
                Ok(directory) => {
                    // /var/run is usually a link to /run.
                    let identity = rustix::fs::fstat(&directory).map(|stat| (stat.st_dev, stat.st_ino)).ok();
                    if !known.contains(&identity) {
                        known.push(identity);
                        self.mounts_in(path, directory.as_fd());
                    }
                }
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(errno) => self.failed.push((path.to_owned(), errno)),
            }
        }
    }

    /// Adds the namespaces that are mounted on the files of a directory.
    pub(in crate::os) fn mounts_in(&mut self, path: &str, directory: BorrowedFd<'_>) {
        let mut buffer = [MaybeUninit::uninit(); 8 * 1024];
        let mut entries = RawDir::new(directory, &mut buffer);
        let mut names: Vec<CString> = Vec::new();
        while let Some(entry) = entries.next() {
            match entry {
                Ok(entry) => names.push(entry.file_name().to_owned()),
                Err(errno) => {
                    self.failed.push((path.to_owned(), errno));
                    break;
                }
            }
        }
        // A namespace with several names is called by the first.
        names.sort_unstable();
        for name in &names {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = match rustix::fs::openat(directory, name, flags, Mode::empty()) {
                Ok(file) => file,
                Err(Errno::NOENT) => continue,
                Err(errno) => {
                    self.failed.push((format!("{path}/{}", name.to_string_lossy()), errno));
                    continue;
                }
            };
            // A name whose namespace was unmounted is left as an empty file.
            let Some(number) = number_of(&file).filter(|number| *number != self.own) else { continue };
            let namespace = self.by_number.entry(number).or_insert_with(|| unnamed(number));
            if namespace.name == unnamed(number).name {
                namespace.name = name.to_bytes().into();
            }
            if namespace.entry.is_err() {
                namespace.entry = open_namespace(directory, name, number);
            }
        }
    }
}
