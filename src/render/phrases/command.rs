//! Commands: those that are run one after the other, and those that take full permissions.

use crate::model::{System, Text};
use crate::os;
use crate::shell;

/// Returns the phrase for a call of this program with full permissions: `sudo allears 80`. `None` if an argument cannot be
/// quoted.
pub(crate) fn allears_with_sudo<W: AsRef<[u8]>>(arguments: &[W]) -> Option<String> {
    let line = shell::allears_by_path(arguments)?;
    Some(match os::SYSTEM {
        System::Windows => format!("{line}, run as administrator,"),
        _ => format!("sudo {line}"),
    })
}

/// Returns several commands in a phrase: `systemctl stop -- x.service, then systemctl clean --what=fdstore -- x.service`.
/// `None` if there is none, or if one cannot be quoted.
pub(crate) fn commands_in_order(commands: &[Vec<Text>]) -> Option<String> {
    let lines: Option<Vec<String>> = commands.iter().map(|command| shell::line(command)).collect();
    lines.filter(|lines| !lines.is_empty()).map(|lines| lines.join(", then "))
}
