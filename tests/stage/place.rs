//! Where the programs are, who may reach them, and as whom the tests run.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The program under test: the one that was built with this test, unless ALLEARS_PROGRAM names a copy of it.
pub(crate) fn program() -> PathBuf {
    let copy = std::env::var_os("ALLEARS_PROGRAM");
    copy.map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_allears")), PathBuf::from)
}

/// An account that owns nothing, present on every Unix.
pub(crate) const NOBODY: u32 = 65_534;

static COPIES: AtomicU32 = AtomicU32::new(0);

/// Whether the tests run with uid 0.
pub(crate) fn is_root() -> bool {
    #[cfg(unix)]
    return nix::unistd::geteuid().is_root();
    #[cfg(not(unix))]
    return false;
}

/// As whom to run what must be an ordinary user's: another account for root, else the same one.
pub(crate) fn ordinary_user() -> Option<u32> {
    is_root().then_some(NOBODY)
}

/// The uid of [`ordinary_user`].
#[cfg(unix)]
pub(crate) fn ordinary_uid() -> u32 {
    ordinary_user().unwrap_or_else(|| nix::unistd::geteuid().as_raw())
}

/// The fixture, which cargo builds as an example beside this test.
pub(crate) fn fixture_program() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let build = test.parent().and_then(Path::parent).expect("tests are built in a folder of their own");
    let fixture = build.join("examples").join(format!("fixture{}", std::env::consts::EXE_SUFFIX));
    // `cargo test` builds it; with a choice of targets, as in `cargo test --test live`, it needs `--examples`.
    assert!(fixture.exists(), "no fixture at {}: cargo build --example fixture", fixture.display());
    fixture
}

/// `program`, or a copy of it where every user may run it.
pub(crate) fn for_everyone(program: &Path) -> PathBuf {
    if open_to_all(program) { program.to_path_buf() } else { copy_of(program, None) }
}

/// Starts a program that may have been copied a moment ago: a thread that just forks still has the copy
/// open for writing, and the system refuses to run it until that is over.
pub(super) fn spawn(command: &mut Command, shown: &str) -> Child {
    let started = super::until(|| match command.spawn() {
        Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => None,
        other => Some(other),
    });
    match started {
        Some(Ok(child)) => child,
        Some(Err(error)) => panic!("start {shown}: {error}"),
        None => panic!("start {shown}: its file stays busy"),
    }
}

/// A copy of `program` under a name of the caller's choice, in a folder that every user may enter.
pub(crate) fn copy_of(program: &Path, name: Option<&str>) -> PathBuf {
    let number = COPIES.fetch_add(1, Ordering::Relaxed);
    let folder = folder().join(number.to_string());
    std::fs::create_dir_all(&folder).expect("make a folder for a copy");
    let copy = match name {
        Some(name) => folder.join(name),
        None => folder.join(program.file_name().expect("a program has a name")),
    };
    // A link is never open for writing, so it can be run at once while other threads start programs.
    if std::fs::hard_link(program, &copy).is_err() {
        std::fs::copy(program, &copy).expect("copy a program");
    }
    copy
}

/// Removes what this run has made: copies of programs, images and containers.
pub(crate) fn clean() {
    #[cfg(unix)]
    super::docker::clean();
    let _absent_unless_something_was_copied = std::fs::remove_dir_all(folder());
}

/// A folder of this run, which every user may enter.
pub(crate) fn folder() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let made = FOLDER.get_or_init(|| {
        let name = format!("allears-live-{}", std::process::id());
        let places = [std::env::temp_dir(), "/tmp".into(), "/var/tmp".into(), "/dev/shm".into()];
        let made = places.into_iter().find_map(|place| {
            let folder = place.join(&name);
            (open_to_all(&place) && std::fs::create_dir(&folder).is_ok()).then_some(folder)
        });
        made.expect("a place for temporary files that every user may enter")
    });
    made.clone()
}

#[cfg(unix)]
fn open_to_all(program: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    program.ancestors().all(|part| {
        std::fs::metadata(part).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 == 0o001)
    })
}

#[cfg(not(unix))]
fn open_to_all(_program: &Path) -> bool {
    true
}
