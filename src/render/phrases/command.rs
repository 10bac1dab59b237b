//! Commands that are run one after the other.

use crate::model::Text;
use crate::shell;

/// Returns several commands in a phrase: `systemctl stop -- x.service, then systemctl clean --what=fdstore -- x.service`.
/// `None` if there is none, or if one cannot be quoted.
pub(crate) fn commands_in_order(commands: &[Vec<Text>]) -> Option<String> {
    let lines: Option<Vec<String>> = commands.iter().map(|command| shell::line(command)).collect();
    lines.filter(|lines| !lines.is_empty()).map(|lines| lines.join(", then "))
}
