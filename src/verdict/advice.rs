//! What helps, by the kind of verdict and by who stands in the way.

use std::net::SocketAddr;

use super::facts::Explanation;
use super::phrases::{list_sockets, service, spell, stop_socket_unit, store_releases};
use super::{Hindrance, Past, Suspect, VerdictKind};
use crate::bind_attempt::RefusalKind;
use crate::management;
use crate::management::kernel_socket;
use crate::management::role::role;
use crate::management::{Manager, managers};
use crate::model::{Holder, Listener, Protocol, Reason, Service, ServiceManager, State, Unseen};
use crate::os::Excluded;
use crate::shell::{self, Shell};
use crate::unseen;

impl Explanation<'_> {
    pub(super) fn advice(&self) -> Vec<String> {
        let seen = self.seen;
        let (port, protocol) = (seen.asked.port, seen.asked.protocol);
        let target = format!("{}{port}", protocol.prefix());
        let linux = seen.os == "linux";
        match self.kind {
            VerdictKind::Reserved if self.can_bind == Some(false) => {
                self.excluded().map_or_else(Vec::new, |range| excluded(range, protocol))
            }
            VerdictKind::Free | VerdictKind::Reserved => Vec::new(),
            VerdictKind::Forwarded if self.standing.is_empty() => {
                let mut advice = vec![
                    "a server that binds here may never see a connection: look for published container ports and for \
                     NAT rules"
                        .to_owned(),
                ];
                advice.extend(self.sudo_why(&target));
                if linux {
                    advice.push("docker ps; sudo nft list ruleset; sudo iptables -t nat -S".to_owned());
                }
                advice
            }
            VerdictKind::Forwarded
                if self.standing.iter().all(|one| one.socket.state == State::Forwarded) =>
            {
                let mut advice: Vec<String> = Vec::new();
                for line in self.standing.iter().flat_map(|listener| self.managed(listener)) {
                    if !advice.contains(&line) {
                        advice.push(line);
                    }
                }
                advice.push("a server that binds here may never see a connection".to_owned());
                advice
            }
            VerdictKind::Listening | VerdictKind::Forwarded | VerdictKind::Bound => self.end(&target),
            VerdictKind::TimeWait | VerdictKind::Connection => {
                let mut advice = Vec::new();
                if self.can_bind == Some(true) {
                    advice.push("set SO_REUSEADDR before bind, as servers do".to_owned());
                }
                if self.kind == VerdictKind::TimeWait {
                    let left =
                        seen.time_wait_left.map_or_else(String::new, |left| format!(" ({})", spell(left)));
                    let or = if advice.is_empty() { "" } else { "or " };
                    advice.push(format!("{or}wait until it is over{left}: {}", self.wait_free()));
                } else {
                    let mut ends: Vec<String> = Vec::new();
                    for far in self.orphans().iter().filter_map(|orphan| orphan.far.as_ref()) {
                        let holders = seen.holders(far);
                        if !ends.contains(&holders) {
                            ends.push(holders);
                        }
                    }
                    if !ends.is_empty() {
                        ends.truncate(4);
                        advice.push(format!("let {} close the other end", ends.join(", ")));
                    }
                    let or = if ends.is_empty() { "" } else { "or " };
                    advice.push(match self.can_bind {
                        Some(false) | None if !self.orphans().is_empty() => {
                            format!("{or}wait until the kernel gives it up: {}", self.wait_free())
                        }
                        Some(true) => "or end the connection at either side: a bind without it succeeds after that".to_owned(),
                        _ => format!(
                            "end the connection at either side, or wait for its end: {}",
                            self.wait_free()
                        ),
                    });
                }
                if linux && self.automatic().is_some() {
                    advice.push(format!(
                        "keep outgoing connections off it: sudo sysctl -w net.ipv4.ip_local_reserved_ports={}",
                        self.reserved_with(port)
                    ));
                }
                advice
            }
            VerdictKind::Privileged if linux => vec![
                "give the program the right: sudo setcap cap_net_bind_service=+ep PROGRAM".to_owned(),
                format!("or let systemd bind it and hand it over: ListenStream={port} in a .socket unit"),
                format!(
                    "or move the machine's limit: sudo sysctl -w net.ipv4.ip_unprivileged_port_start={port}"
                ),
                "or take a port above, and let a proxy or a firewall pass connections on".to_owned(),
            ],
            VerdictKind::Privileged => {
                vec!["bind it as root, or take a port above 1023".to_owned()]
            }
            VerdictKind::AddressNotLocal if self.hindrance.is_some_and(Hindrance::may_pass) => {
                vec![format!("wait until it may be bound, some seconds as a rule: {}", self.wait_free())]
            }
            VerdictKind::AddressNotLocal if matches!(self.hindrance, Some(Hindrance::Duplicate { .. })) => vec![
                "find what else has the address on that link, as a rule another machine, and give one of the two another"
                    .to_owned(),
                "then remove the address here and add it again: the kernel does not repeat a detection that failed"
                    .to_owned(),
            ],
            VerdictKind::AddressNotLocal => {
                vec![
                    "ask for one of this machine's own addresses, or for the wildcard 0.0.0.0 or ::"
                        .to_owned(),
                ]
            }
            VerdictKind::Unknown if self.can_bind == Some(true) => {
                self.sudo_why(&target).into_iter().collect()
            }
            VerdictKind::Unknown => self.unknown(),
        }
    }

    /// Who may read the rules that forward.
    fn sudo_why(&self, target: &str) -> Option<String> {
        let target = match self.seen.asked.address {
            Some(address) => SocketAddr::new(address, self.seen.asked.port).to_string(),
            None => target.to_owned(),
        };
        let unprivileged = self.seen.uid.is_some_and(|uid| uid != 0);
        let command = unprivileged.then(|| shell::allears_with_rights(&["why", &target])).flatten()?;
        Some(format!("{command} reads the forwarding rules"))
    }

    /// How to end what has the port.
    fn end(&self, target: &str) -> Vec<String> {
        let mut advice: Vec<String> = Vec::new();
        let mut add = |line: String| {
            if !advice.contains(&line) {
                advice.push(line);
            }
        };
        for (_, helps) in self.conditions() {
            add(helps);
        }
        if let Some(joining) = self.seen.joining {
            match (joining.reuse_address, joining.reuse_port) {
                (Some(true), _) => {
                    add("to share the port, set SO_REUSEADDR before bind, as programs for multicast do"
                        .to_owned())
                }
                (_, Some(true)) => {
                    add("to share the port, set SO_REUSEPORT before bind, as the same user".to_owned())
                }
                _ => {}
            }
        }
        let mut sudo = false;
        for listener in self.standing {
            self.managed(listener).into_iter().for_each(&mut add);
            let foreign = listener.holders.iter().any(|holder| holder.process.uid != self.seen.uid);
            sudo |= (foreign || listener.unseen.is_some()) && self.seen.uid.is_some_and(|uid| uid != 0);
        }
        let free = |arguments: &[&str]| {
            let arguments = [&["free", target], arguments].concat();
            let command = match sudo {
                true => shell::allears_with_rights(&arguments),
                false => shell::allears(&arguments),
            };
            // The path of this program may be one that no command line can hold.
            command.unwrap_or_else(|| "allears free, with more rights,".to_owned())
        };
        let managed = self.standing.iter().any(|listener| !self.managed(listener).is_empty());
        let by_kernel = |listener: &Listener| {
            listener.unseen.as_ref().is_some_and(|unseen| unseen.reason == Reason::Kernel)
        };
        let stands_for_others = self.standing.iter().flat_map(|listener| &listener.holders);
        let stands_for_others = stands_for_others.filter(|holder| role(&holder.process).is_some());
        let by_others = stands_for_others.map(|holder| self.seen.holder(holder)).next();
        let list_sockets = || {
            let mut holders = self.standing.iter().flat_map(|listener| &listener.holders);
            holders.find_map(|holder| list_sockets(&holder.process, self.seen.uid))
        };
        if self.standing.iter().any(by_kernel) {
            let mut known = false;
            for listener in self.standing.iter().filter(|listener| by_kernel(listener)) {
                let kernel = listener.unseen.as_ref().map(|unseen| unseen.kernel.as_slice());
                for line in kernel_socket::release_lines(kernel.unwrap_or_default(), &listener.socket) {
                    known = true;
                    add(line);
                }
            }
            if !known {
                add("the kernel holds it for something of its own, as a tunnel device or an NFS server: take that down"
                    .to_owned());
            }
        } else if let Some(ends) = self.standing.iter().filter_map(unseen::of).find_map(Unseen::ends) {
            add(format!("{ends}; allears free ends no process that may not be the one"));
        } else if self.standing.iter().any(|listener| service(listener).is_some_and(Service::is_socket_unit))
        {
            // Said above.
        } else if self.kernel_listens() {
            self.end_what_the_kernel_serves().into_iter().for_each(&mut add);
        } else if self.services_listen() {
            if !self.standing.iter().any(|listener| service(listener).is_some()) {
                add("svchost.exe runs services of Windows, and is not ended: sc.exe stop stops the one that has the port"
                    .to_owned());
            }
        } else if let Some(store) =
            self.standing.iter().find_map(|listener| listener.descriptor_store.as_ref())
        {
            let unit = store.unit.name.to_string_lossy();
            let releases = store_releases(store, self.seen.uid);
            let releases =
                releases.map_or_else(String::new, |releases| format!(": {releases} frees the port"));
            add(format!("systemd keeps it in the descriptor store of {unit}{releases}"));
        } else if let Some((what, command)) = list_sockets() {
            let names =
                shell::line(&command).map_or_else(String::new, |command| format!(": {command} names it"));
            add(format!("{what} holds it, as a rule for a socket unit{names}"));
        } else if let Some(help) = self.standing.iter().find_map(unexplained) {
            add(help);
        } else if !sudo && self.standing.iter().any(|listener| listener.unseen.is_some()) {
            add("its holder cannot be seen from here, and allears free ends only what it sees: ask outside of this \
                 container, or with more rights"
                .to_owned());
        } else if let Some(who) = by_others {
            let free = free(&["--dry-run"]);
            add(match managed {
                true => format!("{who} holds it for others, and is not ended; {free} says what for"),
                false => format!("{who} holds it for others; {free} says what for, and what frees it"),
            });
        } else {
            let free = free(&[]);
            add(format!("{free} ends it, after asking, and proves that the port is free"));
        }
        let past: Vec<Option<Past>> = self.standing.iter().map(|one| self.seen.past(&one.socket)).collect();
        if past.iter().any(|past| matches!(past, Some(Past::ShutDown | Past::Connected))) {
            add("its process has to close the socket or to end: until then the port stays bound".to_owned());
        } else if self.kind == VerdictKind::Bound {
            add(format!("it may be about to listen: allears wait {target} tells when it does"));
        }
        advice
    }

    /// What stops the container or the unit that a listener belongs to.
    fn managed(&self, listener: &Listener) -> Vec<String> {
        let own_uid = self.seen.uid;
        let started = listener.holders.iter().any(|holder| holder.process.service.is_some());
        let first = |holder: &Holder| {
            let owner = management::owner(listener, holder, &self.seen.accounts);
            managers(listener, holder, owner, None).into_iter().next()
        };
        let found: Vec<Manager> = match listener.holders.is_empty() {
            true => management::of_socket(listener).into_iter().collect(),
            false => listener.holders.iter().filter_map(first).collect(),
        };
        let mut advice: Vec<String> = Vec::new();
        for manager in found {
            let stop = manager.stop(own_uid).and_then(|stop| match &manager {
                Manager::Service { service, .. } => shell::line_for(shell_of(service), &stop),
                _ => shell::line(&stop),
            });
            let line = match (&manager, stop) {
                (Manager::Service { service, .. }, _) if service.is_socket_unit() => {
                    stop_socket_unit(service, started, own_uid)
                }
                (Manager::Service { .. }, Some(stop)) => {
                    Some(format!("{stop} stops the service, which may start again after a signal"))
                }
                (Manager::Container { .. }, Some(stop)) => Some(format!("{stop} stops the container")),
                _ => None,
            };
            advice.extend(line.filter(|line| !advice.contains(line)));
        }
        advice
    }

    /// The command that waits until what is asked for can be bound.
    fn wait_free(&self) -> String {
        let target = self.seen.asked.to_string();
        shell::allears(&["wait", "--free", &target])
            .unwrap_or_else(|| format!("allears wait --free {target}"))
    }

    /// How to find out which policy forbids a bind, the likely ones first.
    fn find_policy(&self) -> Vec<String> {
        let Some(Hindrance::Policy { suspects }) = self.hindrance else { return Vec::new() };
        let port = self.seen.asked.port;
        let of = |suspect: &Suspect| match suspect {
            Suspect::Landlock => format!(
                "Landlock: the program that started this one has to allow {port}, and a program that is started outside \
                 of the sandbox can bind it (Linux 6.15 and later log what Landlock refuses: journalctl -k | grep landlock)"
            ),
            Suspect::CgroupProgram => {
                "a BPF program of the cgroup: sudo bpftool cgroup tree lists them; systemd attaches one for \
                 SocketBindAllow= and SocketBindDeny= of a unit"
                    .to_owned()
            }
            Suspect::Seccomp => {
                "a seccomp filter: it belongs to what started this process, as a container runtime or \
                 SystemCallFilter= of a unit"
                    .to_owned()
            }
            Suspect::AppArmor => {
                "AppArmor: sudo journalctl -k | grep DENIED shows what it refused".to_owned()
            }
            Suspect::SeLinux => format!(
                "SELinux: sudo ausearch -m avc -ts recent shows what it refused; sudo semanage port -l | grep -w {port} \
                 the type of the port"
            ),
            Suspect::OtherModule => "another security module: its log is the kernel's (dmesg)".to_owned(),
        };
        let mut advice: Vec<String> = suspects.iter().map(of).collect();
        if advice.is_empty() {
            advice.push(
                "look for a security module, a seccomp filter, or a BPF program of the cgroup (sudo bpftool cgroup tree)"
                    .to_owned(),
            );
        }
        advice
    }

    /// The value that reserves this port besides those that are reserved.
    fn reserved_with(&self, port: u16) -> String {
        let known = self.seen.limits.reserved.iter().map(|range| match range.start() == range.end() {
            true => range.start().to_string(),
            false => format!("{}-{}", range.start(), range.end()),
        });
        known.chain([port.to_string()]).collect::<Vec<_>>().join(",")
    }

    /// What shows the sockets that no table of Windows' IP helper has.
    fn show_bound(&self) -> String {
        let port = self.seen.asked.port;
        format!(
            "a socket that is bound and does not listen is in no table that allears reads: in PowerShell, \
             Get-NetTCPConnection -LocalPort {port} -State Bound shows it with its process"
        )
    }

    fn unknown(&self) -> Vec<String> {
        match (self.refused.map(|refusal| refusal.kind), self.seen.os) {
            (Some(RefusalKind::InUse), "linux") => vec![
                "look for a program that was started with this port: a socket that is bound and does not listen is \
                 not always shown"
                    .to_owned(),
                format!("{} tells when it is free", self.wait_free()),
            ],
            (Some(RefusalKind::InUse), "windows") => vec![self.show_bound()],
            (Some(RefusalKind::Denied), "windows") => vec![
                self.show_bound(),
                "Windows keeps ranges of ports back for Hyper-V and WinNAT: netsh interface ipv4 show \
                 excludedportrange protocol=tcp"
                    .to_owned(),
            ],
            (Some(RefusalKind::Denied), "linux") => self.find_policy(),
            _ => Vec::new(),
        }
    }
}

