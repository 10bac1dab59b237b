//! The stages after selection, which every scan of holders runs: holders, facts about them, the join, the steps that
//! enrich.

use crate::enrich::containers::{ContainerLookup, monitors};
use crate::enrich::{notes, program_labels, services, users};
use crate::model::compact::{self, CompactCollect as _};
use crate::model::{Connection, Error, Gap, HolderMethod, HolderSearch, Listener};
use crate::os::{self, Holders, Origin, ProgramWords, Row, UnreadProcesses};
use crate::port_info;

use super::join::{ConnectionIndex, Processes, join};

/// What a request wants of the stages after selection.
pub(super) struct Scan<'a, 'r> {
    /// How holders are searched for.
    pub(super) search: HolderSearch,
    /// Whether all ancestors of a holder are described, or its parent only.
    pub(super) ancestors: bool,
    /// Whether services are also read from managers that were not seen to hold a socket, and from the monitors of
    /// containers. A verdict and a plan need them, a list does not.
    pub(super) thorough: bool,
    /// Whether notes are added. A list shows them, a verdict does not.
    pub(super) notes: bool,
    /// Names containers. `None` leaves them unnamed, and no runtime is contacted.
    pub(super) containers: Option<&'a mut ContainerLookup<'r>>,
}

/// What the stages found.
pub(super) struct PipelineResult {
    /// A listener for each row, in the order of the rows.
    pub(super) listeners: Vec<Listener>,
    pub(super) gaps: Vec<Gap>,
    /// How holders were searched for.
    pub(super) method: Option<HolderMethod>,
    /// Processes whose descriptors were not read.
    pub(super) unread: UnreadProcesses,
}

/// What the steps read and add to.
struct Joined<'a, 'r> {
    listeners: Vec<Listener>,
    gaps: Vec<Gap>,
    thorough: bool,
    notes: bool,
    containers: Option<&'a mut ContainerLookup<'r>>,
}

/// One step: it reads what is known of the listeners and adds facts to it.
type Step = fn(&mut Joined<'_, '_>);

/// The steps in the order in which they run. A step may use what those before it added.
const STEPS: [Step; 5] = [add_services, add_users, add_containers, add_monitors, add_notes];

fn add_services(joined: &mut Joined<'_, '_>) {
    joined.gaps.extend(services::add(&mut joined.listeners, joined.thorough));
}

fn add_users(joined: &mut Joined<'_, '_>) {
    users::add(&mut joined.listeners);
}

fn add_containers(joined: &mut Joined<'_, '_>) {
    if let Some(containers) = &mut joined.containers {
        containers.add(&mut joined.listeners);
    }
}

fn add_monitors(joined: &mut Joined<'_, '_>) {
    if joined.containers.is_none() {
        return;
    }
    monitors::add(&mut joined.listeners);
    if joined.thorough {
        monitors::add_units(&mut joined.listeners);
    }
}

fn add_notes(joined: &mut Joined<'_, '_>) {
    if joined.notes {
        notes::add(&mut joined.listeners, &os::SYSTEM);
    }
}

impl Scan<'_, '_> {
    /// Scans the holders of these rows, and of the clients in `connected`, and returns a listener for each row.
    ///
    /// # Errors
    /// If the list of processes cannot be read, or this system does not support the search.
    pub(super) fn run(
        self,
        rows: Vec<Row>,
        connected: Option<ConnectionIndex>,
    ) -> Result<PipelineResult, Error> {
        let clients = connected.iter().flat_map(|connected| &connected.clients);
        let wanted: Vec<&Row> = rows.iter().chain(clients).collect();
        let search = os::holders(&wanted, self.search, ProgramWords(port_info::program_words))?;
        let mut facts = os::describe(search.held.iter().flatten().map(|held| &held.process), self.ancestors);
        let of_clients = search.held.get(rows.len()..).unwrap_or_default();
        let connections: Vec<Option<Vec<Connection>>> = match connected {
            Some(connected) => {
                connected.describe(&rows, of_clients, &facts.processes).into_iter().map(Some).collect()
            }
            None => vec![None; rows.len()],
        };
        let holders =
            search.held.iter().take(rows.len()).flatten().map(|held| held.process.pid()).collect_set();
        let of_holders = facts.processes.iter_mut().filter(|(pid, _)| holders.contains(*pid));
        program_labels::add(of_holders.map(|(_, process)| process));
        let processes = Processes::new(facts.processes, facts.undescribed);
        let Holders { held, unseen, origins, mut gaps, method, unread } = search;
        gaps.extend(facts.gaps);
        let found = held.into_iter().zip(unseen).zip(origins).zip(connections);
        // Rows are converted from the last one to the first.
        let mut found = found.take(rows.len()).rev();
        let listeners = compact::convert(rows, |row| {
            let (((held, unseen), origin), connections) = found.next().unwrap_or_default();
            let mut listener = join(row.socket, held, unseen, &processes);
            listener.connections = connections;
            if let Some(origin) = origin {
                let (service, container) = Origin::clone(&origin);
                (listener.service, listener.container) = (service.map(Box::new), container.map(Box::new));
            }
            listener
        });
        let (thorough, notes, containers) = (self.thorough, self.notes, self.containers);
        let mut joined = Joined { listeners, gaps, thorough, notes, containers };
        for step in STEPS {
            step(&mut joined);
        }
        Ok(PipelineResult { listeners: joined.listeners, gaps: joined.gaps, method, unread })
    }
}
