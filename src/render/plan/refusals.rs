//! Why a plan may not be carried out, and what frees the port instead.

use super::{halted, listing, manager_phrase, via_noun, via_word};
use crate::bind_attempt::BindTarget;
use crate::management::Manager;
use crate::management::role::Role;
use crate::management::service_command::{list_sockets, release_store};
use crate::model::{Listener, Process, Text};
use crate::os;
use crate::plan::PlanRefusal;
use crate::render::escape::escape;
use crate::render::phrases;
use crate::shell;

/// Returns why nothing is done, as a sentence.
pub(crate) fn refusal(refusal: &PlanRefusal, target: &BindTarget) -> String {
    match refusal {
        PlanRefusal::ForeignPidNamespace => "/proc shows another pid namespace than the one allears runs in, so that each \
                                         pid in it is another process here: run allears where the right /proc is mounted"
            .to_owned(),
        PlanRefusal::StandsFor { process, role, manager, command } => {
            stands_for(process, role, manager.as_ref(), command.as_deref(), target)
        }
        PlanRefusal::Itself(process) => format!("{} is allears itself", phrases::process(process)),
        PlanRefusal::RelatedProcess(process) => format!(
            "{} is an ancestor of allears: ending it would end the session that asks",
            phrases::process(process)
        ),
        PlanRefusal::Kernel(process) => format!(
            "{} is the kernel's own; allears why {} shows which program it holds the port for",
            phrases::process(process),
            phrases::target(target)
        ),
        PlanRefusal::KernelHolds(socket, kernel) => {
            let what = phrases::kernel_sockets(kernel).map_or_else(String::new, |what| format!(" for {what}"));
            let release = phrases::close_commands(kernel, socket);
            let release = release.map_or_else(String::new, |release| format!(": {release}"));
            format!(
                "{} is held by the kernel itself{what}, which no process can be ended for{release}",
                phrases::endpoint(socket)
            )
        }
        PlanRefusal::Denied(process) => {
            let again = phrases::allears_with_sudo(&["free", &phrases::target(target)]);
            let again = again.unwrap_or_else(|| "root".to_owned());
            format!("{} may not be ended by this user; {again} may", phrases::process(process))
        }
        PlanRefusal::Failed(process, None) => format!("{} could not be opened", phrases::process(process)),
        PlanRefusal::Failed(process, Some(error)) => {
            format!("{} could not be opened: {}", phrases::process(process), escape(&error.as_str().into()))
        }
        PlanRefusal::Uncertain(process, socket) => {
            format!("it is not certain that {} holds {}", phrases::process(process), phrases::endpoint(socket))
        }
        PlanRefusal::Unseen(listener) => unseen(listener),
        PlanRefusal::HeldByUnit { unit, socket, command, via } => {
            let via = if *via { "; so does --via service" } else { "" };
            let stop = command.as_deref().and_then(shell::line);
            let stop = stop.map_or_else(String::new, |stop| format!(": {stop} frees it{via}"));
            format!(
                "systemd holds {} for {} too, and starts what serves it again{stop}",
                phrases::endpoint(socket),
                escape(&unit.name)
            )
        }
        PlanRefusal::Stored(socket, store) => {
            let releases = phrases::commands_in_order(&release_store(store, os::own_uid()));
            let releases = releases.map_or_else(String::new, |releases| format!(": {releases} frees it"));
            format!(
                "systemd keeps {} in the descriptor store of {}, so that it stays when a process ends{releases}",
                phrases::endpoint(socket),
                escape(&store.unit.name)
            )
        }
        PlanRefusal::NoManager { process, via } => {
            let who = phrases::process(process);
            format!("{who} belongs to no {}; leave --via {} out", via_noun(*via), via_word(*via))
        }
        PlanRefusal::OtherManager { process, via, manager, command } => {
            let who = phrases::process(process);
            let command = command.as_deref().and_then(shell::line);
            let command = command.map_or_else(String::new, |command| format!(" ({command})"));
            let by = manager_phrase(manager);
            format!(
                "{who} is run by {by}, which would start it again after its {} was stopped: use --via {}{command}",
                via_noun(*via),
                via_word(manager.via())
            )
        }
        PlanRefusal::Frozen(process) => halted(process),
        PlanRefusal::NoProgram { command } => {
            let name = command.first().map_or_else(String::new, escape);
            let run = shell::line(command).map_or_else(String::new, |line| format!(": run {line} yourself"));
            format!("{name} is in none of the system's own folders, and allears runs no program from elsewhere{run}")
        }
        PlanRefusal::NoCommand { process, manager } => format!(
            "{} belongs to {}, and no command is known here that stops it safely{}",
            phrases::process(process),
            manager_phrase(manager),
            listing(manager)
        ),
        PlanRefusal::OtherProgram(process, wanted) => {
            let wanted: Vec<String> = wanted.iter().map(|text| escape(&text.as_str().into())).collect();
            format!(
                "{} has {} too, and does not match {}; without -c, allears free {} ends every holder",
                phrases::process(process),
                phrases::bind_target(target),
                wanted.join(" or "),
                phrases::target(target)
            )
        }
        PlanRefusal::TreeHasAllears(process) => format!(
            "{} belongs to the tree and to what started allears: ending it would end the session that asks",
            phrases::process(process)
        ),
    }
}

