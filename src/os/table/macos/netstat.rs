//! Sockets of other users from the output of netstat, for versions of macOS whose kernel hides them from this process:
//! Apple's netstat has an entitlement to read them, which no other program gets. No test has ever run it.

use std::process::Command;
use std::time::Duration;

use crate::os::parse::xnu::netstat;
use crate::os::parse::xnu::netstat::NetstatOutput;
use crate::os::programs::output::program_output;

/// The timeout.
const LONGEST: Duration = Duration::from_secs(3);

/// Runs netstat.
///
/// # Errors
/// If it cannot be run, does not end in time, or prints no internet socket.
pub(in crate::os) fn printed() -> Result<NetstatOutput, String> {
    let text = program_output(Command::new("/usr/sbin/netstat").arg("-anv"), LONGEST)
        .map_err(|error| format!("netstat did not list them: {error}"))?;
    let printed = netstat::parse(&text);
    match (printed.rows.is_empty(), printed.unread) {
        (false, _) => Ok(printed),
        (true, 0) => Err("netstat prints none to this user".to_owned()),
        (true, _) => Err("netstat prints them in an unknown format".to_owned()),
    }
}
