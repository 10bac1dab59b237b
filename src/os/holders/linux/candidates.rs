//! Which of the processes that may not be looked into are likely to hold a socket: ranked, and cut to the few that help.
//!
//! Who opened a socket need not be who holds it: servers open ports as root and then become another user, and sockets
//! are handed on. So nobody is excluded for being another user than root, who opened a socket.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use crate::model::{Candidate, Evidence, Family, Protocol, Text};
use crate::os::Row;
use crate::os::namespaces::sys::user_namespace::OverflowUid;
use crate::os::parse::process_name;
use crate::os::process::sys::proc_handle::Directory;
use crate::os::process::sys::process_ref::{LONGEST_COMMAND, arguments};
use crate::os::services::sys::cgroup;
use crate::os::table::netstat2::Table;
use crate::os::table::sys::inet_diag;
use crate::os::table::sys::inet_diag::States;
use crate::os::table::sys::procfs;
use crate::os::table::sys::procfs::Stat;
use crate::port_info;

/// The most candidates that are named. More of them tell a person nothing.
const FEW: usize = 5;
/// Shorter numbers than this stand in many command lines for something else than a port.
const DIGITS_THAT_TELL: usize = 4;

/// A process whose descriptors may not be read.
pub(in crate::os) struct Refused {
    pub(in crate::os) pid: u32,
    pub(in crate::os) parent: u32,
    pub(in crate::os) comm: Vec<u8>,
    facts: OnceCell<Facts>,
}

/// What anybody may know of such a process. Read only where it decides something.
struct Facts {
    /// The real, effective, saved and file system user, without those that have no number here.
    uids: Vec<u32>,
    command: Vec<Text>,
    /// Its path in the cgroup v2 tree.
    cgroup: Option<Vec<u8>>,
}

impl Refused {
    pub(in crate::os) fn new(pid: u32, stat: Stat) -> Refused {
        Refused { pid, parent: stat.parent, comm: stat.name, facts: OnceCell::new() }
    }

    fn facts(&self, overflow: Option<OverflowUid>) -> &Facts {
        self.facts.get_or_init(|| {
            let directory = Directory::open(self.pid).ok();
            let read = |name| {
                let directory = directory.as_ref()?;
                procfs::read_at(directory, name, LONGEST_COMMAND).ok()
            };
            let uids = read("status").map(|status| uids(&status)).unwrap_or_default();
            Facts {
                uids: uids.into_iter().filter(|uid| overflow.is_none_or(|it| !it.is(*uid))).collect(),
                command: arguments(&read("cmdline").unwrap_or_default()),
                cgroup: read("cgroup").and_then(|bytes| cgroup::unified(&bytes).map(<[u8]>::to_vec)),
            }
        })
    }

    fn named(&self, evidence: Evidence, overflow: Option<OverflowUid>) -> Candidate {
        let name = process_name::full_name(&self.comm, None, &self.facts(overflow).command);
        Candidate { pid: self.pid, name, evidence }
    }
}

/// The line `Uid:` of /proc/PID/status: real, effective, saved and file system user.
fn uids(status: &[u8]) -> Vec<u32> {
    let line = status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"Uid:"));
    let text = line.and_then(|line| std::str::from_utf8(line).ok()).unwrap_or_default();
    text.split_ascii_whitespace().filter_map(|uid| uid.parse().ok()).collect()
}

/// The processes that may hold a socket, all of them.
pub(in crate::os) struct Pool<'a> {
    processes: Vec<&'a Refused>,
    /// By what they were chosen; `None` if they are merely all that could not be looked into.
    chosen_by: Option<Evidence>,
}

impl Pool<'_> {
    pub(in crate::os) fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }
}

/// Chooses from the processes that may not be looked into.
pub(in crate::os) struct Choice<'a> {
    pub(in crate::os) refused: &'a [Refused],
    pub(in crate::os) overflow: Option<OverflowUid>,
    /// Paths of cgroups and users that listen on some port here.
    pub(in crate::os) elsewhere: &'a OnceCell<Elsewhere>,
}

