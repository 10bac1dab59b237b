//! What an ancestor does when what it started ends: starts it again, ends as well, or has nothing to do with it.

use std::time::Duration;

use super::program::Program;
use super::{
    Certainty, Restarter, RestarterKind, Sources, Stop, Trigger, circus, pm2, service_folder, shell_loop,
    supervisord,
};
use crate::{Process, Text, supervisor};

/// What an ancestor does when its child ends.
#[derive(Debug)]
pub(super) enum Role {
    /// It starts it again.
    Restarts(Box<Restarter>),
    /// It ends too, or has no part in it.
    Wrapper,
    /// Unknown.
    Other,
    /// It does not start it again, and nor does anything above it: a login, a terminal, an editor.
    Boundary,
}

/// Determines what `parent` does when `child` ends.
pub(super) fn role(parent: &Process, program: &Program, child: &Process, sources: &mut dyn Sources) -> Role {
    let found = service_folder::restarter(parent, program, sources)
        .or_else(|| supervisord::restarter(parent, program, child, sources))
        .or_else(|| circus::restarter(parent, program, child, sources))
        .or_else(|| pm2::restarter(parent, program, child, sources));
    match found {
        Some(Found::Restarts(restarter)) => return Role::Restarts(restarter),
        Some(Found::LeavesDown) => return Role::Boundary,
        None => {}
    }
    if let Some(role) = shell_loop::role(parent, child, sources) {
        return role;
    }
    if let Some(trigger) = watcher(parent, program) {
        let mut restarter = Restarter::new(RestarterKind::FileWatcher, parent, program);
        restarter.trigger = trigger;
        return Role::Restarts(restarter.into());
    }
    if let Some(master) = MASTERS.iter().find(|master| master.is(program, parent)) {
        // What a server runs besides its workers, such as a CGI program, is none of them.
        return match same_program(parent, child) {
            true => {
                let mut restarter = Restarter::new(RestarterKind::ServerMaster, parent, program);
                restarter.name = master.name.into();
                restarter.delay = master.delay.map(Duration::from_millis);
                restarter.certainty = master.certainty;
                Role::Restarts(restarter.into())
            }
            false => Role::Other,
        };
    }
    if let Some(delay) = manager(program) {
        let mut restarter = Restarter::new(RestarterKind::ProcessManager, parent, program);
        restarter.delay = delay;
        restarter.certainty = Certainty::Likely;
        return Role::Restarts(restarter.into());
    }
    if program.is_any(WRAPPERS) || is_npm(program, parent) {
        return Role::Wrapper;
    }
    let mut command = || parent.command.clone().unwrap_or_default();
    match supervisor::kind(&parent.name, &mut command) {
        // What starts services by folders is an ancestor of what looks after one of them.
        Some("runit" | "s6" | "daemontools" | "openrc") => Role::Other,
        Some(_) => Role::Boundary,
        None => Role::Other,
    }
}

/// What the configuration of a supervisor says about a child.
pub(super) enum Found {
    Restarts(Box<Restarter>),
    /// It was told not to start it again.
    LeavesDown,
}

impl Restarter {
    /// One that starts again whatever ended, is sure to, and is ended to stop that.
    pub(super) fn new(kind: RestarterKind, process: &Process, program: &Program) -> Restarter {
        let interpreter = program.interpreted && program.path.file_name() == name_of_file(process);
        let name = match interpreter || program.name().is_empty() {
            true => process.name.clone(),
            false => program.name().into(),
        };
        Restarter {
            kind,
            id: process.id,
            name,
            uid: process.uid,
            program: None,
            trigger: Trigger::End,
            delay: None,
            certainty: Certainty::Certain,
            stop: Stop::EndRestarter,
        }
    }
}

fn name_of_file(process: &Process) -> &[u8] {
    process.executable.as_ref().map(Text::file_name).unwrap_or_default()
}

/// Whether a child runs its parent's program, as workers do.
fn same_program(parent: &Process, child: &Process) -> bool {
    match (&parent.executable, &child.executable) {
        (Some(parent), Some(child)) => parent == child,
        _ => parent.name == child.name,
    }
}

