//! The likely holders of a socket among the processes whose descriptors may not be read: ranked, and reduced to a few.
//!
//! The user who opened a socket need not be the user who holds it: servers open ports as root and then become another
//! user, and sockets are passed on. Therefore no process is excluded because its user is not the root who opened a socket.

pub(in crate::os) mod expected_program;
pub(in crate::os) mod other_listeners;

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;
use std::sync::OnceLock;

use crate::model::compact::{CompactCollect as _, CompactSort as _};
use crate::model::{Candidate, Evidence, Text};
use crate::os::descriptors::sys::threads_for;
use crate::os::linux_api::procfs;
use crate::os::linux_api::procfs::Stat;
use crate::os::linux_api::user_namespace::OverflowUid;
use crate::os::parse::linux::cmdline::arguments;
use crate::os::parse::linux::{cgroup_file, proc_status};
use crate::os::parse::process_name;
use crate::os::process::sys::proc_handle::Directory;
use crate::os::process::sys::process_ref::LONGEST_COMMAND;
use crate::os::{ProgramWords, Row, threads};
use expected_program::ExpectedProgram;
use other_listeners::OtherListeners;

/// The most candidates that are named. A longer list is not useful.
const FEW: usize = 5;
/// A process whose descriptors may not be read.
pub(in crate::os) struct UnreadableProcess {
    pub(in crate::os) pid: u32,
    pub(in crate::os) parent: u32,
    pub(in crate::os) comm: Vec<u8>,
    facts: OnceLock<PublicFacts>,
}

/// The facts about such a process that every user may read. They are read only if they decide something.
struct PublicFacts {
    /// The real, effective, saved and file system user, without those that are not mapped here.
    uids: Vec<u32>,
    command: Vec<Text>,
    /// Its path in the cgroup v2 tree.
    cgroup: Option<Vec<u8>>,
}

impl UnreadableProcess {
    pub(in crate::os) fn new(pid: u32, stat: Stat) -> UnreadableProcess {
        UnreadableProcess { pid, parent: stat.parent, comm: stat.name, facts: OnceLock::new() }
    }

    fn facts(&self, overflow: Option<OverflowUid>) -> &PublicFacts {
        self.facts.get_or_init(|| {
            let directory = Directory::open(self.pid).ok();
            let read = |name| {
                let directory = directory.as_ref()?;
                procfs::read_record(directory, name, LONGEST_COMMAND).ok()
            };
            let uids = read("status").map(|status| proc_status::uids(&status)).unwrap_or_default();
            PublicFacts {
                uids: uids.into_iter().filter(|uid| overflow.is_none_or(|it| !it.matches(*uid))).collect(),
                command: arguments(&read("cmdline").unwrap_or_default()),
                cgroup: read("cgroup").and_then(|bytes| cgroup_file::unified(&bytes).map(<[u8]>::to_vec)),
            }
        })
    }

    fn named(&self, evidence: Evidence, overflow: Option<OverflowUid>) -> Candidate {
        let name = process_name::full_name(&self.comm, None, &self.facts(overflow).command);
        Candidate { pid: self.pid, name, evidence }
    }
}

/// All processes that may hold the sockets of one cgroup and user. Such sockets are often thousands, and most of them have
/// the same candidates.
pub(in crate::os) struct CandidatePool {
    /// Places among the unreadable processes, ascending, as their pids are.
    places: Vec<usize>,
    /// Why they were chosen; `None` if they are simply all unreadable processes.
    chosen_by: Option<Evidence>,
    /// The last part of the cgroup's path.
    unit: Option<Vec<u8>>,
    /// Every number in a command line of these processes that can be a port.
    numbers: OnceCell<BTreeSet<u16>>,
    /// The candidates for sockets that were asked about, by what distinguishes them.
    known: RefCell<BTreeMap<ExpectedProgram, Vec<Candidate>>>,
}

impl CandidatePool {
    fn new(places: Vec<usize>, chosen_by: Option<Evidence>, unit: Option<&[u8]>) -> CandidatePool {
        CandidatePool {
            places,
            chosen_by,
            unit: unit.map(<[u8]>::to_vec),
            numbers: OnceCell::new(),
            known: RefCell::default(),
        }
    }