/// What would show who holds a socket that every table which may be read lacks.
fn unexplained(listener: &Listener) -> Option<String> {
    let unseen = unseen::of(listener).filter(|unseen| unseen.reason == Reason::Unknown)?;
    unseen.help.as_ref().map(|help| format!("no process was seen to have it: {help}"))
}

/// The shell in which a service manager's command is typed.
fn shell_of(service: &Service) -> Shell {
    if service.manager == ServiceManager::Windows { Shell::Windows } else { Shell::Posix }
}

/// What lists and frees a range that Windows keeps back.
fn excluded(range: &Excluded, protocol: Protocol) -> Vec<String> {
    let (family, protocol) = (range.family.as_str(), protocol.as_str());
    let (start, end) = (range.ports.start(), range.ports.end());
    let list =
        format!("netsh interface {family} show excludedportrange protocol={protocol} lists the ranges");
    let free = match range.administered {
        true => format!(
            "an administrator put this one there: netsh interface {family} delete excludedportrange protocol={protocol} \
             startport={start} numberofports={} takes it away, as administrator",
            u32::from(end - start) + 1
        ),
        false => {
            "Hyper-V and WinNAT take such ranges when they start: net stop winnat, then net start winnat, as \
                  administrator, lets them choose again"
                .to_owned()
        }
    };
    vec![list, free, "or take a port outside of them".to_owned()]
}