/// A server whose main process replaces a worker that ended.
struct Master {
    name: &'static str,
    /// The names of its program.
    programs: &'static [&'static str],
    /// How the main process's title begins, where it sets one.
    titles: &'static [&'static str],
    /// One of these options must be there, where there are any: without them it does not start workers again.
    options: &'static [&'static str],
    /// The longest wait before a worker is replaced, in milliseconds, as measured or as its documentation says.
    delay: Option<u64>,
    certainty: Certainty,
}

const MASTER: Master =
    Master { name: "", programs: &[], titles: &[], options: &[], delay: None, certainty: Certainty::Certain };

const MASTERS: &[Master] = &[
    Master { name: "gunicorn", programs: &["gunicorn"], titles: &["gunicorn: master"], ..MASTER },
    Master { name: "uvicorn", programs: &["uvicorn"], options: &["--workers"], ..MASTER },
    Master { name: "hypercorn", programs: &["hypercorn"], ..MASTER },
    Master { name: "granian", programs: &["granian"], titles: &["granian"], ..MASTER },
    Master { name: "uwsgi", programs: &["uwsgi", "uwsgi-core"], titles: &["uWSGI master"], ..MASTER },
    Master { name: "php-fpm", titles: &["php-fpm: master"], ..MASTER },
    Master { name: "nginx", programs: &["nginx"], titles: &["nginx: master"], ..MASTER },
    Master { name: "apache", programs: &["apache2", "httpd"], ..MASTER },
    Master {
        name: "unicorn",
        programs: &["unicorn", "unicorn_rails"],
        titles: &["unicorn master"],
        ..MASTER
    },
    Master { name: "puma", programs: &["puma"], titles: &["puma"], ..MASTER },
    Master { name: "postgres", programs: &["postgres", "postmaster"], ..MASTER },
    Master { name: "starman", programs: &["starman"], titles: &["starman master"], ..MASTER },
    Master { name: "start_server", programs: &["start_server"], ..MASTER },
];

impl Master {
    fn is(&self, program: &Program, process: &Process) -> bool {
        let titled = self.titles.iter().any(|title| program.is_titled(title));
        let named = program.is_any(self.programs) || (self.programs.is_empty() && titled);
        let _ = process;
        (named || titled)
            && (self.options.is_empty() || self.options.iter().any(|option| program.has(option)))
    }
}

/// What makes a file watcher start its program again, if the process is one.
fn watcher(_process: &Process, program: &Program) -> Option<Trigger> {
    const ALWAYS: &[&str] = &["nodemon", "watchexec", "cargo-watch", "air", "reflex", "watchfiles"];
    program.is_any(ALWAYS).then_some(Trigger::FileChange)
}

/// Another manager that was told to start programs again, with the longest wait.
fn manager(program: &Program) -> Option<Option<Duration>> {
    let told = match program.name() {
        b"autossh" => true,
        b"overmind" => program.has("--auto-restart") || program.has("-r"),
        _ => program.is("concurrently") && program.has("--restart-tries"),
    };
    told.then_some(None)
}

/// Programs that start one other and end when that ends, whatever else they do.
const WRAPPERS: &[&str] = &[
    "npm",
    "npx",
    "yarn",
    "pnpm",
    "make",
    "sudo",
    "doas",
    "env",
    "time",
    "nohup",
    "setsid",
    "tini",
    "dumb-init",
    "catatonit",
    "docker-init",
    "foreman",
    "honcho",
    "hivemind",
    "poetry",
    "pipenv",
    "uv",
    "cargo",
    "go",
    "just",
    "script",
    "strace",
    "unshare",
    "nsenter",
];

/// npm puts a title in the place of its command line: `npm run dev`.
fn is_npm(program: &Program, process: &Process) -> bool {
    ["npm ", "yarn ", "pnpm "]
        .iter()
        .any(|title| program.is_titled(title) || process.name.as_bytes().starts_with(title.as_bytes()))
}
