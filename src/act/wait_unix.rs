//! Waits for a Unix socket: until a process listens on its path or abstract name, or until it can be bound.

use std::time::Duration;

use super::wait::{WaitFor, WaitState, Waited, wait_until};
use crate::model::Target;
use crate::model::{Error, ErrorKind, Listener, PathContent};
use crate::os;
use crate::scan::Query;

/// Waits until a state is reached or time is up. Calls `tick` with the time passed after each scan.
///
/// # Errors
/// If the socket table cannot be read, or if this user cannot make a file in the directory of the path.
pub(crate) fn wait_unix(
    target: &Target,
    wanted: WaitFor,
    timeout: Option<Duration>,
    tick: &mut dyn FnMut(Duration),
) -> Result<Waited, Error> {
    let mut scan = |_| {
        let (is_reached, is_certain) = match wanted {
            WaitFor::Listening => {
                let answered = Query::new().target(target.clone()).is_answered()?;
                (answered == Some(true), answered.is_some())
            }
            WaitFor::Free => is_free(target)?,
        };
        Ok((WaitState::from_reached(is_reached), is_certain))
    };
    wait_until(&mut scan, timeout, tick)
}

/// Returns the listeners of the name, with their holders.
pub(crate) fn found_unix(target: &Target) -> Result<Vec<Listener>, Error> {
    Ok(Query::new().target(target.clone()).scan()?.listeners)
}

/// Returns whether the name can be bound, and whether that is certain. It binds nothing: that would leave a file.
fn is_free(target: &Target) -> Result<(bool, bool), Error> {
    let query = Query::new().target(target.clone()).all(true);
    let table = query.table()?;
    let Some(path) = target.path() else {
        let is_taken = table.rows.iter().any(|row| query.selection().concerns(&row.socket));
        return Ok((!is_taken, table.complete));
    };
    match table.paths.first().map(|path| path.holds) {
        Some(PathContent::Nothing) => match os::can_make_file(path) {
            Some(true) => Ok((true, true)),
            Some(false) => {
                let attempted = format!("{path} cannot be bound: this user cannot make a file there");
                Err(Error::new(ErrorKind::Unsupported, attempted))
            }
            None => Ok((false, false)),
        },
        Some(PathContent::Unknown) | None => Ok((false, false)),
        // Any file prevents the bind, even if it is not a socket.
        Some(_) => Ok((false, true)),
    }
}
