//! Processes that are in a service's cgroup but are not part of the service: jobs of cron, ssh logins on a machine without
//! logind, and programs in the terminals of an editor or multiplexer that runs as a service. Stopping that service would
//! end all of them, or with KillMode=process (as in Debian's cron.service and ssh.service) none of them, and would prevent
//! further logins or jobs. Pure.

use crate::model::{Holder, Listener, Process, Service, ServiceManager};

/// Kinds of supervisors that start any program on request.
const SESSIONS: [&[u8]; 9] =
    [b"cron", b"at", b"ssh", b"mosh", b"login", b"tmux", b"screen", b"zellij", b"terminal"];

/// Editors. The own processes of an editor that runs as a service have no terminal; programs in its terminals do.
const EDITORS: [&[u8]; 8] =
    [b"vscode", b"cursor", b"windsurf", b"zed", b"jetbrains", b"nvim", b"vim", b"emacs"];

/// Removes the systemd services of such processes, and of their socket if it has no other holder.
pub(super) fn leave_out(listener: &mut Listener) {
    let of_session = |process: &Process| {
        let supervisor = process.supervisor.as_ref();
        supervisor.is_some_and(|supervisor| {
            let kind = supervisor.kind.as_bytes();
            SESSIONS.contains(&kind) || (EDITORS.contains(&kind) && supervisor.terminal == Some(true))
        })
    };
    let is_plain =
        |service: &Service| service.manager == ServiceManager::Systemd && !service.is_socket_unit();
    for holder in &mut listener.holders {
        if of_session(&holder.process) {
            holder.process.service.take_if(|service| is_plain(service));
        }
    }
    let all_seen = listener.unseen.is_none() && !listener.holders.is_empty();
    let is_of_session = |holder: &Holder| of_session(&holder.process);
    if all_seen && listener.holders.iter().all(is_of_session) {
        listener.service.take_if(|service| is_plain(service));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::management::test_support::system_unit;
    use crate::model::{Endpoint, Evidence, ProcessId, Protocol, Socket, State, Supervisor};

    fn holder(kind: Option<&str>, terminal: Option<bool>, unit: &str) -> Holder {
        let mut process = Process::new(ProcessId { pid: 9, start: None }, "node".into());
        process.service = Some(system_unit(unit));
        process.supervisor =
            kind.map(|kind| Supervisor { kind: kind.into(), pid: 4, name: "x".into(), terminal });
        Holder { process, descriptors: vec![3], evidence: Evidence::Descriptor }
    }

    /// Returns whether the service of the socket, and those of the holders, are kept.
    fn kept(unit: &str, holders: Vec<Holder>) -> (bool, Vec<bool>) {
        let endpoint = Endpoint::Ip { address: [127, 0, 0, 1].into(), port: 3000, interface: None };
        let mut listener = Listener::new(Socket::new(Protocol::Tcp, endpoint, State::Listen));
        listener.service = Some(system_unit(unit));
        listener.holders = holders;
        leave_out(&mut listener);
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
