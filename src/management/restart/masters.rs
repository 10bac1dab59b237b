//! Servers whose main process replaces workers that end. The delays are those in docs/supervisors.md, rounded up to whole
//! seconds.

use std::time::Duration;

use super::parent_role::ParentRole;
use super::program::Program;
use super::{Certainty, RestarterKind, RestartingProcess};
use crate::model::Process;

/// A server whose main process replaces workers that end.
struct Master {
    name: &'static str,
    /// The names of its program.
    programs: &'static [&'static str],
    /// Prefixes of the main process's title, if it sets one.
    titles: &'static [&'static str],
    when: When,
    /// Whether its workers run another program.
    other_program: bool,
    /// The longest wait before a worker is replaced, in seconds.
    delay: Option<u64>,
    certainty: Certainty,
}

/// When a main process replaces workers.
enum When {
    Always,
    /// With this option. An environment variable, which is not read, may replace it: without the option it is unknown.
    Option(&'static str),
}

const MASTER: Master = Master {
    name: "",
    programs: &[],
    titles: &[],
    when: When::Always,
    other_program: false,
    delay: Some(1),
    certainty: Certainty::Certain,
};

const MASTERS: &[Master] = &[
    Master { name: "gunicorn", programs: &["gunicorn"], titles: &["gunicorn: master"], ..MASTER },
    Master { name: "uvicorn", programs: &["uvicorn"], when: When::Option("--workers"), ..MASTER },
    Master {
        name: "granian",
        programs: &["granian"],
        when: When::Option("--respawn-failed-workers"),
        ..MASTER
    },
    // Its configuration, which is not read, may turn the main process off.
    Master {
        name: "uwsgi",
        programs: &["uwsgi", "uwsgi-core"],
        titles: &["uWSGI master"],
        certainty: Certainty::Likely,
        ..MASTER
    },
    Master { name: "php-fpm", titles: &["php-fpm: master"], ..MASTER },
    Master { name: "nginx", programs: &["nginx"], titles: &["nginx: master"], ..MASTER },
    Master { name: "apache", programs: &["apache2", "httpd"], delay: Some(2), ..MASTER },
    Master {
        name: "unicorn",
        programs: &["unicorn", "unicorn_rails"],
        titles: &["unicorn master"],
        ..MASTER
    },
    Master { name: "puma", programs: &["puma"], titles: &["puma "], ..MASTER },
    // Its connections are processes too, which are not replaced.
    Master {
        name: "postgres",
        programs: &["postgres", "postmaster"],
        delay: None,
        certainty: Certainty::Likely,
        ..MASTER
    },
    Master { name: "starman", programs: &["starman"], titles: &["starman master"], delay: None, ..MASTER },
    Master { name: "start_server", programs: &["start_server"], other_program: true, ..MASTER },
    Master { name: "einhorn", programs: &["einhorn"], other_program: true, delay: None, ..MASTER },
];

/// Returns what a server's main process does when `child` ends. `None` if `parent` is not a main process.
pub(super) fn role(parent: &Process, program: &Program, child: &Process) -> Option<ParentRole> {
    let is = |master: &&Master| {
        program.is_any(master.programs) || master.titles.iter().any(|title| program.is_titled(title))
    };
    let master = MASTERS.iter().find(is)?;
    if !master.other_program && !same_program(parent, child) {
        // Another program that the server runs, such as a CGI program.
        return Some(ParentRole::Other);
    }
    let mut restarter = RestartingProcess::new(RestarterKind::ServerMaster, parent, program);
    restarter.name = master.name.into();
    restarter.delay = master.delay.map(Duration::from_secs);
    restarter.certainty = match master.when {
        When::Option(option) if !program.has_option(option) => Certainty::Likely,
        When::Option(_) | When::Always => master.certainty,
    };
    Some(ParentRole::Restarts(restarter.into()))
}

/// Returns whether a child runs its parent's program, as workers do.
pub(super) fn same_program(parent: &Process, child: &Process) -> bool {
    match (&parent.executable, &child.executable) {
        (Some(parent), Some(child)) => parent == child,
        _ => parent.name == child.name,
    }
}