impl<'a> Choice<'a> {
    /// Those that may hold the socket: of its cgroup, else of the user who opened it, if that is not root.
    pub(in crate::os) fn pool(&self, row: &Row, members: &[u32]) -> Pool<'a> {
        let in_cgroup = self.refused.iter().filter(|refused| members.binary_search(&refused.pid).is_ok());
        let in_cgroup: Vec<&Refused> = in_cgroup.collect();
        if !in_cgroup.is_empty() {
            return Pool { processes: in_cgroup, chosen_by: Some(Evidence::Cgroup) };
        }
        match row.socket.uid {
            Some(uid) if uid != 0 => {
                let is_users = |refused: &&Refused| refused.facts(self.overflow).uids.contains(&uid);
                let processes = self.refused.iter().filter(is_users).collect();
                Pool { processes, chosen_by: Some(Evidence::User) }
            }
            // Root, who may become anybody; or a user who is not known here.
            _ => Pool { processes: self.refused.iter().collect(), chosen_by: None },
        }
    }

    /// The few of a pool that help, the likeliest first. None if nothing tells one from many.
    pub(in crate::os) fn candidates(
        &self,
        row: &Row,
        pool: &Pool<'_>,
        unit: Option<&[u8]>,
    ) -> Vec<Candidate> {
        let service = Service::of(row, unit);
        let own = |refused: &Refused| match pool.chosen_by {
            Some(evidence) => evidence,
            None => service.evidence(refused, self.overflow).unwrap_or(Evidence::Unread),
        };
        let rank = |refused: &&Refused| (service.rank(refused, self.overflow), refused.pid);
        let mut processes = pool.processes.clone();
        processes.sort_by_cached_key(rank);
        if processes.len() <= FEW {
            return processes.iter().map(|refused| refused.named(own(refused), self.overflow)).collect();
        }
        let processes = without_workers(&processes);
        if processes.len() <= FEW || pool.chosen_by == Some(Evidence::Cgroup) {
            let few = processes.iter().take(FEW);
            return few.map(|refused| refused.named(own(refused), self.overflow)).collect();
        }
        let matching: Vec<Candidate> = processes
            .iter()
            .filter_map(|refused| {
                Some(refused.named(service.evidence(refused, self.overflow)?, self.overflow))
            })
            .take(FEW)
            .collect();
        if !matching.is_empty() {
            return matching;
        }
        let elsewhere = self.elsewhere.get_or_init(Elsewhere::read);
        let listening: Vec<&&Refused> =
            processes.iter().filter(|refused| elsewhere.has(refused.facts(self.overflow))).collect();
        match listening.len() {
            1..=FEW => {
                listening.iter().map(|refused| refused.named(Evidence::Listens, self.overflow)).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// The processes without those whose parent is among them under the same name: a server's workers, who hold what it
/// holds.
fn without_workers<'a>(processes: &[&'a Refused]) -> Vec<&'a Refused> {
    let names: BTreeSet<(u32, &[u8])> =
        processes.iter().map(|refused| (refused.pid, refused.comm.as_slice())).collect();
    let is_worker = |refused: &&&Refused| names.contains(&(refused.parent, refused.comm.as_slice()));
    processes.iter().filter(|refused| !is_worker(refused)).copied().collect()
}

/// What the program behind a port is likely to be called.
struct Service {
    port: Option<u16>,
    words: Vec<String>,
}

impl Service {
    /// By the port's registered and common services, and by the unit the socket belongs to.
    fn of(row: &Row, unit: Option<&[u8]>) -> Service {
        let port = row.socket.endpoint.port();
        let mut words = port.map(|port| program_words(port, row.socket.protocol)).unwrap_or_default();
        let unit = unit.and_then(|name| std::str::from_utf8(name).ok());
        let unit = unit.and_then(|name| name.strip_suffix(".service")).map(|name| name.split('@').next());
        words.extend(unit.flatten().map(str::to_ascii_lowercase));
        Service { port, words }
    }

    /// What speaks for a process: its command line names the port, or it is called like the service.
    fn evidence(&self, refused: &Refused, overflow: Option<OverflowUid>) -> Option<Evidence> {
        let names_port = || {
            let port = self.port?.to_string();
            let command = &refused.facts(overflow).command;
            command.iter().any(|argument| names_port(argument.as_bytes(), &port)).then_some(())
        };
        if names_port().is_some() {
            return Some(Evidence::Arguments);
        }
        let comm = String::from_utf8_lossy(&refused.comm).to_ascii_lowercase();
        self.words.iter().any(|word| is_named_for(&comm, word)).then_some(Evidence::Name)
    }

    fn rank(&self, refused: &Refused, overflow: Option<OverflowUid>) -> u8 {
        match self.evidence(refused, overflow) {
            Some(Evidence::Arguments) => 0,
            Some(_) => 1,
            None => 2,
        }
    }
}

/// Words that many services have in their names, so that they mean no program.
const COMMON_PARTS: [&str; 16] = [
    "admin",
    "alt",
    "alternate",
    "api",
    "control",
    "data",
    "debug",
    "default",
    "dev",
    "proxy",
    "remote",
    "server",
    "service",
    "system",
    "udp",
    "web",
];

