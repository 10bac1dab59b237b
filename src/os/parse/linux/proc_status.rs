//! /proc/PID/status (proc_pid_status(5)). Pure.

/// Returns the value of a field. `None` if there is no such field, or if it is not UTF-8.
pub(in crate::os) fn field<'a>(status: &'a [u8], name: &str) -> Option<&'a str> {
    let value = |line: &'a [u8]| line.strip_prefix(name.as_bytes())?.strip_prefix(b":");
    let value = status.split(|byte| *byte == b'\n').find_map(value)?;
    std::str::from_utf8(value).ok().map(str::trim)
}

/// Returns the real, effective, saved and file system user.
pub(in crate::os) fn uids(status: &[u8]) -> Vec<u32> {
    let uids = field(status, "Uid").unwrap_or_default();
    uids.split_ascii_whitespace().filter_map(|uid| uid.parse().ok()).collect()
}

/// Returns the number of pid namespaces that the process has a pid in, from that of /proc down to its own. `None` on
/// kernels that do not report it.
pub(in crate::os) fn pid_namespaces(status: &[u8]) -> Option<usize> {
    Some(field(status, "NSpid")?.split_ascii_whitespace().count())
}

/// What may forbid a process a system call.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::os) struct Restrictions {
    /// The bits of its effective capabilities.
    pub(in crate::os) capabilities: Option<u64>,
    /// Whether it has a seccomp filter, or the strict mode.
    pub(in crate::os) seccomp: Option<bool>,
    pub(in crate::os) no_new_privileges: Option<bool>,
}

impl Restrictions {
    /// Parses the file of a process or thread.
    pub(in crate::os) fn parse(status: &[u8]) -> Restrictions {
        Restrictions {
            capabilities: field(status, "CapEff").and_then(|value| u64::from_str_radix(value, 16).ok()),
            seccomp: field(status, "Seccomp").map(|value| value != "0"),
            no_new_privileges: field(status, "NoNewPrivs").map(|value| value == "1"),
        }
    }
}

/// What concerns the stops of a process.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::os) struct Stops {
    /// The process that the thread belongs to.
    pub(in crate::os) process: Option<u32>,
    /// The thread that traces it.
    pub(in crate::os) tracer: Option<u32>,
    /// The number of times that its first thread was taken off a processor.
    switches: u64,
}

impl Stops {
    /// Parses the file of a process or thread.
    pub(in crate::os) fn parse(status: &[u8]) -> Stops {
        let number = |name: &str| field(status, name)?.parse::<u64>().ok();
        let switches = ["voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"];
        let pid = |name: &str| number(name).and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid != 0);
        Stops {
            process: pid("Tgid"),
            tracer: pid("TracerPid"),
            switches: switches.into_iter().filter_map(number).fold(0, u64::wrapping_add),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields() {
        let status =
            b"Name:\tx\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\nCapEff:\t0000000000000400\n";
        assert_eq!(field(status, "NoNewPrivs"), Some("1"));
        assert_eq!(field(status, "Seccomp"), Some("2"));
        assert_eq!(field(status, "Sec"), None);
        assert_eq!(
            Restrictions::parse(status),
            Restrictions { capabilities: Some(1 << 10), seccomp: Some(true), no_new_privileges: Some(true) }
        );
        let nothing = Restrictions { capabilities: None, seccomp: None, no_new_privileges: None };
        assert_eq!(Restrictions::parse(b"CapEff:\tx\n"), nothing);
    }

    #[test]
    fn users_of_a_process() {
        assert_eq!(uids(b"Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t5\t5\t5\t5\n"), [1, 2, 3, 4]);
        assert_eq!(uids(b"Name:\tUid:\n"), [] as [u32; 0]);
    }

    #[test]
    fn one_pid_for_each_namespace() {
        assert_eq!(pid_namespaces(b"Name:\tx\nNSpid:\t812\nNSpgid:\t812\t1\n"), Some(1));
        assert_eq!(pid_namespaces(b"NStgid:\t812\nNSpid:\t812\t2\t1\n"), Some(3));
        assert_eq!(pid_namespaces(b"Name:\tNSpid: 1 2\nPid:\t812\n"), None);
        assert_eq!(pid_namespaces(b""), None);
    }

    #[test]
    fn who_traces_a_process() {
        let status = b"Name:\tx\nTgid:\t41\nPid:\t42\nTracerPid:\t7\n\
            voluntary_ctxt_switches:\t3\nnonvoluntary_ctxt_switches:\t4\n";
        assert_eq!(Stops::parse(status), Stops { process: Some(41), tracer: Some(7), switches: 7 });
        assert_eq!(Stops::parse(b"TracerPid:\t0\n").tracer, None);
    }

    proptest! {
        #[test]
        fn any_status(bytes: Vec<u8>) {
            let _ = (Stops::parse(&bytes), uids(&bytes), pid_namespaces(&bytes), field(&bytes, ""));
        }
    }
}
