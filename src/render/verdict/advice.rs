//! Sentences for advice. Quotes commands.

use std::ops::RangeInclusive;

use super::facts::http_server;
use crate::bind_attempt::BindTarget;
use crate::management::suspension;
use crate::model::{Container, DescriptorStore, Family, Process, Protocol, Service, ServiceManager, Text};
use crate::render::escape::{self, escape};
use crate::render::phrases;
use crate::shell::{self, Shell};
use crate::verdict::{Advice, ShareOption, SuspectedPolicy};

/// The most services in one sentence.
const MOST: usize = 4;

/// Returns an advice as a sentence.
pub(super) fn advice(advice: &Advice) -> String {
    match advice {
        Advice::ListExcludedRanges { family, protocol } => {
            format!("{} lists the ranges", netsh(*family, &format!("show excludedportrange protocol={}", protocol.as_str())))
        }
        Advice::RemoveExcludedRange { family, protocol, range } => remove_range(*family, *protocol, range),
        Advice::RestartWinNat => {
            "Hyper-V and WinNAT take such ranges when they start: net stop winnat, then net start winnat, as \
             administrator, lets them choose again"
                .to_owned()
        }
        Advice::UsePortOutside => "or use a port outside of them".to_owned(),
        Advice::FindExcludedRange => {
            "Windows reserves ranges of ports for Hyper-V and WinNAT: netsh interface ipv4 show excludedportrange \
             protocol=tcp lists them"
                .to_owned()
        }
        Advice::FindForwarding => {
            "a server that binds here may never get a connection: search for published container ports and for NAT rules"
                .to_owned()
        }
        Advice::ReadForwardingRules { target } => {
            format!("{} reads the forwarding rules", allears(&["why", &target_or_address(target)], true))
        }
        Advice::ListForwardingRules => "docker ps; sudo nft list ruleset; sudo iptables -t nat -S".to_owned(),
        Advice::ConnectionsBypass => "a server that binds here may never get a connection".to_owned(),
        Advice::StopContainer { container, command } => stop_container(container, command),
        Advice::StopService { service, command } => stop_service(service, command),
        Advice::StopSocketUnit { unit, started, command } => {
            stop_socket_unit(unit, started.as_ref(), command)
        }
        Advice::SetReuseAddress => "set SO_REUSEADDR before bind, as servers do".to_owned(),
        Advice::SharePort(ShareOption::ReuseAddress) => {
            "to share the port, set SO_REUSEADDR before bind, as programs for multicast do".to_owned()
        }
        Advice::SharePort(ShareOption::ReusePort) => {
            "to share the port, set SO_REUSEPORT before bind, as the same user".to_owned()
        }
        Advice::WaitForTimeWait { target, left, alternative } => {
            let left = left.map_or_else(String::new, |left| format!(" ({})", phrases::whole_seconds(left)));
            format!("{}wait until it is over{left}: {}", conjunction(*alternative), wait_free(target))
        }
        Advice::CloseOtherEnds(listeners) => {
            format!("let {} close the other end", phrases::list(listeners, usize::MAX, phrases::holders))
        }
        Advice::WaitForKernel { target, alternative } => {
            format!("{}wait until the kernel gives it up: {}", conjunction(*alternative), wait_free(target))
        }
        Advice::EndConnection => {
            "or end the connection at either side: a bind without it succeeds after that".to_owned()
        }
        Advice::EndConnectionOrWait { target } => {
            format!("end the connection at either side, or wait for its end: {}", wait_free(target))
        }
        Advice::ReservePorts(ports) => format!(
            "keep outgoing connections off it: sudo sysctl -w net.ipv4.ip_local_reserved_ports={}",
            phrases::list(ports, usize::MAX, range).replace(", ", ",")
        ),
        Advice::GrantCapability => {
            "give the program the capability: sudo setcap cap_net_bind_service=+ep PROGRAM".to_owned()
        }
        Advice::UseSocketUnit { port } => {
            format!("or let systemd bind it and pass it on: ListenStream={port} in a .socket unit")
        }
        Advice::LowerPrivilegedLimit { port } => {
            format!("or lower the machine's limit: sudo sysctl -w net.ipv4.ip_unprivileged_port_start={port}")
        }
        Advice::ForwardFromPrivileged => {
            "or use a port above the limit, and let a proxy or a firewall forward connections".to_owned()
        }
        Advice::BindAsRoot => "bind it as root, or use a port above 1023".to_owned(),
        Advice::WaitForAddress { target } => {
            format!("wait until the address can be bound, usually some seconds: {}", wait_free(target))
        }
        Advice::FindDuplicateAddress => {
            "find what else has the address on that link, usually another machine, and give one of the two another address"
                .to_owned()
        }
        Advice::AddAddressAgain => {
            "then remove the address here and add it again: the kernel does not repeat a detection that failed".to_owned()
        }
        Advice::UseLocalAddress => {
            "use one of this machine's own addresses, or the wildcard 0.0.0.0 or ::".to_owned()
        }
        Advice::FindBoundSocket => {
            "search for a program that was started with this port: a socket that is bound and does not listen is not always \
             listed"
                .to_owned()
        }
        Advice::ListBoundSockets { port } => format!(
            "a socket that is bound and does not listen is in no table that allears reads: in PowerShell, \
             Get-NetTCPConnection -LocalPort {port} -State Bound lists it with its process"
        ),
        Advice::WaitUntilFree { target } => format!("{} returns when it is free", wait_free(target)),
        Advice::CheckPolicy { suspect, port } => check_policy(*suspect, *port),
        Advice::FindPolicy => {
            "search for a security module, a seccomp filter, or a BPF program of the cgroup (sudo bpftool cgroup tree)"
                .to_owned()
        }
        Advice::Resume(process) => resume(process),
        Advice::CloseKernelSocket { kind, namespace, command, effect, shared } => {
            let command = command_line(command);
            phrases::close_command(*kind, &command, *effect, *shared, namespace.as_ref())
        }
        Advice::TakeDownKernelUser => {
            "the kernel holds it for a part of its own, such as a tunnel device or an NFS server: take that down".to_owned()
        }
        Advice::EndUnseenHold(unseen) => {
            let ends = phrases::unseen_ends(unseen).map_or_else(String::new, |ends| format!("{ends}; "));
            format!("{ends}allears free ends no process that may not be the holder")
        }
        Advice::EndHttpServer(server) => format!("end {}: the kernel has the port for it", http_server(server)),
        Advice::StopHttpService { service, command } => {
            match shell::line_for(Shell::Windows, command) {
                Some(stop) => {
                    format!("{stop}, as administrator, stops the service that the kernel has the port for")
                }
                None => format!(
                    "stop the service that the kernel has the port for, as administrator: {}",
                    escape(service)
                ),
            }
        }
        Advice::StopOneOfHttpServices(services) => format!(
            "stop the one of these services that the kernel has the port for: {}",
            phrases::list(services, MOST, escape)
        ),
        Advice::TurnOffFileSharing => {
            "the kernel shares Windows' files there: turn that off, or use another port".to_owned()
        }
        Advice::FindHttpServer => {
            "netsh http show servicestate view=requestq, as administrator, names the program that the kernel has it for; or \
             use another port"
                .to_owned()
        }
        Advice::StopHostedService => {
            "svchost.exe runs services of Windows, and is not ended: sc.exe stop stops the one that has the port"
                .to_owned()
        }
        Advice::ReleaseDescriptorStore { store, commands } => release_store(store, commands),
        Advice::ListSocketUnits { uid, command } => {
            let holder = match uid {
                None => "the first process of this system".to_owned(),
                Some(uid) => format!("the service manager of the user with uid {uid}"),
            };
            let names = shell::line(command).map_or_else(String::new, |list| format!(": {list} names it"));
            format!("{holder} holds it, usually for a socket unit{names}")
        }
        Advice::ShowHolder { help } => format!("no process was seen to have it: {}", phrases::help(help)),
        Advice::AskOutside => {
            "its holder cannot be seen from here, and allears free ends only processes that it sees: ask from outside of \
             this container, or with more permissions"
                .to_owned()
        }
        Advice::FreeByManager { process, target, managed, privileged } => {
            let free = allears(&["free", &phrases::target(target), "--dry-run"], *privileged);
            let who = phrases::process(process);
            match managed {
                true => format!("{who} holds it for others, and is not ended; {free} names them"),
                false => format!("{who} holds it for others; {free} names them, and what frees it"),
            }
        }
        Advice::Free { target, privileged } => {
            let free = allears(&["free", &phrases::target(target)], *privileged);
            format!("{free} ends it, after asking, and proves that the port is free")
        }
        Advice::CloseSocket => {
            "its process has to close the socket or to end: until then the port stays bound".to_owned()
        }
        Advice::WaitUntilListening { target } => format!(
            "it may be about to listen: {} returns when it does",
            allears(&["wait", &phrases::target(target)], false)
        ),
    }
}

