//! Programs of Windows, found where only an administrator can have put them.

use std::path::PathBuf;

use super::Shell;

/// The shell that commands are written for.
pub(crate) const SHELL: Shell = Shell::Windows;

/// The program that opens a URL, and its arguments. It is what `start` does, without a shell.
#[cfg(feature = "cli")]
pub(in crate::os) const OPENER: [&str; 2] = ["rundll32", "url.dll,FileProtocolHandler"];

/// Takes a program out of this program's group, so that the terminal's signals do not reach it.
#[cfg(feature = "cli")]
pub(in crate::os) fn detach(command: &mut std::process::Command) {
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
    std::os::windows::process::CommandExt::creation_flags(command, CREATE_NEW_PROCESS_GROUP);
}

/// The folders of Windows and of installed programs. They are fixed, because an environment variable could name any folder.
const FOLDERS: [&str; 3] = [
    r"C:\Windows\System32",
    r"C:\Program Files\Docker\Docker\resources\bin",
    r"C:\Program Files\RedHat\Podman",
];

/// Returns the path of a program in the system's own folders.
pub(in crate::os) fn system_program(name: &str) -> Option<PathBuf> {
    if name.is_empty() || name.contains(['/', '\\', ':']) {
        return None;
    }
    let file = if name.ends_with(".exe") { name.to_owned() } else { format!("{name}.exe") };
    FOLDERS.iter().map(|folder| PathBuf::from(folder).join(&file)).find(|path| path.is_file())
}
