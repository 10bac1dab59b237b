//! The filter for people's own programs, which leaves out the services of the system and of desktop sessions. It decides
//! by facts about a process: container, service, user, session, project and program file. docs/options.md has the rule.
//! Pure.

use super::directories::is_within;
use super::filter_context::FilterContext;
use crate::model::{Process, Service, ServiceManager, ServiceScope, SupervisorKind, Text};

/// nobody, which some services run as.
const NOBODY: u32 = 65_534;
/// The uids that systemd gives to services without an account (systemd.exec(5), DynamicUser=).
const DYNAMIC: std::ops::RangeInclusive<u32> = 61_184..=65_519;
/// Folders for programs that came with the system or its packages.
const INSTALLED: [&str; 8] = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/snap", "/System", "/Library"];
/// The part of /usr for programs that an administrator installed.
const LOCAL: &str = "/usr/local";
/// The folders of macOS for parts of the system.
const PARTS_OF_MACOS: [&str; 3] = ["/System", "/usr/libexec", "/usr/sbin"];
/// The folder of Windows, on any drive.
const WINDOWS: &[u8] = br":\windows\";

/// Returns whether a process runs a program of a person. `None` if the facts that decide are unknown.
pub(super) fn is_own(process: &Process, context: &FilterContext) -> Option<bool> {
    if process.container.is_some() {
        return Some(true);
    }
    if process.service.as_ref().is_some_and(is_system_service) {
        return Some(false);
    }
    let is_persons = process.project.is_some() || is_in_session(process);
    match process.uid {
        Some(0) if is_persons => return Some(true),
        // What could not be read may be a project.
        Some(0) => return process.directory.is_some().then_some(false),
        Some(uid) if uid < context.first_person || uid == NOBODY || DYNAMIC.contains(&uid) => {
            return Some(false);
        }
        Some(_) => {}
        None if process.unknown_user.is_some() => return None,
        None if process.user.is_none() && process.executable.is_none() => return None,
        None => {}
    }
    let is_service = process.service.as_ref().is_some_and(|service| service.scope == ServiceScope::User);
    let is_part = process.executable.as_ref().is_some_and(|program| is_part_of_system(program, context));
    Some(is_persons || !(is_part || (is_service && is_installed(process))))
}

/// Returns whether a service belongs to the system. PM2 and Supervisor run programs of people, even if the system starts them.
pub(super) fn is_system_service(service: &Service) -> bool {
    service.scope == ServiceScope::System
        && !matches!(service.manager, ServiceManager::Pm2 | ServiceManager::Supervisord)
}

/// Returns whether a person started the process: in a terminal, a remote session or an editor.
fn is_in_session(process: &Process) -> bool {
    use SupervisorKind::{Login, Mosh, Screen, Ssh, Terminal, Tmux, Zellij};
    process.supervisor.as_ref().is_some_and(|supervisor| {
        matches!(supervisor.kind, Login | Mosh | Screen | Ssh | Terminal | Tmux | Zellij)
            || supervisor.kind.is_editor()
    })
}

/// Returns whether the program came with the system or its packages. An interpreter counts by the script that it runs.
fn is_installed(process: &Process) -> bool {
    let Some(program) = &process.executable else { return false };
    let script = process.script.as_ref().map(|_| {
        let arguments = process.command.iter().flatten().skip(1);
        arguments.into_iter().find(|argument| argument.as_bytes().starts_with(b"/"))
    });
    match script {
        Some(Some(path)) => is_in_installed_folder(path),
        // A script with a relative path is not installed.
        Some(None) => false,
        None => is_in_installed_folder(program),
    }
}

fn is_in_installed_folder(path: &Text) -> bool {
    INSTALLED.iter().any(|folder| is_within(path, &(*folder).into())) && !is_within(path, &LOCAL.into())
}

