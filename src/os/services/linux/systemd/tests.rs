use std::os::unix::net::UnixListener;

use super::*;

#[test]
fn names_of_units() {
    assert_eq!(unit_path(&"cups.socket".into()), "/org/freedesktop/systemd1/unit/cups_2esocket");
    assert_eq!(unit_path(&"9p@a-b.socket".into()), "/org/freedesktop/systemd1/unit/_39p_40a_2db_2esocket");
    assert_eq!(template(&"x.socket".into()), Some("x@.service".into()));
    assert_eq!(template(&"x.service".into()), None);
}

/// A socket whose holder never answers.
#[test]
fn silence_ends_in_time() {
    let path = std::env::temp_dir().join(format!("allears-no-systemd-{}", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let begun = Instant::now();
    let until = begun + Duration::from_millis(50);
    let silent = Connection::to(path.to_str().unwrap(), Kind::Bus, until).unwrap_err();
    std::fs::remove_file(&path).unwrap();
    drop(listener);
    assert!(matches!(silent.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock), "{silent}");
    assert!(begun.elapsed() >= Duration::from_millis(50));
}