/// Returns what a process acts for, and the one command that frees the port.
fn stands_for(
    process: &Process,
    role: &Role,
    manager: Option<&Manager>,
    command: Option<&[Text]>,
    target: &BindTarget,
) -> String {
    let who = phrases::process(process);
    let is = match role {
        Role::FirstProcess => {
            format!("{who} is the first process of this system, and ending it ends the system")
        }
        Role::UserManager => {
            format!(
                "{who} is a user's service manager, and ending it ends the session and services of that user"
            )
        }
        Role::ServiceManager => format!("{who} is a service manager, and ending it ends all that it runs"),
        Role::MessageBus => {
            format!("{who} is a message bus, and ending it ends the session or the system's services")
        }
        Role::ServiceHost => format!("{who} runs services of Windows, and all of them would end with it"),
        Role::Engine => format!("{who} serves every container, and ending it ends or orphans them all"),
        Role::ContainerHelper => {
            format!("{who} works for a container, which goes on without it")
        }
        Role::MachineHelper => {
            format!("{who} forwards connections into a virtual machine, where the listener is")
        }
        Role::Wineserver => format!("{who} holds the sockets of every Windows program in its prefix"),
        Role::SuperServer => {
            format!("{who} holds sockets for the programs that it runs, and ending it ends them all")
        }
        Role::SshMaster => {
            format!("{who} is the master of a shared ssh connection, and ending it ends every session on it")
        }
        Role::SshSession => format!("{who} is a login over ssh, and ending it ends that login"),
    };
    let helps = match command.and_then(shell::line) {
        Some(command) => {
            let stops = match manager {
                Some(manager) => format!("stops {}", manager_phrase(manager)),
                None => "frees the port".to_owned(),
            };
            let via = manager
                .map_or_else(String::new, |manager| format!("; so does --via {}", via_word(manager.via())));
            Some(format!("{command} {stops}{via}"))
        }
        None => finding(process, role, target),
    };
    match helps {
        Some(helps) => format!("{is}: {helps}"),
        None => is,
    }
}

/// Returns how to find what a process holds the port for, if that is unknown.
fn finding(process: &Process, role: &Role, target: &BindTarget) -> Option<String> {
    let port = target.port;
    Some(match role {
        Role::FirstProcess | Role::UserManager => {
            let (_, command) = list_sockets(process, os::own_uid())?;
            format!("{} names the unit that it holds the port for", shell::line(&command)?)
        }
        Role::Engine | Role::ContainerHelper => find_container(process, target),
        Role::Wineserver => "end the program itself, which wine taskkill lists".to_owned(),
        Role::SshMaster => format!(
            "ssh -O cancel -L {port}:HOST:HOSTPORT DESTINATION gives the port back, with the host and port that it was \
             forwarded to"
        ),
        Role::SshSession => format!(
            "whoever logged in gives the port back with ssh -O cancel -R {port}, or with -KR {port} after ~C"
        ),
        Role::ServiceHost => "stop the service that has the port: sc.exe stop".to_owned(),
        Role::SuperServer => {
            "stop the program that it holds the port for, if that closes the port, or take the port out of its \
             configuration"
                .to_owned()
        }
        Role::ServiceManager | Role::MessageBus | Role::MachineHelper => return None,
    })
}

/// Returns the command that lists the containers of the engine that a process works for.
fn find_container(process: &Process, target: &BindTarget) -> String {
    let (port, name) = (target.port, process.name.to_string_lossy());
    let other = process.uid.filter(|uid| *uid != 0 && Some(*uid) != os::own_uid());
    let is_of_podman = ["podman", "conmon", "rootlessport", "pasta", "slirp4netns"];
    if is_of_podman.iter().any(|known| name.contains(known)) {
        return match (other, &process.user) {
            (None, _) => "podman port --all names the container".to_owned(),
            // Root's Podman knows nothing of another user's containers.
            (Some(_), Some(user)) => {
                let list = shell::line(&[
                    "runuser".into(),
                    "-l".into(),
                    user.clone(),
                    "-c".into(),
                    Text::from("podman port --all"),
                ]);
                list.map_or_else(String::new, |list| format!("{list} names the container"))
            }
            (Some(uid), None) => {
                format!("podman port --all names the container, run by the user with uid {uid}")
            }
        };
    }
    let host = match process.uid.filter(|uid| *uid != 0 && name == "rootlesskit") {
        Some(uid) => format!(" --host=unix:///run/user/{uid}/docker.sock"),
        None => String::new(),
    };
    format!(
        "docker{host} ps --filter publish={port} names the container, if one publishes the port; else it is the \
         engine's own"
    )
}

fn unseen(listener: &Listener) -> String {
    let help = listener.unseen.as_deref().and_then(|unseen| unseen.help.as_ref()).map(|help| {
        let port = listener.socket.endpoint.port().filter(|_| help.is_privileged_scan());
        let free = port.and_then(|port| {
            let protocol = listener.socket.protocol.prefix();
            phrases::allears_with_sudo(&["free", &format!("{protocol}{port}")])
        });
        match free {
            Some(free) => format!("; {free} sees them"),
            None => format!("; {}", phrases::help(help)),
        }
    });
    let place = phrases::endpoint(&listener.socket);
    let without = listener
        .unseen_alone()
        .and_then(|unseen| phrases::unseen_evidence(unseen).zip(phrases::unseen_ends(unseen)));
    if let Some((evidence, ends)) = without {
        return format!("no descriptor table has {place}: {evidence}; {ends}");
    }
    format!("not every holder of {place} could be seen{}", help.unwrap_or_default())
}
