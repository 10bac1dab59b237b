//! Ports that the kernel or svchost.exe holds on Windows.

use super::*;
use crate::management::test_support::system_unit;
use crate::model::Process;
use crate::os::{HttpSysUrls, Server};

fn held(pid: u32, name: &str) -> Listener {
    let mut listener = held_by(socket("0.0.0.0", None, State::Listen), name);
    let process = &mut listener.holders[0].process;
    let mut owned = Process::clone(process);
    owned.id.pid = pid;
    *process = owned.into();
    listener
}

fn of_kernel(port: u16, served: Vec<HttpSysUrls>) -> Observation {
    let mut observed = observation(IN_USE, IN_USE, vec![held(4, "System")]);
    (observed.os, observed.served) = (System::Windows, served);
    observed.target.port = port;
    let address = "0.0.0.0".parse().unwrap();
    observed.sockets[0].socket.endpoint = Endpoint::Ip { address, port, interface: None };
    observed
}

fn server(pid: u32, services: &[&str]) -> Server {
    let services = services.iter().map(|service| Text::from(*service)).collect();
    Server { pid, name: Some("w3wp.exe".into()), services }
}

fn served(by: Vec<Server>) -> HttpSysUrls {
    HttpSysUrls { urls: vec!["HTTP://+:80/".into()], by }
}

#[test]
fn what_http_sys_serves_is_ended_at_its_program() {
    let program = HttpServer { pid: 7, name: Some("w3wp.exe".into()), services: Vec::new() };
    let hosted = HttpServer { pid: 8, services: vec!["W3SVC".into()], ..program.clone() };
    let observed = || of_kernel(80, vec![served(vec![server(7, &[]), server(8, &["W3SVC"])])]);
    let verdict = judge(observed());
    let urls = vec!["HTTP://+:80/".into()];
    let fact = Fact::HttpSys { urls, servers: vec![program.clone(), hosted] };
    assert!(verdict.facts.contains(&fact), "{:?}", verdict.facts);
    let command = ["sc.exe", "stop", "W3SVC"].map(Text::from).to_vec();
    let stop = Advice::StopHttpService { service: "W3SVC".into(), command };
    assert_eq!(verdict.advice, [Advice::EndHttpServer(program), stop]);
    // On another system pid 4 is a process like any other, and so is another pid here.
    let elsewhere = |os, pid| {
        let mut observed = Observation { os, ..observed() };
        observed.sockets = vec![held(pid, "System")];
        let verdict = judge(observed);
        let is_free = matches!(verdict.advice.as_slice(), [Advice::Free { .. }]);
        is_free && !verdict.facts.iter().any(|fact| matches!(fact, Fact::HttpSys { .. }))
    };
    assert!(elsewhere(System::Linux, 4) && elsewhere(System::Windows, 5));
}

#[test]
fn ports_of_the_kernel_that_http_sys_does_not_explain() {
    let services: Vec<Text> = vec!["W3SVC".into(), "WAS".into()];
    let several = of_kernel(80, vec![served(vec![server(8, &["W3SVC", "WAS"])])]);
    assert_eq!(judge(several).advice, [Advice::StopOneOfHttpServices(services)]);
    assert_eq!(judge(of_kernel(80, Vec::new())).advice, [Advice::FindHttpServer]);
    assert_eq!(judge(of_kernel(445, Vec::new())).advice, [Advice::TurnOffFileSharing]);
}

#[test]
fn services_of_svchost() {
    let advice = |os, name, known: bool| {
        let mut listener = held(900, name);
        if known {
            let process = &mut listener.holders[0].process;
            let mut owned = Process::clone(process);
            owned.service = Some(system_unit("x.scope"));
            *process = owned.into();
        }
        judge(Observation { os, ..observation(IN_USE, IN_USE, vec![listener]) }).advice
    };
    assert_eq!(advice(System::Windows, "SvcHost.exe", false), [Advice::StopHostedService]);
    assert_eq!(advice(System::Windows, "svchost.exe", true), [], "its service is known");
    assert!(matches!(advice(System::Windows, "node.exe", false).as_slice(), [Advice::Free { .. }]));
    assert!(!advice(System::Linux, "svchost.exe", false).contains(&Advice::StopHostedService));
}