/// Words that the name of a program may have which serves this port: of its registered services and its common uses, in
/// lower case, each once.
fn program_words(port: u16, protocol: Protocol) -> Vec<String> {
    let about = port_info::about(port);
    let mut names: Vec<&str> = Vec::new();
    if let port_info::Registration::Assigned(services) = about.registration(protocol) {
        // A range of its own says little of a program.
        names.extend(services.iter().filter(|one| one.range.is_none()).map(|one| one.name));
    }
    names.extend(about.uses.iter().filter(|one| one.protocol == protocol).map(|one| one.tool));
    let words = names.iter().flat_map(|name| name.split(|letter: char| !letter.is_ascii_alphanumeric()));
    let mut words: Vec<String> = words.filter(|word| word.len() > 2).map(str::to_ascii_lowercase).collect();
    words.retain(|word| !COMMON_PARTS.contains(&word.as_str()));
    words.sort_unstable();
    words.dedup();
    words
}

/// Whether an argument names a port: `8080`, `--port=8080`, `0.0.0.0:8080`. A short number does so after a colon alone.
fn names_port(argument: &[u8], port: &str) -> bool {
    let digits = port.as_bytes();
    argument.windows(digits.len()).enumerate().any(|(at, window)| {
        let before = at.checked_sub(1).and_then(|before| argument.get(before));
        let after = argument.get(at + digits.len());
        let ends = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'.');
        window == digits
            && ends(before)
            && ends(after)
            && (digits.len() >= DIGITS_THAT_TELL || before == Some(&b':'))
    })
}

/// Whether a program of this name may be the one of a service: `sshd` of `ssh`, `postgres` of `postgresql`.
fn is_named_for(program: &str, service: &str) -> bool {
    const TELLING: usize = 4;
    let begins = |whole: &str, start: &str| start.len() >= TELLING && whole.starts_with(start);
    !service.is_empty()
        && (program == service
            || program.strip_suffix('d') == Some(service)
            || begins(program, service)
            || begins(service, program))
}

/// Cgroups and users that listen on some TCP or UDP port here.
#[derive(Default)]
pub(in crate::os) struct Elsewhere {
    cgroups: BTreeSet<Vec<u8>>,
    users: BTreeSet<u32>,
}

impl Elsewhere {
    fn read() -> Elsewhere {
        let tables = [Protocol::Tcp, Protocol::Udp]
            .into_iter()
            .flat_map(|protocol| [Family::Ipv4, Family::Ipv6].map(|family| Table { protocol, family }));
        let entries: Vec<inet_diag::Entry> = tables
            .filter_map(|table| inet_diag::sockets(table, States::Listeners, None).ok())
            .flatten()
            .collect();
        let mut ids: Vec<u64> = entries.iter().filter_map(|entry| entry.cgroup).collect();
        ids.sort_unstable();
        ids.dedup();
        let cgroups = cgroup::paths(&ids).into_values().map(|found| found.path);
        Elsewhere {
            cgroups: cgroups.filter(|path| path != b"/").collect(),
            users: entries.iter().map(|entry| entry.uid).filter(|uid| *uid != 0).collect(),
        }
    }

