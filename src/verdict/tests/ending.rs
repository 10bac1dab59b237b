//! The advice on how to end what has a port, by what holds it.

use super::super::JoinOptions;
use super::*;
use crate::management::kernel_socket::CloseEffect;
use crate::management::test_support::{container, system_unit};
use crate::model::{
    Candidate, Condition, DescriptorStore, Evidence, Help, KernelSocket, KernelSocketKind, Process, Service,
    Unseen, UnseenReason,
};

fn listening(name: &str) -> Listener {
    held_by(socket("0.0.0.0", None, State::Listen), name)
}

/// A listener of `node` whose holder is changed.
fn changed(change: impl FnOnce(&mut Process)) -> Listener {
    let mut listener = listening("node");
    let process = &mut listener.holders[0].process;
    let mut owned = Process::clone(process);
    change(&mut owned);
    *process = owned.into();
    listener
}

fn unseen(mut listener: Listener, reason: UnseenReason, help: Option<Help>) -> Listener {
    listener.holders.clear();
    with_unseen_holder(listener, reason, help)
}

fn words(line: &str) -> Vec<Text> {
    line.split(' ').map(Text::from).collect()
}

/// What a user with this uid is advised to do.
fn advised(uid: u32, sockets: Vec<Listener>) -> Vec<Advice> {
    judge(Observation { uid: Some(uid), ..observation(IN_USE, IN_USE, sockets) }).advice
}

fn free(privileged: bool) -> Advice {
    Advice::Free { target: bind_target(None), privileged }
}

#[test]
fn another_users_server_needs_permissions() {
    assert_eq!(advised(1000, vec![listening("node")]), [free(false)], "its own");
    assert_eq!(advised(1001, vec![listening("node")]), [free(true)]);
    assert_eq!(advised(0, vec![listening("node")]), [free(false)], "root may end every process");
    let hidden = || unseen(listening("node"), UnseenReason::Permission, Some(Help::ScanAgain));
    assert_eq!(advised(1000, vec![hidden()]), [free(true)]);
    assert_eq!(advised(0, vec![hidden()]), [Advice::AskOutside], "not even root sees the holder");
    let unknown = || unseen(listening("node"), UnseenReason::Unknown, Some(Help::ScanAgain));
    assert_eq!(advised(1000, vec![unknown()]), [Advice::ShowHolder { help: Help::ScanAgain }]);
    let mut beside = unknown();
    beside.holders = listening("node").holders;
    assert_eq!(advised(1000, vec![beside]), [free(true)], "a holder is known");
}

#[test]
fn a_service_is_stopped_by_its_manager() {
    let service = system_unit("web.service");
    let of_service = changed(|process| process.service = Some(service.clone()));
    let stop = Advice::StopService { service, command: words("systemctl stop -- web.service") };
    assert_eq!(advised(1000, vec![of_service.clone(), of_service]), [stop, free(false)]);
}

#[test]
fn a_container_is_stopped_by_its_engine() {
    let of_container = changed(|process| process.container = Some(container("docker", "web")));
    let stop =
        Advice::StopContainer { container: container("docker", "web"), command: words("docker stop web") };
    assert_eq!(advised(1000, vec![of_container]), [stop.clone(), free(false)]);
    let mut rule = socket("192.0.2.1", None, State::Forwarded);
    rule.container = Some(container("docker", "web").into());
    let forwarded = Observation { forwarded: vec![rule], ..observation(None, None, vec![]) };
    assert_eq!(judge(forwarded).advice, [stop, Advice::ConnectionsBypass]);
}

/// A socket unit is stopped together with the service that it started. Ending the holders alone frees nothing.
#[test]
fn a_socket_unit_is_stopped_with_its_service() {
    let unit = Service { activates: Some("web.service".into()), ..system_unit("web.socket") };
    let stop = |started: Option<&str>, command: &str| Advice::StopSocketUnit {
        unit: unit.clone(),
        started: started.map(Text::from),
        command: words(command),
    };
    let mut started = changed(|process| process.service = Some(system_unit("web.service")));
    started.service = Some(unit.clone().into());
    assert_eq!(
        advised(1000, vec![started]),
        [stop(Some("web.service"), "systemctl stop -- web.socket web.service")]
    );
    let mut waiting = changed(|process| process.id.pid = 1);
    waiting.service = Some(unit.clone().into());
    assert_eq!(advised(1000, vec![waiting]), [stop(None, "systemctl stop -- web.socket")]);
    let manager = changed(|process| process.id.pid = 1);
    let list = Advice::ListSocketUnits { uid: None, command: words("systemctl list-sockets") };
    assert_eq!(advised(1000, vec![manager]), [list], "its unit is unknown");
}

