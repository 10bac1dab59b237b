//! Files of git: a HEAD, and the file `.git` of a worktree or submodule.
#![no_main]

use std::path::Path;

use allears::internals::system;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    head(bytes);
    head(&[b"ref: refs/heads/", bytes].concat());
    link(bytes);
    link(&[b"gitdir: ", bytes].concat());
});

fn head(bytes: &[u8]) {
    let Some(branch) = system::git_head(bytes) else { return };
    let name = branch.as_bytes();
    if !bytes.starts_with(b"ref:") {
        assert!(name.len() == 10 && bytes.starts_with(name) && name.iter().all(u8::is_ascii_hexdigit));
        return;
    }
    let looks_like_commit = |rest: &&[u8]| rest.len() == 10 && rest.iter().all(u8::is_ascii_hexdigit);
    // A branch is never taken for a commit, and its name is one that git accepts.
    assert!(!looks_like_commit(&name), "{branch:?}");
    assert!(!name.iter().any(|byte| byte.is_ascii_control() || b" ~^:?*[\\".contains(byte)), "{branch:?}");
    assert!(!name.starts_with(b"/") && !name.ends_with(b"/"), "{branch:?}");
    let short = name.strip_prefix(b"heads/").filter(looks_like_commit);
    for written in [Some(name), short].into_iter().flatten() {
        let again = system::git_head(&[b"ref: refs/heads/", written, b"\n"].concat());
        assert!(again.as_ref() == Some(&branch), "{branch:?} {again:?}");
    }
}

fn link(bytes: &[u8]) {
    let folder = Path::new("/s/web");
    let Some(directory) = system::git_link(folder, bytes) else { return };
    assert!(bytes.starts_with(b"gitdir:"));
    let path = directory.as_os_str().as_encoded_bytes();
    // Absolute as it is written, or below the folder.
    let written = bytes[b"gitdir:".len()..].trim_ascii();
    assert!(path == written || path == [b"/s/web/", written].concat(), "{directory:?}");
    assert!(!path.contains(&0) && directory.is_absolute());
}
