//! The sentences of the summary below a table. Each has its full stop.

use super::{allears_with_sudo, gap};
use crate::model::Gap;

/// Returns how many listeners other machines can reach. `None` if there is none.
pub(crate) fn exposed(count: usize) -> Option<String> {
    match count {
        0 => None,
        1 => Some("1 listener is open to the network.".to_owned()),
        many => Some(format!("{many} listeners are open to the network.")),
    }
}

/// Returns of how many listeners the holders could not be seen, and the command that shows them if full permissions help.
/// `None` if there is no such listener.
pub(crate) fn unseen(count: usize, permissions_help: bool) -> Option<String> {
    let subject = match count {
        0 => return None,
        1 => "Holders of 1 listener could not be seen".to_owned(),
        many => format!("Holders of {many} listeners could not be seen"),
    };
    let command = permissions_help.then(|| allears_with_sudo::<&str>(&[])).flatten();
    Some(match command {
        Some(command) => format!("{subject}: {command} shows them."),
        None => format!("{subject}."),
    })
}

/// Returns which columns were shortened and left out. `None` if the table is whole.
pub(crate) fn narrowed(shortened: &[&str], left_out: &[&str]) -> Option<String> {
    let columns = [("shortened", shortened), ("left out", left_out)];
    let parts: Vec<String> = columns
        .into_iter()
        .filter(|(_, columns)| !columns.is_empty())
        .map(|(what, columns)| format!("{what}: {}", columns.join(", ")))
        .collect();
    (!parts.is_empty()).then(|| format!("To fit this width, {}; --wide shows all.", parts.join("; ")))
}

/// Returns what could not be read.
pub(crate) fn not_read(unread: &Gap) -> String {
    format!("Not read: {}.", gap(unread))
}
