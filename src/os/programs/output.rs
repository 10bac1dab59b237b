//! Runs a program of the system and returns its output, within a time limit.

use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::os::threads;

/// Runs a program and returns what it prints. One that has not ended by then is ended.
///
/// # Errors
/// If it cannot be started, does not end in time, or ends with another status than 0.
pub(in crate::os) fn program_output(command: &mut Command, longest: Duration) -> io::Result<Vec<u8>> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let mut out = child.stdout.take();
    let (send, printed) = mpsc::channel();
    let read = move || {
        let mut printed = Vec::new();
        let read = out.as_mut().map_or(Ok(0), |out| out.read_to_end(&mut printed)).map(|_| printed);
        let _ = send.send(read);
    };
    if let Err(error) = threads::detach("program-output", read) {
        child.kill()?;
        child.wait()?;
        return Err(error);
    }
    let until = Instant::now() + longest;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if Instant::now() < until => thread::sleep(Duration::from_millis(5)),
            None => {
                // It is our own child, and not waited for yet.
                child.kill()?;
                child.wait()?;
                return Err(io::Error::new(io::ErrorKind::TimedOut, "it did not end in time"));
            }
        }
    };
    match (status.success(), printed.recv()) {
        (true, Ok(printed)) => printed,
        (true, Err(_)) => Err(io::Error::other("what it printed could not be read")),
        (false, _) => Err(io::Error::other(status.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(5);

    fn shell(unix: &str, windows: &str) -> Command {
        let (program, option, line) = if cfg!(windows) { ("cmd", "/c", windows) } else { ("sh", "-c", unix) };
        let mut command = Command::new(program);
        command.args([option, line]);
        command
    }

    #[test]
    fn what_a_program_prints_is_read_to_its_end() {
        let printed = program_output(&mut shell("echo 80", "echo 80"), LONGEST).unwrap();
        assert_eq!(printed.trim_ascii(), b"80");
        assert!(program_output(&mut shell("exit 3", "exit 3"), LONGEST).is_err());
        assert!(program_output(&mut Command::new("allears-is-no-such-program"), LONGEST).is_err());
    }

    #[test]
    fn one_that_does_not_end_is_not_waited_for() {
        let began = Instant::now();
        let mut endless = shell("exec sleep 1000", "for /l %i in (1,0,2) do @ver>nul");
        let error = program_output(&mut endless, Duration::from_millis(100)).unwrap_err();
        assert!(
            error.kind() == io::ErrorKind::TimedOut && began.elapsed() < Duration::from_secs(30),
            "{error}"
        );
    }
}