/// Returns whether a program is a part of macOS or Windows.
fn is_part_of_system(program: &Text, context: &FilterContext) -> bool {
    let after_drive = program.as_bytes().get(1..1 + WINDOWS.len());
    let parts = PARTS_OF_MACOS.iter().filter(|_| context.is_macos);
    parts.into_iter().any(|folder| is_within(program, &(*folder).into()))
        || after_drive.is_some_and(|start| start.eq_ignore_ascii_case(WINDOWS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::management::test_support::container;
    use crate::model::{ProcessId, Project, Supervisor, UnknownUser};

    const CONTEXT: FilterContext =
        FilterContext { whole_ancestries: true, first_person: 1000, is_macos: false };

    fn process(uid: u32, program: &str, arguments: &[&str]) -> Process {
        let mut process = Process::new(ProcessId { pid: 7, start: None }, "x".into());
        (process.uid, process.executable) = (Some(uid), Some(program.into()));
        process.directory = Some("/".into());
        let words = std::iter::once(program).chain(arguments.iter().copied());
        process.command = Some(words.map(Text::from).collect());
        process.script = arguments.first().map(|_| "a script".into());
        process
    }

    fn with_service(mut process: Process, manager: &str, scope: &str) -> Process {
        process.service = Some(Service {
            manager: manager.into(),
            name: "x".into(),
            scope: scope.into(),
            uid: None,
            activates: None,
        });
        process
    }

    fn with_supervisor(mut process: Process, kind: &str) -> Process {
        let name = "x".into();
        process.supervisor = Some(Supervisor { kind: kind.into(), pid: 4, name, terminal: None });
        process
    }

    fn with_project(mut process: Process) -> Process {
        let directory = "/home/dev/shop".into();
        process.project = Some(Project { directory, marker: ".git".into(), head: None, worktree: None });
        process
    }

    fn with_container(mut process: Process) -> Process {
        process.container = Some(container("docker", "web"));
        process
    }

    #[test]
    fn services_are_left_out() {
        let node = |arguments: &[&str]| process(1000, "/usr/bin/node", arguments);
        let system = |process| with_service(process, "systemd", "system");
        let user = |process| with_service(process, "systemd", "user");
        for (process, own, what) in [
            (node(&["server.js"]), true, "a program of a person"),
            (system(node(&["server.js"])), false, "a service of the system"),
            (system(with_container(node(&["server.js"]))), true, "a container"),
            (with_container(process(101, "/usr/bin/postgres", &[])), true, "a container of a system account"),
            (user(node(&["server.js"])), true, "an own script as a service of the user"),
            (user(node(&["/home/dev/server.js"])), true, "the same by its path"),
            (user(node(&["/usr/share/desktop/server.js"])), false, "a script of the desktop"),
            (user(process(1000, "/usr/libexec/gsd-sharing", &[])), false, "a program of the desktop"),
            (user(with_project(process(1000, "/usr/bin/hugo", &[]))), true, "a service in a project"),
            (user(process(1000, "/home/dev/bin/tool", &[])), true, "an own program"),
            (user(process(1000, "/usr/local/bin/tool", &[])), true, "a program of the administrator"),
            (with_service(node(&["a.js"]), "pm2", "system"), true, "PM2 of root"),
            (with_service(node(&["a.js"]), "runit", "system"), false, "runit"),
        ] {
            assert_eq!(is_own(&process, &CONTEXT), Some(own), "{what}");
        }
    }

    #[test]
    fn accounts_of_the_system_are_no_people() {
        let tool = |uid| process(uid, "/usr/bin/tool", &[]);
        for (process, own, what) in [
            (tool(999), Some(false), "an account of the system"),
            (tool(1000), Some(true), "the first person"),
            (tool(65_533), Some(true), "an uid of a directory service"),
            (tool(NOBODY), Some(false), "nobody"),
            (tool(61_200), Some(false), "a dynamic user"),
            (tool(0), Some(false), "root"),
            (with_project(tool(0)), Some(true), "root in a project"),
            (with_supervisor(tool(0), "tmux"), Some(true), "root in a terminal"),
            (with_supervisor(tool(0), "cron"), Some(false), "a job of root"),
            (with_supervisor(tool(33), "tmux"), Some(false), "a system account in a terminal"),
            (Process { directory: None, ..tool(0) }, None, "root in an unknown folder"),
            (
                Process { uid: None, unknown_user: Some(UnknownUser::Unmapped), ..tool(0) },
                None,
                "an unknown user",
            ),
        ] {
            assert_eq!(is_own(&process, &CONTEXT), own, "{what}");
        }
    }

    #[test]
    fn parts_of_other_systems_are_left_out() {
        let macos = FilterContext { first_person: 500, is_macos: true, ..CONTEXT };
        let windows =
            |program: &str| Process { uid: None, user: Some("dev".into()), ..process(0, program, &[]) };
        for (process, context, own) in [
            (process(501, "/usr/libexec/rapportd", &[]), macos, Some(false)),
            (process(501, "/System/Library/CoreServices/ControlCenter", &[]), macos, Some(false)),
            (process(501, "/opt/homebrew/bin/postgres", &[]), macos, Some(true)),
            (process(501, "/usr/bin/python3", &["server.py"]), macos, Some(true)),
            (windows(r"C:\Windows\System32\svchost.exe"), CONTEXT, Some(false)),
            (windows(r"c:\windows\system32\lsass.exe"), CONTEXT, Some(false)),
            (windows(r"C:\Program Files\nodejs\node.exe"), CONTEXT, Some(true)),
            (Process { user: None, ..windows(r"C:\Windows\System32\lsass.exe") }, CONTEXT, Some(false)),
            (Process { executable: None, ..windows("") }, CONTEXT, Some(true)),
            (Process { uid: None, executable: None, ..process(0, "", &[]) }, CONTEXT, None),
        ] {
            assert_eq!(is_own(&process, &context), own, "{:?}", process.executable);
        }
    }
}
