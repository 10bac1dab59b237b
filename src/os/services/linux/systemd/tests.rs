use std::os::unix::net::UnixListener;

use super::*;

/// A socket whose holder never answers.
#[test]
fn silence_ends_in_time() {
    let path = std::env::temp_dir().join(format!("allears-no-systemd-{}", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let begun = Instant::now();
    let until = begun + Duration::from_millis(50);
    let silent = Connection::connect(path.to_str().unwrap(), Kind::Bus, until).unwrap_err();
    std::fs::remove_file(&path).unwrap();
    drop(listener);
    assert!(matches!(silent.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock), "{silent}");
    assert!(begun.elapsed() >= Duration::from_millis(50));
}