/// Returns the command that runs this program, with full permissions if need be. The path of this program may be one that
/// no command line can hold; then it is called by its name.
fn allears(arguments: &[&str], privileged: bool) -> String {
    let line = match privileged {
        true => phrases::allears_with_sudo(arguments),
        false => shell::allears(arguments),
    };
    line.unwrap_or_else(|| {
        let words: Vec<Text> = arguments.iter().map(|word| Text::from(*word)).collect();
        let with = if privileged { ", with full permissions," } else { "" };
        format!("allears {}{with}", escape::command_line(&words))
    })
}

/// Returns the command that waits until a port can be bound.
fn wait_free(target: &BindTarget) -> String {
    allears(&["wait", "--free", &target.to_string()], false)
}

/// Returns the target with its address, or as [`phrases::target`] does if it has none.
fn target_or_address(target: &BindTarget) -> String {
    match target.address {
        Some(address) => std::net::SocketAddr::new(address, target.port).to_string(),
        None => phrases::target(target),
    }
}

fn conjunction(alternative: bool) -> &'static str {
    if alternative { "or " } else { "" }
}

/// Returns a range of ports: `80`, `80-90`.
fn range(range: &RangeInclusive<u16>) -> String {
    match range.start() == range.end() {
        true => range.start().to_string(),
        false => format!("{}-{}", range.start(), range.end()),
    }
}

