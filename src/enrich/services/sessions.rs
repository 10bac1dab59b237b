//! Processes that are in a service's cgroup but are not part of the service: jobs of cron, ssh logins on a machine without
//! logind, and programs in the terminals of an editor or multiplexer that runs as a service. Stopping that service would
//! end all of them, or with KillMode=process (as in Debian's cron.service and ssh.service) none of them, and would prevent
//! further logins or jobs. Pure.

use crate::enrich::holder_processes;
use crate::model::{Listener, Process, Service, ServiceManager, SupervisorKind};

/// Returns whether this kind of supervisor starts what a user asks for, each time another program.
fn is_session(kind: &SupervisorKind) -> bool {
    use SupervisorKind::{At, Cron, Login, Mosh, Screen, Ssh, Terminal, Tmux, Zellij};
    matches!(kind, At | Cron | Login | Mosh | Screen | Ssh | Terminal | Tmux | Zellij)
}

/// Removes the systemd services of such processes, and of their socket if it has no other holder.
pub(super) fn leave_out(listeners: &mut [Listener]) {
    let has_plain = |process: &Process| process.service.as_ref().is_some_and(is_plain);
    let concerns = |process: &Process| has_plain(process) && is_of_session(process);
    holder_processes::change(listeners, concerns, |process| process.service = None);
    for listener in listeners {
        let all_seen = listener.unseen.is_none() && !listener.holders.is_empty();
        if all_seen && listener.holders.iter().all(|holder| is_of_session(&holder.process)) {
            listener.service.take_if(|service| is_plain(service));
        }
    }
}

/// Returns whether a session started the process.
fn is_of_session(process: &Process) -> bool {
    let supervisor = process.supervisor.as_ref();
    supervisor.is_some_and(|supervisor| {
        // An editor that is a service also has processes of its own, which are in none of its terminals.
        is_session(&supervisor.kind) || (supervisor.kind.is_editor() && supervisor.terminal == Some(true))
    })
}

fn is_plain(service: &Service) -> bool {
    service.manager == ServiceManager::Systemd && !service.is_socket_unit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::management::test_support::system_unit;
    use crate::model::{Endpoint, Evidence, Holder, ProcessId, Protocol, Socket, State, Supervisor};

    fn holder(kind: Option<&str>, terminal: Option<bool>, unit: &str) -> Holder {
        let mut process = Process::new(ProcessId { pid: 9, start: None }, "node".into());
        process.service = Some(system_unit(unit));
        process.supervisor =
            kind.map(|kind| Supervisor { kind: kind.into(), pid: 4, name: "x".into(), terminal });
        Holder { process: process.into(), descriptors: vec![3], evidence: Evidence::Descriptor }
    }

    /// Returns whether the service of the socket, and those of the holders, are kept.
    fn kept(unit: &str, holders: Vec<Holder>) -> (bool, Vec<bool>) {
        let endpoint = Endpoint::Ip { address: [127, 0, 0, 1].into(), port: 3000, interface: None };
        let mut listener = Listener::new(Socket::new(Protocol::Tcp, endpoint, State::Listen));
        listener.service = Some(Box::new(system_unit(unit)));
        listener.holders = holders;
        leave_out(std::slice::from_mut(&mut listener));
        let of_holders = listener.holders.iter().map(|holder| holder.process.service.is_some());
        (listener.service.is_some(), of_holders.collect())
    }

    #[test]
    fn processes_of_sessions_are_not_part_of_the_service() {
        for (kind, terminal, unit, is_part) in [
            (Some("systemd"), Some(false), "nginx.service", true),
            (Some("systemd"), Some(true), "on-a-terminal.service", true),
            (None, None, "nginx.service", true),
            (Some("cron"), Some(false), "cron.service", false),
            (Some("ssh"), Some(true), "ssh.service", false),
            (Some("ssh"), Some(false), "ssh.service", false),
            (Some("tmux"), Some(true), "tmux.service", false),
            (Some("vscode"), Some(true), "code-server@dev.service", false),
            (Some("vscode"), Some(false), "code-server@dev.service", true),
            (Some("supervisord"), Some(false), "supervisor.service", true),
            (Some("ssh"), Some(true), "x.socket", true),
        ] {
            let found = kept(unit, vec![holder(kind, terminal, unit)]);
            assert_eq!(found, (is_part, vec![is_part]), "{kind:?} {unit}");
        }
    }

    #[test]
    fn another_holder_may_be_the_service() {
        let both = vec![
            holder(Some("systemd"), Some(false), "web.service"),
            holder(Some("cron"), None, "cron.service"),
        ];
        assert_eq!(kept("web.service", both), (true, vec![true, false]));
        assert_eq!(kept("web.service", Vec::new()), (true, Vec::new()));
    }
}
