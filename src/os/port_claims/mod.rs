//! The file in which processes of one user note the ports that they were just given, so that two of them do not get the
//! same one. Depends on nothing.
//!
//! A claim lasts [`LASTS`] and reserves nothing: any program can bind the port. Processes of other users, and of other
//! containers, have files of their own.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod sys;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use crate::model::Protocol;

/// How long a claim lasts.
const LASTS: Duration = Duration::from_secs(2);

/// How long to wait for another process that has the file locked.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The most bytes of the file that are read. A claim has some twenty.
const LONGEST_FILE: u64 = 1 << 20;

/// The claims of this user, locked until the value is dropped.
#[derive(Debug)]
pub(crate) struct PortClaims {
    file: File,
    /// The claims that have not ended: protocol, port, and the end in milliseconds since 1970.
    claims: Vec<(Protocol, u16, u128)>,
}

impl PortClaims {
    /// Opens and locks the claims of this user. `None` if there is no folder that only this user can write to, or if
    /// another process keeps the file locked for a second.
    pub(crate) fn lock() -> Option<PortClaims> {
        PortClaims::lock_in(&sys::folder()?)
    }

    fn lock_in(folder: &Path) -> Option<PortClaims> {
        let path = folder.join("allears-ports");
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).ok()?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if begun.elapsed() <= LONGEST_WAIT => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                // Also a file system without locks.
                Err(_) => return None,
            }
        }
        let mut text = Vec::new();
        (&mut file).take(LONGEST_FILE).read_to_end(&mut text).ok()?;
        Some(PortClaims { file, claims: parse(&String::from_utf8_lossy(&text), now()) })
    }

    /// Returns whether another process was given this port within the last seconds.
    pub(crate) fn contains(&self, protocol: Protocol, port: u16) -> bool {
        self.claims.iter().any(|(other, claimed, _)| *other == protocol && *claimed == port)
    }

    /// Adds claims and writes the file. Returns whether they were written.
    pub(crate) fn add(mut self, protocol: Protocol, ports: &[u16]) -> bool {
        let end = now() + LASTS.as_millis();
        self.claims.extend(ports.iter().map(|port| (protocol, *port, end)));
        let lines: String =
            self.claims.iter().map(|(protocol, port, end)| format!("{protocol} {port} {end}\n")).collect();
        let mut write = || {
            self.file.seek(SeekFrom::Start(0))?;
            self.file.set_len(0)?;
            self.file.write_all(lines.as_bytes())
        };
        write().is_ok()
    }
}

fn now() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis())
}

/// Returns the claims in a file that have not ended. A line that cannot be read is ignored, and so is a claim of a time
/// to come: the clock was set back.
fn parse(text: &str, now: u128) -> Vec<(Protocol, u16, u128)> {
    let claim = |line: &str| {
        let mut words = line.split(' ');
        let claim = (words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let lasts = now..=now + LASTS.as_millis();
        lasts.contains(&claim.2).then_some(claim)
    };
    text.lines().filter_map(claim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_seen_by_the_next_process_and_ends() {
        let folder = std::env::temp_dir().join(format!("allears-claims-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let first = PortClaims::lock_in(&folder).unwrap();
        assert!(!first.contains(Protocol::Tcp, 3000));
        assert!(first.add(Protocol::Tcp, &[3000, 3001]));
        let second = PortClaims::lock_in(&folder).unwrap();
        assert!(second.contains(Protocol::Tcp, 3000) && second.contains(Protocol::Tcp, 3001));
        assert!(!second.contains(Protocol::Udp, 3000) && !second.contains(Protocol::Tcp, 3002));
        drop(second);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn claims_that_ended_or_cannot_be_read_are_ignored() {
        let text = "tcp 3000 10500\ntcp 3001 9999\nudp 53 x\n\u{fffd}\ntcp 70000 10500\ntcp 3002 99999\n";
        assert_eq!(parse(text, 10_000), [(Protocol::Tcp, 3000, 10_500)]);
    }
}