    pub(in crate::os) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

/// Chooses among the unreadable processes.
pub(in crate::os) struct CandidateRanking<'a> {
    /// Ascending by their pids.
    pub(in crate::os) refused: &'a [UnreadableProcess],
    pub(in crate::os) overflow: Option<OverflowUid>,
    /// The words in the names of programs that serve a port.
    pub(in crate::os) program_words: ProgramWords,
    /// The cgroups and users that listen on other ports, read on first use.
    pub(in crate::os) other_listeners: &'a OnceCell<OtherListeners>,
}

impl<'a> CandidateRanking<'a> {
    /// Returns the processes that may hold a socket: those of its cgroup, else those of the user who opened it, unless that
    /// is root. `unit` is the last part of the cgroup's path.
    pub(in crate::os) fn pool(
        &self,
        uid: Option<u32>,
        members: &[u32],
        unit: Option<&[u8]>,
    ) -> CandidatePool {
        let places = |is_wanted: &dyn Fn(&UnreadableProcess) -> bool| {
            let refused = self.refused.iter().enumerate();
            refused.filter(|(_, refused)| is_wanted(refused)).map(|(at, _)| at).collect::<Vec<usize>>()
        };
        let in_cgroup = places(&|refused| members.binary_search(&refused.pid).is_ok());
        if !in_cgroup.is_empty() {
            return CandidatePool::new(in_cgroup, Some(Evidence::Cgroup), unit);
        }
        match uid {
            Some(uid) if uid != 0 => {
                self.read_facts(&(0..self.refused.len()).collect::<Vec<usize>>());
                let of_user = places(&|refused| refused.facts(self.overflow).uids.contains(&uid));
                CandidatePool::new(of_user, Some(Evidence::User), unit)
            }
            // Root may become any user; or the user is unknown here.
            _ => CandidatePool::new((0..self.refused.len()).collect(), None, unit),
        }
    }

    /// Reads the facts about these processes on several threads. Each is read on first use otherwise.
    fn read_facts(&self, places: &[usize]) {
        let (refused, overflow) = (self.refused, self.overflow);
        threads::map(places, threads_for(places.len()), |at| {
            if let Some(process) = refused.get(*at) {
                process.facts(overflow);
            }
        });
    }

