//! The advice of a verdict, by its kind and by what is in the way.

use std::ops::RangeInclusive;

use super::super::{Advice, BoundHistory, Hindrance, ShareOption, VerdictKind};
use super::{Explanation, add_once, service};
use crate::bind_attempt::BindRefusalKind;
use crate::management::role::role;
use crate::management::service_command::{list_sockets, release_store, stop_socket_unit};
use crate::management::{self, Manager, managers};
use crate::model::{Help, Holder, Listener, Process, Service, State, System, Text, Unseen, UnseenReason};
use crate::os::ExcludedRange;

/// The most processes that are named as holders of other ends.
const MOST_ENDS: usize = 4;

impl Explanation<'_> {
    /// Returns the advice, in the order in which to try it.
    pub(in crate::verdict) fn advice(&self) -> Vec<Advice> {
        let target = || self.observation.target.clone();
        let port = self.observation.target.port;
        let linux = self.observation.os == System::Linux;
        match self.kind {
            VerdictKind::Reserved if self.can_bind == Some(false) => {
                self.excluded().map_or_else(Vec::new, |range| self.leave_excluded_range(range))
            }
            VerdictKind::Free | VerdictKind::Reserved => Vec::new(),
            VerdictKind::Forwarded if self.standing.is_empty() => {
                let mut advice = vec![Advice::FindForwarding];
                advice.extend(self.read_forwarding_rules());
                advice.extend(linux.then_some(Advice::ListForwardingRules));
                advice
            }
            VerdictKind::Forwarded
                if self.standing.iter().all(|one| one.socket.state == State::Forwarded) =>
            {
                let mut advice: Vec<Advice> = Vec::new();
                for one in self.standing.iter().flat_map(|listener| self.stop_manager(listener)) {
                    add_once(&mut advice, one);
                }
                advice.push(Advice::ConnectionsBypass);
                advice
            }
            VerdictKind::Listening | VerdictKind::Forwarded | VerdictKind::Bound => self.end(),
            VerdictKind::TimeWait | VerdictKind::Connection => self.outlast(),
            VerdictKind::Privileged if linux => vec![
                Advice::GrantCapability,
                Advice::UseSocketUnit { port },
                Advice::LowerPrivilegedLimit { port },
                Advice::ForwardFromPrivileged,
            ],
            VerdictKind::Privileged => vec![Advice::BindAsRoot],
            VerdictKind::AddressNotLocal if self.hindrance.is_some_and(Hindrance::may_pass) => {
                vec![Advice::WaitForAddress { target: target() }]
            }
            VerdictKind::AddressNotLocal if matches!(self.hindrance, Some(Hindrance::Duplicate { .. })) => {
                vec![Advice::FindDuplicateAddress, Advice::AddAddressAgain]
            }
            VerdictKind::AddressNotLocal => vec![Advice::UseLocalAddress],
            VerdictKind::Unknown if self.can_bind == Some(true) => {
                self.read_forwarding_rules().into_iter().collect()
            }
            VerdictKind::Unknown => match (self.refused.map(|refusal| refusal.kind), &self.observation.os) {
                (Some(BindRefusalKind::InUse), System::Linux) => {
                    vec![Advice::FindBoundSocket, Advice::WaitUntilFree { target: target() }]
                }
                (Some(BindRefusalKind::InUse), System::Windows) => vec![Advice::ListBoundSockets { port }],
                (Some(BindRefusalKind::Denied), System::Windows) => {
                    vec![Advice::ListBoundSockets { port }, Advice::FindExcludedRange]
                }
                (Some(BindRefusalKind::Denied), System::Linux) => self.find_policy(),
                _ => Vec::new(),
            },
        }
    }

    /// Returns whether the calling user lacks full permissions.
    fn is_unprivileged(&self) -> bool {
        self.observation.uid.is_some_and(|uid| uid != 0)
    }

    fn read_forwarding_rules(&self) -> Option<Advice> {
        self.is_unprivileged()
            .then(|| Advice::ReadForwardingRules { target: self.observation.target.clone() })
    }

    /// Returns how to list and free a range of ports that Windows excludes.
    fn leave_excluded_range(&self, range: &ExcludedRange) -> Vec<Advice> {
        let (family, protocol) = (range.family, self.observation.target.protocol);
        let free = match range.administered {
            true => Advice::RemoveExcludedRange { family, protocol, range: range.ports.clone() },
            false => Advice::RestartWinNat,
        };
        vec![Advice::ListExcludedRanges { family, protocol }, free, Advice::UsePortOutside]
    }

    /// Returns how to bind despite connections.
    fn outlast(&self) -> Vec<Advice> {
        let observation = self.observation;
        let target = || observation.target.clone();
        let mut advice = Vec::new();
        if self.can_bind == Some(true) {
            advice.push(Advice::SetReuseAddress);
        }
        if self.kind == VerdictKind::TimeWait {
            let alternative = !advice.is_empty();
            advice.push(Advice::WaitForTimeWait {
                target: target(),
                left: observation.time_wait_left,
                alternative,
            });
        } else {
            let orphans = self.orphans();
            let mut ends: Vec<Listener> = Vec::new();
            for other_end in orphans.iter().filter_map(|orphan| orphan.other_end.as_ref()) {
                let holders = |listener: &Listener| -> Vec<_> {
                    listener.holders.iter().map(|holder| holder.process.id).collect()
                };
                if !ends.iter().any(|known| holders(known) == holders(other_end)) {
                    ends.push(other_end.clone());
                }
            }
            ends.truncate(MOST_ENDS);
            let alternative = !ends.is_empty();
            advice.extend(alternative.then_some(Advice::CloseOtherEnds(ends)));
            advice.push(match self.can_bind {
                Some(false) | None if !orphans.is_empty() => {
                    Advice::WaitForKernel { target: target(), alternative }
                }
                Some(true) => Advice::EndConnection,
                _ => Advice::EndConnectionOrWait { target: target() },
            });
        }
        if observation.os == System::Linux && self.ephemeral().is_some() {
            let port = observation.target.port;
            let reserved = observation.limits.reserved.iter().cloned();
            let ports: Vec<RangeInclusive<u16>> = reserved.chain([port..=port]).collect();
            advice.push(Advice::ReservePorts(ports));
        }
        advice
    }

    /// Returns how to end what has the port.
    fn end(&self) -> Vec<Advice> {
        let mut advice: Vec<Advice> = Vec::new();
        for (process, _) in self.suspended() {
            add_once(&mut advice, Advice::Resume(Box::new(process.clone())));
        }
        match self
            .observation
            .join_options
            .map(|join_options| (join_options.reuse_address, join_options.reuse_port))
        {
            Some((Some(true), _)) => advice.push(Advice::SharePort(ShareOption::ReuseAddress)),
            Some((_, Some(true))) => advice.push(Advice::SharePort(ShareOption::ReusePort)),
            _ => {}
        }
        let mut managed = false;
        for one in self.standing.iter().flat_map(|listener| self.stop_manager(listener)) {
            managed = true;
            add_once(&mut advice, one);
        }
        for one in self.end_holder(managed) {
            add_once(&mut advice, one);
        }
        let history = |one: &Listener| self.observation.history(&one.socket);
        let was_open = |history| matches!(history, Some(BoundHistory::ShutDown | BoundHistory::Connected));
        if self.standing.iter().map(history).any(was_open) {
            advice.push(Advice::CloseSocket);
        } else if self.kind == VerdictKind::Bound {
            advice.push(Advice::WaitUntilListening { target: self.observation.target.clone() });
        }
        advice
    }

    /// Returns how to end the holder, or what helps if there is no holder that may be ended. `managed` is whether the
    /// advice has the command of its manager already.
    fn end_holder(&self, managed: bool) -> Vec<Advice> {
        let target = || self.observation.target.clone();
        let own_uid = self.observation.uid;
        let processes =
            || self.standing.iter().flat_map(|listener| &listener.holders).map(|one| &*one.process);
        let by_kernel = |listener: &&Listener| {
            listener.unseen.as_deref().is_some_and(|unseen| unseen.reason == UnseenReason::Kernel)
        };
        let foreign = self.standing.iter().any(|listener| {
            listener.unseen.is_some() || listener.holders.iter().any(|holder| holder.process.uid != own_uid)
        });
        let privileged = foreign && self.is_unprivileged();
        if self.standing.iter().any(|listener| by_kernel(&listener)) {
            let close: Vec<Advice> =
                self.standing.iter().filter(by_kernel).flat_map(close_kernel_socket).collect();
            return if close.is_empty() { vec![Advice::TakeDownKernelUser] } else { close };
        }
        let without_descriptor = |unseen: &&Unseen| unseen.without_descriptor().is_some();
        if let Some(unseen) = self.standing.iter().filter_map(Listener::unseen_alone).find(without_descriptor)
        {
            return vec![Advice::EndUnseenHold(unseen.clone())];
        }
        if self.standing.iter().any(|listener| service(listener).is_some_and(Service::is_socket_unit)) {
            // The command that stops the unit is in the advice already.
            return Vec::new();
        }
        if self.kernel_listens() {
            return self.end_http_servers();
        }
        if self.services_listen() {
            let known = self.standing.iter().any(|listener| service(listener).is_some());
            return if known { Vec::new() } else { vec![Advice::StopHostedService] };
        }
        if let Some(store) = self.standing.iter().find_map(|listener| listener.descriptor_store.as_ref()) {
            let commands = release_store(store, own_uid);
            return vec![Advice::ReleaseDescriptorStore { store: store.clone(), commands }];
        }
        if let Some((uid, command)) = processes().find_map(|process| list_sockets(process, own_uid)) {
            return vec![Advice::ListSocketUnits { uid, command }];
        }
        if let Some(help) = self.standing.iter().find_map(unexplained) {
            return vec![Advice::ShowHolder { help }];
        }
        if !privileged && self.standing.iter().any(|listener| listener.unseen.is_some()) {
            return vec![Advice::AskOutside];
        }
        let stands_for_others = |process: &&Process| role(process).is_some();
        match processes().find(stands_for_others) {
            Some(process) => vec![Advice::FreeByManager {
                process: Box::new(Process::clone(process)),
                target: target(),
                managed,
                privileged,
            }],
            None => vec![Advice::Free { target: target(), privileged }],
        }
    }

    /// Returns how to stop the container or the unit of a listener.
    fn stop_manager(&self, listener: &Listener) -> Vec<Advice> {
        let own_uid = self.observation.uid;
        let started = listener.holders.iter().any(|holder| holder.process.service.is_some());
        let first = |holder: &Holder| {
            let engine_user = management::engine_user(listener, holder, &self.observation.engine_users);
            managers(listener, holder, engine_user, None).into_iter().next()
        };
        let found: Vec<Manager> = match listener.holders.is_empty() {
            true => management::manager_of_socket(listener).into_iter().collect(),
            false => listener.holders.iter().filter_map(first).collect(),
        };
        let mut advice: Vec<Advice> = Vec::new();
        for manager in found {
            let command = manager.stop(own_uid);
            let one = match (manager, command) {
                (Manager::Service { service, .. }, _) if service.is_socket_unit() => {
                    stop_socket_unit(&service, started, own_uid)
                        .map(|(command, started)| Advice::StopSocketUnit { unit: service, started, command })
                }
                (Manager::Service { service, .. }, Some(command)) => {
                    Some(Advice::StopService { service, command })
                }
                (Manager::Container { container, .. }, Some(command)) => {
                    Some(Advice::StopContainer { container, command })
                }
                _ => None,
            };
            if let Some(one) = one {
                add_once(&mut advice, one);
            }
        }
        advice
    }
}

/// Returns how to close a kernel socket.
fn close_kernel_socket(listener: &Listener) -> Vec<Advice> {
    let kernel = listener.unseen.as_deref().map_or(&[][..], |unseen| unseen.kernel.as_slice());
    let mut advice = Vec::new();
    for one in kernel {
        let namespace = one.namespace.as_ref().or(listener.socket.namespace.as_ref());
        for close in one.close_commands(&listener.socket) {
            advice.push(Advice::CloseKernelSocket {
                kind: one.kind,
                namespace: namespace.cloned(),
                command: close.command.iter().map(|word| Text::from(word.as_str())).collect(),
                effect: close.effect,
                shared: kernel.len() > 1,
            });
        }
    }
    advice
}

/// Returns what would show the holder of a socket that is in no readable descriptor table.
fn unexplained(listener: &Listener) -> Option<Help> {
    listener.unseen_alone().filter(|unseen| unseen.reason == UnseenReason::Unknown)?.help.clone()
}
