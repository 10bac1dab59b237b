//! The phrase for all holders of a socket.

use super::process::{opener, process};
use super::unseen::unseen_holder;
use crate::model::Listener;

/// Returns the holders of a socket, in a phrase that can follow "by": `node (pid 4121, dev) and 1 other`.
pub(crate) fn holders(listener: &Listener) -> String {
    match (listener.holders.as_slice(), opener(&listener.socket)) {
        ([only], _) => process(&only.process),
        ([first, rest @ ..], _) => match rest.len() {
            1 => format!("{} and 1 other", process(&first.process)),
            more => format!("{} and {more} others", process(&first.process)),
        },
        ([], opener) => match (listener.unseen.as_deref().and_then(unseen_holder), opener) {
            (Some(holder), _) => holder,
            (None, Some(opener)) => format!("a process that could not be seen ({opener} opened the socket)"),
            (None, None) => "a process that could not be seen".to_owned(),
        },
    }
}
