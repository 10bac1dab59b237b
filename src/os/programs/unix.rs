//! Programs of the system, in folders that only root or the user of this process can write to.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Shell;

/// The shell that commands are written for.
pub(crate) const SHELL: Shell = Shell::Posix;

/// The program that opens a URL, and its arguments.
#[cfg(feature = "cli")]
pub(in crate::os) const OPENER: [&str; 1] = [if cfg!(target_os = "macos") { "open" } else { "xdg-open" }];

/// Takes a program out of this program's group, so that the terminal's signals do not reach it.
#[cfg(feature = "cli")]
pub(in crate::os) fn detach(command: &mut std::process::Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

/// The folders of programs of the system and its administrator.
const FOLDERS: [&str; 6] = ["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin", "/usr/local/sbin"];

/// Returns the path of a program in the system's own folders. One that others may write to is passed over.
pub(in crate::os) fn system_program(name: &str) -> Option<PathBuf> {
    if name.is_empty() || name.contains('/') {
        return None;
    }
    let is_safe = |path: &Path| {
        let Ok(file) = std::fs::metadata(path) else { return false };
        let own = rustix::process::geteuid().as_raw();
        (file.uid() == 0 || file.uid() == own) && file.mode() & 0o022 == 0
    };
    FOLDERS.iter().map(Path::new).find_map(|folder| {
        let path = folder.join(name);
        let is_program =
            std::fs::metadata(&path).is_ok_and(|file| file.is_file() && file.mode() & 0o111 != 0);
        (is_program && is_safe(&path) && is_safe(folder)).then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_not_looked_for_on_the_path() {
        assert!(system_program("sh").is_some_and(|path| path.is_absolute()));
        for name in ["", "../bin/sh", "/bin/sh", "no-such-program-anywhere", "."] {
            assert_eq!(system_program(name), None, "{name}");
        }
    }
}
