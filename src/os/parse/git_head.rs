//! The files of a git repository that tell what is checked out: `HEAD`, and a file `.git` (gitrepository-layout(5)). Pure.

use crate::model::GitHead;

/// Returns the directory that a file `.git` refers to: of a worktree, or of a submodule.
pub(in crate::os) fn linked_directory(bytes: &[u8]) -> Option<&[u8]> {
    Some(bytes.strip_prefix(b"gitdir:")?.trim_ascii()).filter(|path| !path.is_empty())
}

/// Parses the content of a HEAD.
pub(in crate::os) fn parse(bytes: &[u8]) -> Option<GitHead> {
    let line = bytes.trim_ascii_end();
    if let Some(reference) = line.strip_prefix(b"ref:") {
        return from_reference(reference.trim_ascii_start());
    }
    let is_commit = matches!(line.len(), 40 | 64) && line.iter().all(u8::is_ascii_hexdigit);
    let digits = line.get(..GitHead::COMMIT_DIGITS).filter(|_| is_commit)?;
    Some(GitHead::Commit(digits.into()))
}

/// Returns the branch in `refs/heads/feature/x`; anything else is no branch. If the references are in a table
/// (reftable), HEAD holds `refs/heads/.invalid`.
pub(in crate::os) fn from_reference(reference: &[u8]) -> Option<GitHead> {
    let name = reference.strip_prefix(b"refs/heads/").filter(|name| is_branch_name(name))?;
    Some(GitHead::Branch(name.into()))
}

/// Returns whether git accepts a name below `refs/heads/`, by the rules of git-check-ref-format(1). With any other name
/// in its HEAD, git reports that there is no valid reference.
fn is_branch_name(name: &[u8]) -> bool {
    let forbidden = |byte: &u8| byte.is_ascii_control() || b" ~^:?*[\\".contains(byte);
    let is_part = |part: &[u8]| !part.is_empty() && !part.starts_with(b".") && !part.ends_with(b".lock");
    let has = |pair: &[u8]| name.windows(pair.len()).any(|window| window == pair);
    name.split(|byte| *byte == b'/').all(is_part)
        && !name.iter().any(forbidden)
        && !name.ends_with(b".")
        && !has(b"..")
        && !has(b"@{")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head(bytes: &[u8]) -> Option<String> {
        parse(bytes).map(|head| head.to_text().to_string_lossy().into_owned())
    }

    #[test]
    fn heads() {
        assert_eq!(head(b"ref: refs/heads/main\n").as_deref(), Some("main"));
        assert_eq!(head(b"ref:refs/heads/feature/x").as_deref(), Some("feature/x"));
        assert_eq!(head(b"ref: refs/heads/.invalid\n"), None, "a table of references");
        assert_eq!(head(b"ref: refs/remotes/origin/main\n"), None);
        assert_eq!(head(b"ref: refs/heads/\n"), None);
        assert_eq!(head(&[b'a'; 40]).as_deref(), Some("aaaaaaaaaa"));
        assert_eq!(head(&[b'7'; 64]).as_deref(), Some("7777777777"));
        assert_eq!(head(&[b'7'; 41]), None);
        assert_eq!(head(&[b'x'; 40]), None);
        assert_eq!(head(b"ref: refs/heads/0123456789").as_deref(), Some("heads/0123456789"), "no commit");
        assert_eq!(head(b""), None);
        assert_eq!(
            parse(b"ref: refs/heads/\xff\n"),
            Some(GitHead::Branch(b"\xff".as_slice().into())),
            "bytes are kept"
        );
    }

    /// As `git branch --show-current` of git 2.47 reports it.
    #[test]
    fn names_that_git_accepts() {
        for name in ["tab", "@", "-x", "a.b", "a/b", "a@b", "lock", "x.locks", "\u{e9}", "{"] {
            assert!(is_branch_name(name.as_bytes()), "{name}");
        }
        for name in [
            "", "x y", "a..b", "a\nb", "a~b", "x.lock", "x.lock/y", "a\u{1}b", "a\u{7f}b", "/x", "a//b",
            "x/", ".invalid", "a/.b", "a.", "a@{b", "a:b", "a?b", "a*b", "a[b", "a\\b", "a^b",
        ] {
            assert!(!is_branch_name(name.as_bytes()), "{name}");
            assert_eq!(parse(format!("ref: refs/heads/{name}").as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn links() {
        let directory = b"gitdir: /r/.git/worktrees/fix-1\n";
        assert_eq!(linked_directory(directory), Some(&b"/r/.git/worktrees/fix-1"[..]));
        assert_eq!(linked_directory(b"gitdir: \n"), None);
        assert_eq!(linked_directory(b"something else"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            parse(&bytes);
            parse(&[b"ref: refs/heads/".as_slice(), &bytes].concat());
            linked_directory(&[b"gitdir: ".as_slice(), &bytes].concat());
        }
    }
}
