//! Unix sockets that are waited for: whether something listens on a path or an abstract name, and whether it can be bound.

use std::collections::HashMap;

use super::pass::WaitState;
use super::targets::WaitTarget;
use crate::model::{Error, ErrorKind, Listener, PathContent, Target};
use crate::os;
use crate::scan::Query;

/// Returns, for each target that is a Unix socket, whether something listens and whether that is certain, by the index of
/// the target. One read for all of them.
///
/// # Errors
/// If the socket table cannot be read.
pub(super) fn answered(targets: &[&WaitTarget]) -> Result<HashMap<usize, (bool, bool)>, Error> {
    let unix = || targets.iter().enumerate().filter(|(_, target)| target.port.is_none());
    let query: Query = unix().map(|(_, target)| target.target.clone()).collect();
    if query.selection().targets.is_empty() {
        return Ok(HashMap::new());
    }
    let table = query.table()?;
    let answers = |target: &Target| {
        let mut listeners = table.rows.iter().filter(|row| row.socket.is_listener());
        listeners.any(|row| target.answered_by(&row.socket).is_some())
    };
    let answered = |(at, target): (usize, &&WaitTarget)| {
        let is_answered = answers(&target.target);
        (at, (is_answered, is_answered || table.complete))
    };
    Ok(unix().map(answered).collect())
}

/// Returns the listeners of the name, with their holders.
///
/// # Errors
/// If the socket table or the list of processes cannot be read.
pub(super) fn listeners(target: &Target) -> Result<Vec<Listener>, Error> {
    Ok(Query::new().target(target.clone()).scan()?.listeners)
}

/// Returns whether the name can be bound, and whether that is certain. It binds nothing: that would leave a file.
///
/// # Errors
/// If the socket table cannot be read, or if this user cannot make a file in the directory of the path.
pub(super) fn is_free(target: &Target) -> Result<(WaitState, bool), Error> {
    let query = Query::new().target(target.clone()).all(true);
    let table = query.table()?;
    let (is_free, is_certain) = match (target.path(), table.paths.first().map(|path| path.holds)) {
        (None, _) => {
            let is_taken = table.rows.iter().any(|row| query.selection().concerns(&row.socket));
            (!is_taken, table.complete)
        }
        (Some(path), Some(PathContent::Nothing)) => match os::can_make_file(path) {
            Some(true) => (true, true),
            Some(false) => {
                let attempted = format!("{path} cannot be bound: this user cannot make a file there");
                return Err(Error::new(ErrorKind::Unsupported, attempted));
            }
            None => (false, false),
        },
        (Some(_), Some(PathContent::Unknown) | None) => (false, false),
        // Any file prevents the bind, even if it is not a socket.
        (Some(_), Some(_)) => (false, true),
    };
    Ok((WaitState::from_reached(is_free), is_certain))
}
