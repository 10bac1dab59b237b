//! The project that a process runs in, and what git has checked out there.

use crate::model::Text;

/// The project of a working directory: the nearest folder at or above it that is the root of a project.
///
/// ```
/// use allears::Query;
///
/// for listener in Query::new().scan()?.listeners {
///     for holder in listener.holders {
///         if let Some(project) = &holder.process.project {
///             println!("{} at {:?}", project.directory.to_string_lossy(), project.head);
///         }
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Project {
    /// The folder.
    pub directory: Text,
    /// The file that marks it as a root: `.git`, `Cargo.toml`, ...
    pub marker: Text,
    /// The branch or commit that git has checked out there.
    pub head: Option<GitHead>,
    /// The name of the git worktree, if the folder is a linked worktree (git-worktree(1)).
    pub worktree: Option<Text>,
}

/// The branch or commit that is checked out in a git repository.
///
/// ```
/// use allears::GitHead;
///
/// assert_eq!(GitHead::Branch("main".into()).to_string(), "branch main");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum GitHead {
    /// A branch, by its name below `refs/heads/`.
    Branch(Text),
    /// A commit without a branch (a detached HEAD), by the first digits of its id.
    Commit(Text),
}

impl GitHead {
    /// The number of digits of a commit that are kept.
    pub(crate) const COMMIT_DIGITS: usize = 10;

    fn looks_like_commit(name: &[u8]) -> bool {
        name.len() == GitHead::COMMIT_DIGITS && name.iter().all(u8::is_ascii_hexdigit)
    }

    /// Returns its text in documents: the name of the branch, or the digits of the commit. A branch with a name that could
    /// be a commit is `heads/` and its name, as git writes it.
    pub(crate) fn to_text(&self) -> Text {
        match self {
            GitHead::Branch(name) if GitHead::looks_like_commit(name.as_bytes()) => {
                [b"heads/".as_slice(), name.as_bytes()].concat().into()
            }
            GitHead::Branch(text) | GitHead::Commit(text) => text.clone(),
        }
    }

    /// Parses the text of a document.
    pub(crate) fn from_text(text: Text) -> GitHead {
        let bytes = text.as_bytes();
        let branch = bytes.strip_prefix(b"heads/").filter(|name| GitHead::looks_like_commit(name));
        match branch {
            Some(name) => GitHead::Branch(name.into()),
            None if GitHead::looks_like_commit(bytes) => GitHead::Commit(text),
            None => GitHead::Branch(text),
        }
    }
}
