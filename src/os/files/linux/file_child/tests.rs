use super::*;
use std::time::Duration;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

#[test]
fn a_child_reads_what_this_process_reads() {
    let folder = std::env::temp_dir().join(format!("allears-child-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (file, link) = (folder.join("HEAD"), folder.join("link"));
    std::fs::write(&file, b"ref: refs/heads/main\n").unwrap();
    std::os::unix::fs::symlink("HEAD", &link).unwrap();
    std::fs::write(folder.join("long"), vec![b'x'; LONGEST_SMALL + 1]).unwrap();
    let mut child = Child::start().unwrap();
    let own = Status::from_stat(&rustix::fs::stat(&file).unwrap());
    assert_eq!(child.ask(Operation::Status, &link, soon()).unwrap().status, own);
    assert!(child.ask(Operation::StatusOfLink, &link, soon()).unwrap().status.is_link());
    assert_eq!(child.ask(Operation::ReadLink, &link, soon()).unwrap().data, b"HEAD");
    let mount = child.ask(Operation::MountId, &file, soon()).unwrap().data;
    assert_eq!(mount.len(), 8, "the number of a mount");
    let read = child.ask(Operation::ReadSmall, &file, soon()).unwrap();
    assert_eq!((read.status, read.data.as_slice()), (own, &b"ref: refs/heads/main\n"[..]));
    for other in ["long", "link", "nothing", "."] {
        let refused = child.ask(Operation::ReadSmall, &folder.join(other), soon());
        assert!(matches!(refused, Err(NoReply::Refused(_))), "{other}");
    }
    let long = Path::new("/").join("a".repeat(LONGEST_PATH));
    assert!(matches!(child.ask(Operation::Status, &long, soon()), Err(NoReply::Refused(_))));
    // It still serves, and has no descriptor but its socket.
    assert!(child.ask(Operation::Status, &file, soon()).is_ok());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_child_ends_with_its_socket_and_is_waited_for() {
    let mut child = Child::start().unwrap();
    assert!(child.ask(Operation::Status, Path::new("/"), soon()).is_ok());
    let process = child.process.take().unwrap();
    assert!(!has_ended(process.as_fd()));
    drop(child);
    let until = soon();
    while !has_ended(process.as_fd()) {
        assert!(Instant::now() < until);
        std::thread::yield_now();
    }
}

#[test]
fn a_child_that_does_not_answer_is_not_asked_again() {
    let mut child = Child::start().unwrap();
    let past = Instant::now();
    assert!(matches!(child.ask(Operation::Status, Path::new("/"), past), Err(NoReply::Timeout)));
    assert!(matches!(child.ask(Operation::Status, Path::new("/"), soon()), Err(NoReply::Timeout)));
    // It answers in truth, and ends, so that it does not stand in the way of the next.
    let process = child.process.take().unwrap();
    drop(child);
    let until = soon();
    while !has_ended(process.as_fd()) {
        assert!(Instant::now() < until);
        std::thread::yield_now();
    }
}
