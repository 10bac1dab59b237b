//! What tests with real sockets need.

use std::time::{Duration, Instant};

/// Returns whether a condition comes true within ten seconds.
///
/// For what follows from closing a socket. Tests run in parallel in one process, and many start a program: between
/// fork(2) and exec(2) the child has a copy of every descriptor, and a socket stays open as long as there is a copy.
pub(crate) fn eventually(mut condition: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