#[test]
fn a_socket_in_a_descriptor_store_is_released() {
    let unit = system_unit("web.service");
    let store = DescriptorStore { unit, active: Some(true), preserved: Some(false) };
    let mut stored = listening("node");
    stored.descriptor_store = Some(Box::new(store.clone()));
    let commands = vec![words("systemctl stop -- web.service")];
    let release = Advice::ReleaseDescriptorStore { store: Box::new(store), commands };
    assert_eq!(advised(1000, vec![stored]), [release]);
}

#[test]
fn a_kernel_socket_is_closed_by_its_interface() {
    let of_kernel = |interfaces: &[&str]| {
        let mut listener = unseen(socket("0.0.0.0", None, State::Listen), UnseenReason::Kernel, None);
        let interface = |name: &&str| KernelSocket {
            kind: KernelSocketKind::Wireguard,
            interface: Some((*name).into()),
            id: None,
            namespace: None,
        };
        let unseen = listener.unseen.as_mut().unwrap();
        unseen.kernel = interfaces.iter().map(interface).collect();
        advised(1000, vec![listening("node"), listener])
    };
    let close = |name: &str, shared| {
        [("set NAME down", CloseEffect::TakesInterfaceDown), ("del NAME", CloseEffect::RemovesInterface)].map(
            |(command, effect)| Advice::CloseKernelSocket {
                kind: KernelSocketKind::Wireguard,
                namespace: None,
                command: words(&format!("ip link {}", command.replace("NAME", name))),
                effect,
                shared,
            },
        )
    };
    assert_eq!(of_kernel(&["wg0"]), close("wg0", false));
    assert_eq!(of_kernel(&["wg0", "wg1"]), [close("wg0", true), close("wg1", true)].concat());
    assert_eq!(of_kernel(&[]), [Advice::TakeDownKernelUser]);
}

#[test]
fn a_socket_in_a_message_has_no_descriptor() {
    let mut waiting = unseen(listening("node"), UnseenReason::InFlight, None);
    let candidate = Candidate { pid: 5, name: "node".into(), evidence: Evidence::Descriptor };
    waiting.unseen.as_mut().unwrap().candidates = vec![candidate];
    let unseen = Unseen::clone(waiting.unseen.as_deref().unwrap());
    assert_eq!(advised(1000, vec![waiting]), [Advice::EndUnseenHold(unseen)]);
}

#[test]
fn a_process_that_stands_for_others_is_not_ended() {
    let engine = listening("dockerd");
    let by_manager = |managed| Advice::FreeByManager {
        process: Box::new(Process::clone(&engine.holders[0].process)),
        target: bind_target(None),
        managed,
        privileged: false,
    };
    assert_eq!(advised(1000, vec![engine.clone()]), [by_manager(false)]);
    let of_service = changed(|process| process.service = Some(system_unit("web.service")));
    let advice = advised(1000, vec![of_service, engine.clone()]);
    assert_eq!(advice[1..], [by_manager(true)], "{advice:?}");
}

#[test]
fn a_stopped_holder_is_resumed_first() {
    let stopped = changed(|process| process.condition = Some(Condition::Stopped { shell: None }));
    let process = Box::new(Process::clone(&stopped.holders[0].process));
    assert_eq!(advised(1000, vec![stopped]), [Advice::Resume(process), free(false)]);
}

#[test]
fn a_bound_socket_may_listen_later() {
    let bound = held_by(socket("127.0.0.1", None, State::Bound), "node");
    let wait = Advice::WaitUntilListening { target: bind_target(None) };
    assert_eq!(advised(1000, vec![bound]), [free(false), wait]);
}

#[test]
fn a_udp_port_is_shared_by_the_option_that_was_accepted() {
    let shared = |reuse_address, reuse_port| {
        let mut observed = observation(IN_USE, IN_USE, vec![listening("node")]);
        observed.target.protocol = Protocol::Udp;
        observed.sockets[0].socket.protocol = Protocol::Udp;
        observed.sockets[0].socket.state = State::Bound;
        observed.join_options = Some(JoinOptions { reuse_address, reuse_port });
        judge(observed).advice.into_iter().find(|one| matches!(one, Advice::SharePort(_)))
    };
    let by = |option| Some(Advice::SharePort(option));
    assert_eq!(
        shared(Some(true), Some(true)),
        by(ShareOption::ReuseAddress),
        "it is not limited to one user"
    );
    assert_eq!(shared(Some(true), Some(false)), by(ShareOption::ReuseAddress));
    assert_eq!(shared(Some(false), Some(true)), by(ShareOption::ReusePort));
    assert_eq!(shared(None, Some(true)), by(ShareOption::ReusePort));
    assert_eq!((shared(Some(false), Some(false)), shared(None, None)), (None, None));
}
