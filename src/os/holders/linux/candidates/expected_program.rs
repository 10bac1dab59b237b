//! The program that probably serves a port: by its registered services, its common uses and its unit.

use std::collections::BTreeSet;

use super::UnreadableProcess;
use crate::model::Evidence;
use crate::os::linux_api::user_namespace::OverflowUid;
use crate::os::{ProgramWords, Row};

/// In many command lines, a number with fewer digits than this is something other than a port.
const FEWEST_DIGITS: usize = 4;

/// What is known about the program behind a port, as far as it distinguishes the processes of a pool.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ExpectedProgram {
    /// In digits, if a command line of the pool has this number.
    port: Option<String>,
    /// In lower case.
    words: Vec<String>,
}

impl ExpectedProgram {
    /// Returns the likely names by the port's registered services and common uses, and by the unit that the socket belongs to.
    /// `numbers` are those in the command lines of the pool.
    pub(super) fn new(
        row: &Row,
        unit: Option<&[u8]>,
        words: ProgramWords,
        numbers: &BTreeSet<u16>,
    ) -> ExpectedProgram {
        let port = row.socket.endpoint.port();
        let mut words = port.map(|port| words.for_port(port, row.socket.protocol)).unwrap_or_default();
        let unit = unit.and_then(|name| std::str::from_utf8(name).ok());
        let unit = unit.and_then(|name| name.strip_suffix(".service")).map(|name| name.split('@').next());
        words.extend(unit.flatten().map(str::to_ascii_lowercase));
        let port = port.filter(|port| numbers.contains(port));
        ExpectedProgram { port: port.map(|port| port.to_string()), words }
    }

    /// Returns the evidence for a process: its command line names the port, or it is named for the service.
    pub(super) fn evidence(
        &self,
        refused: &UnreadableProcess,
        overflow: Option<OverflowUid>,
    ) -> Option<Evidence> {
        let is_named = |port: &String| {
            let command = &refused.facts(overflow).command;
            command.iter().any(|argument| names_port(argument.as_bytes(), port))
        };
        if self.port.as_ref().is_some_and(is_named) {
            return Some(Evidence::Arguments);
        }
        self.words.iter().any(|word| is_named_for(&refused.comm, word)).then_some(Evidence::Name)
    }

    /// Returns the rank of a process by the evidence for it; the best is 0.
    pub(super) fn rank(evidence: Option<Evidence>) -> u8 {
        match evidence {
            Some(Evidence::Arguments) => 0,
            Some(_) => 1,
            None => 2,
        }
    }
}

/// Returns the numbers in an argument that can be ports: every port that [`names_port`] finds in it is one of them.
pub(super) fn numbers(argument: &[u8]) -> impl Iterator<Item = u16> {
    let runs = argument.split(|byte| !byte.is_ascii_digit());
    runs.filter_map(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
}

/// Returns whether an argument names a port: `8080`, `--port=8080`, `0.0.0.0:8080`. A short number must follow a colon.
fn names_port(argument: &[u8], port: &str) -> bool {
    let digits = port.as_bytes();
    let ends = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'.');
    let begins = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| argument.get(before));
        let after = argument.get(at..).and_then(|rest| rest.strip_prefix(digits)).map(<[u8]>::first);
        after.is_some_and(ends) && ends(before) && (digits.len() >= FEWEST_DIGITS || before == Some(&b':'))
    };
    (0..argument.len()).any(begins)
}

/// Returns whether a program may be named for a service: `sshd` for `ssh`, `postgres` for `postgresql`. Case is ignored.
fn is_named_for(program: &[u8], service: &str) -> bool {
    const SHORTEST: usize = 4;
    let service = service.as_bytes();
    let begins = |whole: &[u8], start: &[u8]| {
        start.len() >= SHORTEST
            && whole.get(..start.len()).is_some_and(|whole| whole.eq_ignore_ascii_case(start))
    };
    let is_daemon = || match program.split_last() {
        Some((b'd' | b'D', name)) => name.eq_ignore_ascii_case(service),
        _ => false,
    };
    !service.is_empty()
        && (program.eq_ignore_ascii_case(service)
            || is_daemon()
            || begins(program, service)
            || begins(service, program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_that_names_a_port() {
        for argument in ["8080", "--port=8080", "0.0.0.0:8080", "[::]:8080", "-p8080x 8080", "tcp/8080"] {
            assert!(names_port(argument.as_bytes(), "8080"), "{argument}");
            assert!(numbers(argument.as_bytes()).any(|number| number == 8080), "{argument}");
        }
        for argument in ["18080", "80801", "x8080", "8080ms", "1.8080", "8080.5", "", "808"] {
            assert!(!names_port(argument.as_bytes(), "8080"), "{argument}");
        }
        assert!(names_port(b"127.0.0.1:53", "53"));
        assert_eq!(numbers(b"127.0.0.1:53 70000 x9").collect::<Vec<_>>(), [127, 0, 0, 1, 53, 9]);
        assert!(!names_port(b"53", "53") && !names_port(b"--threads=53", "53"));
    }

    #[test]
    fn a_program_that_is_named_for_a_service() {
        for (program, service) in [
            ("sshd", "ssh"),
            ("postgres", "postgresql"),
            ("httpd", "http"),
            ("redis-server", "redis"),
            ("SSHD", "ssh"),
        ] {
            assert!(is_named_for(program.as_bytes(), service), "{program} {service}");
        }
        for (program, service) in [("sh", "ssh"), ("bash", "ssh"), ("d", ""), ("named", "domain")] {
            assert!(!is_named_for(program.as_bytes(), service), "{program} {service}");
        }
    }
}
