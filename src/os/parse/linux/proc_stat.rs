//! /proc/PID/stat (proc_pid_stat(5)). Pure.

/// The facts in /proc/PID/stat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct Stat {
    /// The name of the main thread: 15 bytes at most, any bytes but NUL.
    pub(in crate::os) name: Vec<u8>,
    /// The letter of its state: R, S, D, T, t, Z, ...
    pub(in crate::os) state: char,
    pub(in crate::os) parent: u32,
    /// Its process group.
    pub(in crate::os) group: u32,
    /// Its session.
    pub(in crate::os) session: u32,
    /// Its start, in clock ticks since boot.
    pub(in crate::os) start: u64,
    /// The number of its controlling terminal, 0 for none.
    pub(in crate::os) terminal: u64,
    /// How many threads it has.
    pub(in crate::os) threads: u64,
    /// Whether it is a kernel thread.
    pub(in crate::os) kernel: bool,
}

/// Reads a /proc/PID/stat. The name may contain spaces and parentheses: it ends at the last parenthesis.
pub(in crate::os) fn parse_stat(bytes: &[u8]) -> Option<Stat> {
    const PF_KTHREAD: u64 = 0x0020_0000;
    let open = bytes.iter().position(|byte| *byte == b'(')?;
    let close = bytes.iter().rposition(|byte| *byte == b')')?;
    let name = bytes.get(open + 1..close)?.to_vec();
    let rest = std::str::from_utf8(bytes.get(close + 1..)?).ok()?;
    // The state is field 3 of proc_pid_stat(5).
    let field = |number: usize| rest.split_ascii_whitespace().nth(number - 3)?.parse::<u64>().ok();
    let id = |number: usize| u32::try_from(field(number)?).ok();
    Some(Stat {
        name,
        state: rest.split_ascii_whitespace().next()?.chars().next()?,
        parent: id(4)?,
        // Kernel threads have none of these two; some kernels write -1 for a process that ends at this moment.
        group: id(5).unwrap_or(0),
        session: id(6).unwrap_or(0),
        start: field(22)?,
        // A signed number, but those of terminals are small.
        terminal: field(7).unwrap_or(0),
        threads: field(20)?,
        kernel: field(9)? & PF_KTHREAD != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_look_like_the_rest_of_the_line() {
        let rest = " S 1 2 3 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 777 0 0";
        for name in ["node", "a)\n\u{1b}[31m", "(x", "", ") R 9 9", "a b"] {
            let stat = parse_stat(format!("42 ({name}){rest}").as_bytes()).unwrap();
            assert_eq!(stat.name, name.as_bytes());
            assert_eq!((stat.parent, stat.start, stat.kernel), (1, 777, false));
        }
        let kernel = b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0";
        assert!(parse_stat(kernel).unwrap().kernel);
        for torn in [&b""[..], b"42", b"42 (x", b"42 (x) S 1", b")("] {
            assert_eq!(parse_stat(torn), None);
        }
    }
}
