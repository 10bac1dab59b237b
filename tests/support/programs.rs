//! The program under test and the fixture: where they are, and copies of them.

use super::folder::{folder, open_to_all};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};

static COPIES: AtomicU32 = AtomicU32::new(0);

/// Returns the program under test: the one built with this test, unless `ALLEARS_PROGRAM` names a copy of it.
pub(crate) fn program() -> PathBuf {
    let copy = std::env::var_os("ALLEARS_PROGRAM");
    copy.map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_allears")), PathBuf::from)
}

/// Returns the fixture, which cargo builds as an example beside this test.
pub(crate) fn fixture_program() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let build = test.parent().and_then(Path::parent).expect("tests are built in a folder of their own");
    let fixture = build.join("examples").join(format!("fixture{}", std::env::consts::EXE_SUFFIX));
    // `cargo test` builds it; `cargo test --test live` does not.
    assert!(fixture.exists(), "no fixture at {}: run cargo build --example fixture", fixture.display());
    fixture
}

/// Returns `program`, or a copy of it that every user may run.
pub(crate) fn for_everyone(program: &Path) -> PathBuf {
    if open_to_all(program) { program.to_path_buf() } else { copy_of(program, None) }
}

/// Starts a program that may have been copied a moment ago. A thread that is forking still has the copy open for
/// writing, and until that is over the system refuses to run it.
pub(super) fn spawn(command: &mut Command, shown: &str) -> Child {
    let started = super::until(|| match command.spawn() {
        Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => None,
        other => Some(other),
    });
    match started {
        Some(Ok(child)) => child,
        Some(Err(error)) => panic!("cannot start {shown}: {error}"),
        None => panic!("cannot start {shown}: its file stays busy"),
    }
}

/// Copies `program` into a folder that every user may enter, under `name` if there is one, and returns the copy.
pub(crate) fn copy_of(program: &Path, name: Option<&str>) -> PathBuf {
    let number = COPIES.fetch_add(1, Ordering::Relaxed);
    let folder = folder().join(number.to_string());
    std::fs::create_dir_all(&folder).expect("make a folder for a copy");
    let copy = match name {
        Some(name) => folder.join(name),
        None => folder.join(program.file_name().expect("a program has a name")),
    };
    link_or_copy(program, &copy);
    copy
}

/// Makes a second file of a program that can be run at once: a hard link, or a copy that another process writes. What this
/// process has open for writing, a thread that is forking keeps open for a moment, and the system runs no such file.
pub(crate) fn link_or_copy(program: &Path, copy: &Path) {
    let by_cp = || Command::new("cp").arg(program).arg(copy).status().is_ok_and(|status| status.success());
    if std::fs::hard_link(program, copy).is_err() && !by_cp() {
        std::fs::copy(program, copy).expect("copy a program");
    }
}
