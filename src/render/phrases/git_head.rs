//! What git has checked out.

use std::fmt;

use crate::model::GitHead;
use crate::render::escape::escape;

/// `branch main` or `commit 1a2b3c4d5e`. The name is escaped.
impl fmt::Display for GitHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GitHead::Commit(digits) => write!(f, "commit {}", escape(digits)),
            head @ GitHead::Branch(_) => write!(f, "branch {}", escape(&head.to_text())),
        }
    }
}
