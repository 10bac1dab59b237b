//! What is checked out in a folder, from git's own files and without git. Sources: gitrepository-layout(5),
//! git-worktree(1).
//!
//! The owner of the folder may have written anything into these files: only small regular files are read.

use std::path::{Path, PathBuf};

use crate::model::{GitHead, Text};
use crate::os::files::Files;
use crate::os::files::paths;
use crate::os::parse::git_head;

/// What is checked out somewhere.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::os) struct CheckedOut {
    pub(in crate::os) head: Option<GitHead>,
    pub(in crate::os) worktree: Option<Text>,
}

/// Returns what is checked out at a folder: in the nearest repository at or above it.
pub(in crate::os) fn checked_out(files: &mut Files, folder: &Path) -> CheckedOut {
    folder.ancestors().find_map(|folder| read_checkout(files, folder)).unwrap_or_default()
}

/// Returns what is checked out in exactly this folder. `None` if it has no repository.
fn read_checkout(files: &mut Files, folder: &Path) -> Option<CheckedOut> {
    let git = folder.join(".git");
    // A link to a directory counts as a directory.
    if files.status(&git, true)?.is_directory() {
        let head = git.join("HEAD");
        // A folder without a HEAD is no repository; git continues with the folder above.
        files.status(&head, false)?;
        return Some(CheckedOut { head: read(files, &head), worktree: None });
    }
    let Some(directory) = files.small_file(&git).and_then(|bytes| linked(folder, &bytes)) else {
        return Some(CheckedOut::default());
    };
    let head = read(files, &directory.join("HEAD"));
    Some(CheckedOut { head, worktree: worktree(files, &directory) })
}

/// Returns the directory that a file `.git` refers to: of a worktree, or of a submodule.
pub(in crate::os) fn linked(folder: &Path, bytes: &[u8]) -> Option<PathBuf> {
    paths::from_text(&git_head::linked_directory(bytes)?.into()).map(|path| folder.join(path))
}

/// Returns the name of a worktree, from its directory in the repository. A submodule's directory has no `commondir`.
fn worktree(files: &mut Files, directory: &Path) -> Option<Text> {
    let added = directory.parent()?.file_name()? == "worktrees";
    let name = directory.file_name().filter(|_| added)?;
    files.status(&directory.join("commondir"), false)?;
    Some(name.into())
}

/// Returns the branch that a HEAD names, or the commit.
fn read(files: &mut Files, head: &Path) -> Option<GitHead> {
    if files.status(head, false)?.is_link() {
        // Old versions of git wrote a link, which git still reads.
        return git_head::from_reference(Text::from(files.link(head)?.as_path()).as_bytes());
    }
    git_head::parse(&files.small_file(head)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links() {
        let to = |bytes: &[u8]| linked(Path::new("/s/web"), bytes);
        assert_eq!(to(b"gitdir: /r/.git/worktrees/fix-1\n"), Some("/r/.git/worktrees/fix-1".into()));
        assert_eq!(to(b"gitdir: ../.git/modules/web\n"), Some("/s/web/../.git/modules/web".into()));
        assert_eq!(to(b"gitdir: \n"), None);
    }
}