    fn has(&self, facts: &Facts) -> bool {
        facts.cgroup.as_ref().is_some_and(|path| self.cgroups.contains(path))
            || facts.uids.iter().any(|uid| self.users.contains(uid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_of_a_process() {
        assert_eq!(uids(b"Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t5\t5\t5\t5\n"), [1, 2, 3, 4]);
        assert_eq!(uids(b"Name:\tUid:\n"), [] as [u32; 0]);
    }

    #[test]
    fn an_argument_that_names_a_port() {
        for argument in ["8080", "--port=8080", "0.0.0.0:8080", "[::]:8080", "-p8080x 8080", "tcp/8080"] {
            assert!(names_port(argument.as_bytes(), "8080"), "{argument}");
        }
        for argument in ["18080", "80801", "x8080", "8080ms", "1.8080", "8080.5", "", "808"] {
            assert!(!names_port(argument.as_bytes(), "8080"), "{argument}");
        }
        assert!(names_port(b"127.0.0.1:53", "53"));
        assert!(!names_port(b"53", "53") && !names_port(b"--threads=53", "53"));
    }

    #[test]
    fn a_program_that_is_named_for_a_service() {
        for (program, service) in
            [("sshd", "ssh"), ("postgres", "postgresql"), ("httpd", "http"), ("redis-server", "redis")]
        {
            assert!(is_named_for(program, service), "{program} {service}");
        }
        for (program, service) in [("sh", "ssh"), ("bash", "ssh"), ("d", ""), ("named", "domain")] {
            assert!(!is_named_for(program, service), "{program} {service}");
        }
    }

    fn process(pid: u32, parent: u32, name: &str, uid: u32, command: &str) -> Refused {
        let command = command.split(' ').map(Text::from).collect();
        let facts = Facts { uids: vec![uid; 4], command, cgroup: None };
        Refused { pid, parent, comm: name.into(), facts: OnceCell::from(facts) }
    }

    fn row(port: u16, uid: u32) -> Row {
        let address = std::net::Ipv4Addr::LOCALHOST.into();
        let endpoint = crate::model::Endpoint::Ip { address, port, interface: None };
        let mut socket = crate::model::Socket::new(Protocol::Tcp, endpoint, crate::model::State::Listen);
        socket.uid = Some(uid);
        Row { socket, pids: Vec::new(), cgroup: None, file: None, detail: Default::default() }
    }

    /// Nobody listens elsewhere.
    fn chosen(refused: &[Refused], row: &Row, members: &[u32]) -> Vec<(u32, Evidence)> {
        let elsewhere = OnceCell::from(Elsewhere::default());
        let choice = Choice { refused, overflow: None, elsewhere: &elsewhere };
        let candidates = choice.candidates(row, &choice.pool(row, members), None);
        candidates.iter().map(|candidate| (candidate.pid, candidate.evidence)).collect()
    }

    #[test]
    fn who_dropped_root_is_among_few_and_nobody_among_many() {
        let few = [process(1, 0, "init", 0, "init"), process(9, 1, "resolver", 65_534, "resolver")];
        assert_eq!(chosen(&few, &row(9453, 0), &[]), [(1, Evidence::Unread), (9, Evidence::Unread)]);
        let many: Vec<Refused> =
            (1..40).map(|pid| process(pid, 0, "x", if pid == 20 { 65_534 } else { 0 }, "x")).collect();
        assert_eq!(chosen(&many, &row(9453, 0), &[]), []);
    }

    #[test]
    fn what_speaks_for_a_process_ranks_it_first() {
        let mut many: Vec<Refused> = (1..40).map(|pid| process(pid, 0, "x", 0, "x")).collect();
        many.push(process(50, 1, "sshd", 0, "sshd: /usr/sbin/sshd -D"));
        many.push(process(60, 1, "python3", 7, "python3 -m http.server --bind 0.0.0.0:22"));
        let wanted = [(60, Evidence::Arguments), (50, Evidence::Name)];
        assert_eq!(chosen(&many, &row(22, 0), &[]), wanted);
        assert_eq!(chosen(&many, &row(9453, 0), &[]), []);
        let of_cgroup = [(50, Evidence::Cgroup), (2, Evidence::Cgroup), (3, Evidence::Cgroup)];
        assert_eq!(chosen(&many, &row(22, 0), &[2, 3, 50]), of_cgroup);
    }

    #[test]
    fn a_user_other_than_root_is_taken_at_its_word() {
        let few = [process(1, 0, "init", 0, "init"), process(9, 1, "postgres", 112, "postgres -D /data")];
        assert_eq!(chosen(&few, &row(5432, 112), &[]), [(9, Evidence::User)]);
        assert_eq!(chosen(&few, &row(5432, 113), &[]), []);
    }

    #[test]
    fn one_of_many_is_told_by_its_listening_elsewhere() {
        let refused: Vec<Refused> = (1..40).map(|pid| process(pid, 0, "x", 100 + pid, "x")).collect();
        let users = BTreeSet::from([120]);
        let elsewhere = OnceCell::from(Elsewhere { cgroups: BTreeSet::new(), users });
        let choice = Choice { refused: &refused, overflow: None, elsewhere: &elsewhere };
        let row = row(9453, 0);
        let candidates = choice.candidates(&row, &choice.pool(&row, &[]), None);
        assert_eq!(candidates.len(), 1);
        assert_eq!((candidates[0].pid, candidates[0].evidence), (20, Evidence::Listens));
    }

    #[test]
    fn workers_are_left_to_their_master() {
        let process = |pid, parent, name| process(pid, parent, name, 0, name);
        let all =
            [process(1, 0, "init"), process(5, 1, "nginx"), process(6, 5, "nginx"), process(7, 5, "sh")];
        let left = without_workers(&all.iter().collect::<Vec<_>>());
        assert_eq!(left.iter().map(|refused| refused.pid).collect::<Vec<_>>(), [1, 5, 7]);
    }
}