fn netsh(family: Family, arguments: &str) -> String {
    format!("netsh interface {} {arguments}", family.as_str())
}

fn remove_range(family: Family, protocol: Protocol, range: &RangeInclusive<u16>) -> String {
    let remove = netsh(
        family,
        &format!(
            "delete excludedportrange protocol={} startport={} numberofports={}",
            protocol.as_str(),
            range.start(),
            u32::from(range.end() - range.start()) + 1
        ),
    );
    format!("an administrator excluded this one: {remove} removes it, as administrator")
}

/// Returns a command as a line that is safe to paste; if there is none, in words that no shell takes for a command.
fn command_line(command: &[Text]) -> String {
    shell::line(command).unwrap_or_else(|| {
        let program = command.first().map(escape).unwrap_or_default();
        format!("{program}, with a name that cannot be written as a safe command,")
    })
}

fn stop_container(container: &Container, command: &[Text]) -> String {
    match shell::line(command) {
        Some(stop) => format!("{stop} stops the container"),
        None => format!("stop the {}", phrases::container_or_pod(container)),
    }
}

fn stop_service(service: &Service, command: &[Text]) -> String {
    // Each service manager's command is typed in the shell of its system.
    let shell = if service.manager == ServiceManager::Windows { Shell::Windows } else { Shell::Posix };
    match shell::line_for(shell, command) {
        Some(stop) => format!("{stop} stops the service, which may start again after a signal"),
        None => format!(
            "stop the service, which may start again after a signal: {}, whose name cannot be written as a safe command",
            escape(&service.name)
        ),
    }
}

fn stop_socket_unit(unit: &Service, started: Option<&Text>, command: &[Text]) -> String {
    let name = escape(&unit.name);
    let stop = command_line(command);
    match (started, &unit.activates) {
        (Some(started), _) => format!(
            "{stop} frees the port: systemd holds it for {name}, and starts {} again if that alone is stopped",
            escape(started)
        ),
        (None, Some(activates)) => format!(
            "{stop} frees the port: systemd holds it for {name} and starts {} when a client connects",
            escape(activates)
        ),
        (None, None) => format!("{stop} frees the port: systemd holds it for {name}"),
    }
}

fn release_store(store: &DescriptorStore, commands: &[Vec<Text>]) -> String {
    let frees = phrases::commands_in_order(commands);
    let frees = frees.map_or_else(String::new, |commands| format!(": {commands} frees the port"));
    format!("systemd keeps it in the descriptor store of {}{frees}", escape(&store.unit.name))
}

fn resume(process: &Process) -> String {
    let pid = process.id.pid;
    match process.condition.as_ref().zip(suspension::helps(process)) {
        Some((condition, remedy)) => format!(
            "pid {pid} is {}: {}; {}",
            condition.as_str(),
            phrases::remedy(&remedy),
            phrases::effect_of_signals(condition)
        ),
        None => format!("pid {pid} does not run: resume it"),
    }
}

fn check_policy(suspect: SuspectedPolicy, port: u16) -> String {
    match suspect {
        SuspectedPolicy::Landlock => format!(
            "Landlock: the program that started this one has to allow {port}, and a program that is started outside of the \
             sandbox can bind it (Linux 6.15 and later log what Landlock denies: journalctl -k | grep landlock)"
        ),
        SuspectedPolicy::CgroupProgram => {
            "a BPF program of the cgroup: sudo bpftool cgroup tree lists them; systemd attaches one for SocketBindAllow= and \
             SocketBindDeny= of a unit"
                .to_owned()
        }
        SuspectedPolicy::Seccomp => {
            "a seccomp filter: it comes from what started this process, such as a container runtime or SystemCallFilter= of \
             a unit"
                .to_owned()
        }
        SuspectedPolicy::AppArmor => "AppArmor: sudo journalctl -k | grep DENIED shows what it denied".to_owned(),
        SuspectedPolicy::SeLinux => format!(
            "SELinux: sudo ausearch -m avc -ts recent shows what it denied; sudo semanage port -l | grep -w {port} shows the \
             type of the port"
        ),
        SuspectedPolicy::OtherModule => "another security module: its log is the kernel's (dmesg)".to_owned(),
    }
}