    fn processes(&self, pool: &CandidatePool) -> impl Iterator<Item = &'a UnreadableProcess> {
        pool.places.iter().filter_map(|at| self.refused.get(*at))
    }

    /// Returns whether the parent of a process has the same name and is in the pool: the process is a server's worker then,
    /// which holds the same sockets.
    fn has_master_in(&self, pool: &CandidatePool, worker: &UnreadableProcess) -> bool {
        let process = |at: usize| self.refused.get(at);
        let parent =
            pool.places.binary_search_by_key(&Some(worker.parent), |at| process(*at).map(|one| one.pid));
        let parent = parent.ok().and_then(|at| process(*pool.places.get(at)?));
        parent.is_some_and(|parent| parent.comm == worker.comm)
    }

    /// Returns a few of a pool, the likeliest first; none if nothing distinguishes one of many.
    pub(in crate::os) fn candidates(&self, row: &Row, pool: &CandidatePool) -> Vec<Candidate> {
        let numbers = || {
            self.read_facts(&pool.places);
            let commands = self.processes(pool).flat_map(|refused| &refused.facts(self.overflow).command);
            commands.flat_map(|argument| expected_program::numbers(argument.as_bytes())).collect_set()
        };
        let numbers = pool.numbers.get_or_init(numbers);
        let expected = ExpectedProgram::new(row, pool.unit.as_deref(), self.program_words, numbers);
        let mut known = pool.known.borrow_mut();
        match known.get(&expected) {
            Some(candidates) => candidates.clone(),
            None => {
                let candidates = self.ranked(&expected, pool);
                known.insert(expected, candidates.clone());
                candidates
            }
        }
    }

    fn ranked(&self, expected: &ExpectedProgram, pool: &CandidatePool) -> Vec<Candidate> {
        let with_evidence =
            |refused: &'a UnreadableProcess| (expected.evidence(refused, self.overflow), refused);
        let mut processes: Vec<(Option<Evidence>, &UnreadableProcess)> =
            self.processes(pool).map(with_evidence).collect();
        // The pool is in the order of pids.
        processes.compact_sort_by_key(|(evidence, _)| ExpectedProgram::rank(*evidence));
        let named = |(evidence, refused): &(Option<Evidence>, &UnreadableProcess)| {
            let evidence = pool.chosen_by.or(*evidence).unwrap_or(Evidence::Unread);
            refused.named(evidence, self.overflow)
        };
        if processes.len() <= FEW {
            return processes.iter().map(named).collect();
        }
        processes.retain(|(_, refused)| !self.has_master_in(pool, refused));
        if processes.len() <= FEW || pool.chosen_by == Some(Evidence::Cgroup) {
            return processes.iter().take(FEW).map(named).collect();
        }
        let matching: Vec<Candidate> = processes
            .iter()
            .filter_map(|(evidence, refused)| Some(refused.named((*evidence)?, self.overflow)))
            .take(FEW)
            .collect();
        if !matching.is_empty() {
            return matching;
        }
        let other_listeners = self.other_listeners.get_or_init(OtherListeners::read);
        let listening: Vec<&UnreadableProcess> = processes
            .iter()
            .map(|(_, refused)| *refused)
            .filter(|refused| other_listeners.includes(refused.facts(self.overflow)))
            .collect();
        match listening.len() {
            1..=FEW => {
                listening.iter().map(|refused| refused.named(Evidence::Listens, self.overflow)).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Returns a candidate, with the name in the process's own directory.
pub(in crate::os) fn candidate(pid: u32, directory: impl AsFd, evidence: Evidence) -> Candidate {
    let command = procfs::read_record(&directory, "cmdline", LONGEST_COMMAND).unwrap_or_default();
    let comm = procfs::stat(&directory).map(|stat| stat.name).unwrap_or_default();
    Candidate { pid, name: process_name::full_name(&comm, None, &arguments(&command)), evidence }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: ProgramWords = ProgramWords(crate::port_info::program_words);

    fn process(pid: u32, parent: u32, name: &str, uid: u32, command: &str) -> UnreadableProcess {
        let command = command.split(' ').map(Text::from).collect();
        let facts = PublicFacts { uids: vec![uid; 4], command, cgroup: None };
        UnreadableProcess { pid, parent, comm: name.into(), facts: OnceLock::from(facts) }
    }

    fn row(port: u16, uid: u32) -> Row {
        let address = std::net::Ipv4Addr::LOCALHOST.into();
        let endpoint = crate::model::Endpoint::Ip { address, port, interface: None };
        let mut socket =
            crate::model::Socket::new(crate::model::Protocol::Tcp, endpoint, crate::model::State::Listen);
        socket.uid = Some(uid);
        Row { socket, pids: Vec::new(), cgroup: None, file: None, detail: Default::default(), cookie: None }
    }

    /// Nobody listens elsewhere.
    fn chosen(refused: &[UnreadableProcess], row: &Row, members: &[u32]) -> Vec<(u32, Evidence)> {
        let other_listeners = OnceCell::from(OtherListeners::default());
        let choice = CandidateRanking {
            refused,
            overflow: None,
            program_words: WORDS,
            other_listeners: &other_listeners,
        };
        let candidates = choice.candidates(row, &choice.pool(row.socket.uid, members, None));
        candidates.iter().map(|candidate| (candidate.pid, candidate.evidence)).collect()
    }

    #[test]
    fn processes_that_dropped_root_are_candidates_if_few() {
        let few = [process(1, 0, "init", 0, "init"), process(9, 1, "resolver", 65_534, "resolver")];
        assert_eq!(chosen(&few, &row(9453, 0), &[]), [(1, Evidence::Unread), (9, Evidence::Unread)]);
        let many: Vec<UnreadableProcess> =
            (1..40).map(|pid| process(pid, 0, "x", if pid == 20 { 65_534 } else { 0 }, "x")).collect();
        assert_eq!(chosen(&many, &row(9453, 0), &[]), []);
    }

    #[test]
    fn what_speaks_for_a_process_ranks_it_first() {
        let mut many: Vec<UnreadableProcess> = (1..40).map(|pid| process(pid, 0, "x", 0, "x")).collect();
        many.push(process(50, 1, "sshd", 0, "sshd: /usr/sbin/sshd -D"));
        many.push(process(60, 1, "python3", 7, "python3 -m http.server --bind 0.0.0.0:22"));
        let wanted = [(60, Evidence::Arguments), (50, Evidence::Name)];
        assert_eq!(chosen(&many, &row(22, 0), &[]), wanted);
        assert_eq!(chosen(&many, &row(9453, 0), &[]), []);
        let of_cgroup = [(50, Evidence::Cgroup), (2, Evidence::Cgroup), (3, Evidence::Cgroup)];
        assert_eq!(chosen(&many, &row(22, 0), &[2, 3, 50]), of_cgroup);
    }

    #[test]
    fn processes_of_a_user_other_than_root_are_candidates() {
        let few = [process(1, 0, "init", 0, "init"), process(9, 1, "postgres", 112, "postgres -D /data")];
        assert_eq!(chosen(&few, &row(5432, 112), &[]), [(9, Evidence::User)]);
        assert_eq!(chosen(&few, &row(5432, 113), &[]), []);
    }

    #[test]
    fn listening_on_other_ports_ranks_a_candidate() {
        let refused: Vec<UnreadableProcess> =
            (1..40).map(|pid| process(pid, 0, "x", 100 + pid, "x")).collect();
        let users = BTreeSet::from([120]);
        let other_listeners = OnceCell::from(OtherListeners { cgroups: BTreeSet::new(), users });
        let choice = CandidateRanking {
            refused: &refused,
            overflow: None,
            program_words: WORDS,
            other_listeners: &other_listeners,
        };
        let row = row(9453, 0);
        let candidates = choice.candidates(&row, &choice.pool(row.socket.uid, &[], None));
        assert_eq!(candidates.len(), 1);
        assert_eq!((candidates[0].pid, candidates[0].evidence), (20, Evidence::Listens));
    }

    /// The second socket of a pool is answered from the first if nothing distinguishes it.
    #[test]
    fn sockets_of_one_pool_share_candidates_unless_their_ports_differ_in_evidence() {
        let mut refused: Vec<UnreadableProcess> = (1..40).map(|pid| process(pid, 0, "x", 0, "x")).collect();
        refused.push(process(50, 1, "sshd", 0, "sshd"));
        refused.push(process(60, 1, "app", 0, "app --listen 0.0.0.0:9453 --name x22"));
        let other_listeners = OnceCell::from(OtherListeners::default());
        let choice = CandidateRanking {
            refused: &refused,
            overflow: None,
            program_words: WORDS,
            other_listeners: &other_listeners,
        };
        let pool = choice.pool(Some(0), &[], None);
        let pids = |port| {
            let candidates = choice.candidates(&row(port, 0), &pool);
            candidates.iter().map(|candidate| candidate.pid).collect::<Vec<_>>()
        };
        assert_eq!((pids(60_001), pids(9453), pids(22), pids(60_002)), (vec![], vec![60], vec![50], vec![]));
        assert_eq!(pool.known.borrow().len(), 3, "the first and the last socket are alike");
        assert_eq!((pids(60_001), pids(9453), pids(22)), (vec![], vec![60], vec![50]));
    }

    #[test]
    fn workers_are_left_to_their_master() {
        let process = |pid, parent, name| process(pid, parent, name, 0, name);
        let all =
            [process(1, 0, "init"), process(5, 1, "nginx"), process(6, 5, "nginx"), process(7, 5, "sh")];
        let other_listeners = OnceCell::new();
        let choice = CandidateRanking {
            refused: &all,
            overflow: None,
            program_words: WORDS,
            other_listeners: &other_listeners,
        };
        let pool = choice.pool(None, &[], None);
        let left = all.iter().filter(|refused| !choice.has_master_in(&pool, refused));
        assert_eq!(left.map(|refused| refused.pid).collect::<Vec<_>>(), [1, 5, 7]);
    }
}
