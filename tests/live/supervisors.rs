//! Real supervisors that restart a server after `free`: the plan names the supervisor and its command, the exit code
//! reports that the server came back, and `--via supervisor` keeps it down.

#![cfg(unix)]

use crate::free::{freed, steps};
use crate::support::{Cmd, Output, Service, Supervisor, listen_without_reuse, live_test, runs, until};
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What `free` must do with the server of a supervised service.
trait Freed {
    fn target(&self) -> String;
    fn wait(&self);
    fn must_come_back(&self, supervisor: &Supervisor, name: &str, advice: Option<&str>);
    fn must_stay_down(&self, supervisor: &mut Supervisor, command: &[&str]) -> Output;
}

impl Freed for Service {
    fn target(&self) -> String {
        self.port.to_string()
    }

    fn wait(&self) {
        serves(self.port);
    }

    /// Asserts that the server is restarted, and that `free` reports this and names the supervisor.
    #[track_caller]
    fn must_come_back(&self, supervisor: &Supervisor, name: &str, advice: Option<&str>) {
        self.wait();
        let answer = freed(&["--yes", &self.target()], 1);
        let (output, reported) = (&answer.output, &answer.document);
        output.assert_eq(&reported["free"], &json!(false), "free");
        let plan = steps(&answer, "plan");
        output.assert(plan.len() == 1 && !runs(plan[0]), "the server that was there has ended");
        let by = format!("{name} (pid {}", supervisor.pid());
        output.assert(reported["reason"].to_string().contains(&by), "the reason names the supervisor");
        let hints = reported["hints"].to_string();
        output.assert(hints.contains(&by), "the plan names the supervisor");
        output.assert(advice.is_none_or(|advice| hints.contains(advice)), "the plan names the command");
        self.wait();
    }

    /// Asserts that exactly this command stops it, and that its supervisor keeps running.
    #[track_caller]
    fn must_stay_down(&self, supervisor: &mut Supervisor, command: &[&str]) -> Output {
        let answer = freed(&["--yes", "--via", "supervisor", &self.target()], 0);
        let (output, reported) = (&answer.output, &answer.document);
        for step in reported["plan"].as_array().into_iter().flatten() {
            output.assert_eq(&step["action"], &json!("stop-supervised"), "action");
            output.assert_eq(&step["command"], &json!(command), "command");
        }
        output.assert_eq(steps(&answer, "plan").len(), 1, "the server is in the plan");
        must_be_bindable(output, self.port);
        output.assert(matches!(supervisor.0.try_wait(), Ok(None)), "the supervisor runs");
        answer.output
    }
}

/// Waits until something listens.
#[track_caller]
fn serves(port: u16) {
    let taken = until(|| std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    assert!(taken.is_some(), "the server never listened on {port}");
}

#[track_caller]
fn must_be_bindable(output: &Output, port: u16) {
    let bound = listen_without_reuse(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    output.assert(bound.is_ok(), "the port can be bound");
}

/// Returns the output of a supervisor's client.
fn output_of(command: &[&str]) -> String {
    let output = Command::new(command[0]).args(&command[1..]).output().expect("run its command");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[live_test(Linux, Program("runsv"))]
fn runit_restarts_its_server() {
    let service = Service::new("runit-back");
    let mut runsv = Supervisor::start(Command::new("runsv").arg("web").current_dir(service.parent()));
    let folder = text(&service.folder);
    service.must_come_back(&runsv, "runsv", Some(&format!("sv down {folder}")));
    let output = service.must_stay_down(&mut runsv, &["sv", "down", folder]);
    let status = output_of(&["sv", "status", folder]);
    output.assert(status.starts_with("down") && !status.contains("want up"), &status);
}

#[live_test(Linux, Program("s6-supervise"))]
fn s6_restarts_its_server() {
    let service = Service::new("s6-back");
    let mut s6 = Supervisor::start(Command::new("s6-supervise").arg("web").current_dir(service.parent()));
    let folder = text(&service.folder);
    service.must_come_back(&s6, "s6-supervise", Some(&format!("s6-svc -d {folder}")));
    let output = service.must_stay_down(&mut s6, &["s6-svc", "-d", folder]);
    let status = output_of(&["s6-svstat", folder]);
    output.assert(status.starts_with("down") && !status.contains("want up"), &status);
}

#[live_test(Linux, Program("supervise"))]
fn daemontools_restarts_its_server() {
    let service = Service::new("daemontools-back");
    let mut supervise = Supervisor::start(Command::new("supervise").arg("web").current_dir(service.parent()));
    let folder = text(&service.folder);
    service.must_come_back(&supervise, "supervise", Some(&format!("svc -d {folder}")));
    let output = service.must_stay_down(&mut supervise, &["svc", "-d", folder]);
    let status = output_of(&["svstat", folder]);
    output.assert(status.contains(": down") && !status.contains("want up"), &status);
}

/// The configuration of a supervisord that listens for supervisorctl.
fn supervisord(service: &Service, programs: &str) -> (Supervisor, PathBuf) {
    let at = |name: &str| service.folder.join(name).display().to_string();
    let (log, pid, socket) = (at("log"), at("pid"), at("sock"));
    let config = format!(
        "[supervisord]\nnodaemon=true\nlogfile={log}\npidfile={pid}\n\
         [unix_http_server]\nfile={socket}\n[supervisorctl]\nserverurl=unix://{socket}\n\
         [rpcinterface:supervisor]\n\
         supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n{programs}"
    );
    let path = service.file("supervisord.conf", &config);
    let supervisor = Supervisor::start(Command::new("supervisord").arg("-c").arg(&path));
    (supervisor, path)
}

#[live_test(Linux, Program("supervisord"))]
fn supervisord_restarts_its_server() {
    let service = Service::new("supervisord-back");
    let run = service.folder.join("run").display().to_string();
    // Its name has a group, its script execs the server, and there is another program.
    let programs = format!(
        "[program:web]\ncommand={run}\n[program:spare]\ncommand={run}-spare\nautostart=false\n\
         [group:shop]\nprograms=web,spare\n"
    );
    let (mut supervisor, config) = supervisord(&service, &programs);
    let config = text(&config);
    let stop = format!("supervisorctl -c {config} stop shop:web");
    service.must_come_back(&supervisor, "supervisord", Some(&stop));
    let command = ["supervisorctl", "-c", config, "stop", "shop:web"];
    let output = service.must_stay_down(&mut supervisor, &command);
    let status = output_of(&["supervisorctl", "-c", config, "status", "shop:web"]);
    output.assert(status.contains("STOPPED"), &status);
}

#[live_test(Linux, Program("supervisord"))]
fn supervisord_names_one_of_many() {
    let service = Service::new("supervisord-many");
    service.program("serve", &format!("[ \"$1\" = 1 ] || exec sleep 600\n{}", service.command()));
    let serve = service.folder.join("serve").display().to_string();
    let program = format!(
        "[program:web]\ncommand={serve} %(process_num)d\nnumprocs=2\n\
         process_name=%(program_name)s_%(process_num)02d\nstopasgroup=true\n"
    );
    let (mut supervisor, config) = supervisord(&service, &program);
    let config = text(&config);
    service.wait();
    let command = ["supervisorctl", "-c", config, "stop", "web:web_01"];
    let output = service.must_stay_down(&mut supervisor, &command);
    let status = output_of(&["supervisorctl", "-c", config, "status", "web:*"]);
    let states: Vec<_> = status.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    output.assert(states.len() == 2 && states[1] == "STOPPED", &status);
    output.assert(matches!(states[0], "RUNNING" | "STARTING"), &status);
}

#[live_test(Linux, Program("supervisord"))]
fn supervisord_lists_programs_that_are_alike() {
    let service = Service::new("supervisord-alike");
    let run = service.folder.join("run").display().to_string();
    let programs = format!("[program:web]\ncommand={run}\n[program:spare]\ncommand={run}\nautostart=false\n");
    let (_supervisor, config) = supervisord(&service, &programs);
    service.wait();
    let answer = freed(&["--dry-run", "--via", "supervisor", &service.target()], 3);
    let reported = answer.document.to_string();
    let list = format!("supervisorctl -c {} status", config.display());
    answer.assert(reported.contains(&list), "it names the command that lists them");
    answer.assert(!reported.contains(" stop "), "it names no command that may stop the other one");
    serves(service.port);
}

#[live_test(Linux, Program("supervisord"))]
fn supervisord_without_autorestart_restarts_nothing() {
    let service = Service::new("supervisord-down");
    let run = service.folder.join("run").display().to_string();
    let program = format!("[program:web]\ncommand={run}\nautorestart=false\n");
    let (_supervisor, _) = supervisord(&service, &program);
    service.wait();
    let answer = freed(&["--yes", &service.target()], 0);
    answer.assert_eq(&answer.document["free"], &json!(true), "free");
    answer.assert(!answer.document["hints"].to_string().contains("again"), "nothing restarts it");
}

#[live_test(Linux, Program("supervisord"))]
fn supervisord_holds_a_socket_for_its_program() {
    let service = Service::new("supervisord-fcgi");
    let program = format!(
        "[fcgi-program:php]\ncommand=sleep 600\nnumprocs=2\nprocess_name=%(program_name)s_%(process_num)02d\n\
         socket=tcp://127.0.0.1:{}\n",
        service.port
    );
    let (mut supervisor, config) = supervisord(&service, &program);
    service.wait();
    holders(&service, 3);
    let refused = freed(&["--yes", &service.target()], 3);
    let stop = format!("supervisorctl -c {} stop 'php:*'", config.display());
    refused.assert(refused.document["refused"].to_string().contains(&stop), "it names the command");
    refused.assert_eq(&refused.document["done"], &json!([]), "done");
    serves(service.port);

    let answer = freed(&["--yes", "--via", "supervisor", &service.target()], 0);
    must_be_bindable(&answer.output, service.port);
    answer.assert(matches!(supervisor.0.try_wait(), Ok(None)), "supervisord runs");
}

/// A circusd that listens for circusctl at this address. Its endpoints are files, so that nothing else takes them.
fn circus(service: &Service, watcher: &str) -> (Supervisor, String) {
    let at = |name: &str| format!("ipc://{}", service.parent().join(name).display());
    let (endpoint, events) = (at("c"), at("e"));
    let config = format!("[circus]\nendpoint={endpoint}\npubsub_endpoint={events}\ncheck_delay=2\n{watcher}");
    let path = service.file("circus.ini", &config);
    (Supervisor::start(Command::new("circusd").arg(path)), endpoint)
}

/// Returns the word with which a client beside this program is printed: its path, outside of the system's folders.
fn beside(daemon: &str, name: &str) -> String {
    let path = std::env::var_os("PATH").expect("a PATH");
    let mut folders = std::env::split_paths(&path);
    let folder = folders.find(|folder| folder.join(daemon).is_file()).expect("the program is on the PATH");
    match ["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin", "/usr/local/sbin"].map(Path::new) {
        system if system.contains(&folder.as_path()) => name.to_owned(),
        _ => folder.join(name).display().to_string(),
    }
}

#[live_test(Linux, CIRCUSD)]
fn circus_restarts_its_server() {
    let service = Service::new("circus-back");
    // A script that execs the server, because circusd signals only the process that it started.
    let run = service.folder.join("run").display().to_string();
    let watchers = format!("[watcher:web]\ncmd={run}\n[watcher:other]\ncmd=sleep\nargs=600\n");
    let (supervisor, endpoint) = circus(&service, &watchers);
    let command = beside("circusd", "circusctl");
    let stop = format!("{command} --endpoint {endpoint} stop web");
    service.must_come_back(&supervisor, "circusd", Some(&stop));
    let output = Command::new(command).args(["--endpoint", &endpoint, "stop", "web"]).output();
    let output = output.expect("run circusctl");
    let bound = until(|| listen_without_reuse(SocketAddr::from((Ipv4Addr::LOCALHOST, service.port))).ok());
    assert!(bound.is_some(), "the printed command frees the port: {output:?}");
}

#[live_test(Linux, CIRCUSD)]
fn circus_holds_a_socket_for_its_watcher() {
    let service = Service::new("circus-socket");
    let watcher = format!(
        "[watcher:web]\ncmd=sleep 600\nuse_sockets=True\n[socket:web]\nhost=127.0.0.1\nport={}\n",
        service.port
    );
    let (mut supervisor, _) = circus(&service, &watcher);
    service.wait();
    let refused = freed(&["--yes", &service.target()], 3);
    refused.assert_eq(&refused.document["done"], &json!([]), "done");
    refused.assert(refused.document["refused"].to_string().contains("circusd"), "it names circusd");
    refused.assert(
        !refused.document.to_string().contains("stop web"),
        "ending a watcher does not free the port",
    );
    refused.assert(matches!(supervisor.0.try_wait(), Ok(None)), "circusd runs");
    serves(service.port);
}

fn must_notice_the_loop(seconds: &str) {
    let service = Service::new(&format!("loop-{seconds}"));
    let code = format!("while :; do {}; sleep {seconds}; done", service.command());
    let shell = Supervisor::start(Command::new("sh").args(["-c", &code]));
    service.must_come_back(&shell, "sh", None);
}

#[live_test(Linux)]
fn a_loop_restarts_its_server_after_a_second() {
    must_notice_the_loop("1");
}

#[live_test(Linux)]
fn a_loop_restarts_its_server_after_three_seconds() {
    must_notice_the_loop("3");
}

#[live_test(Linux, Root, Program("inetd"))]
fn inetd_is_not_ended() {
    let service = Service::new("inetd");
    let line = format!("127.0.0.1:{} stream tcp nowait root /bin/cat cat\n", service.port);
    let config = service.file("inetd.conf", &line);
    let mut inetd = Supervisor::start(Command::new("inetd").arg("-i").arg(config));
    service.wait();
    let refused = freed(&["--yes", &service.target()], 3);
    refused.assert(refused.document["refused"].to_string().contains("inetd"), "it names inetd");
    refused.assert(matches!(inetd.0.try_wait(), Ok(None)), "inetd runs");
    serves(service.port);
}

/// Waits until so many processes have the port. supervisord opens a socket briefly before it has programs for it.
#[track_caller]
fn holders(service: &Service, count: usize) {
    let there = until(|| {
        let output = Cmd::new(["--pids".to_owned(), service.target()]).run();
        (output.text().lines().count() == count).then_some(())
    });
    assert!(there.is_some(), "{count} processes have port {}", service.port);
}

/// A server whose main process restarts workers: it is ended as a whole.
#[track_caller]
fn must_be_ended_completely(service: &Service, server: &mut Supervisor) {
    let answer = freed(&["--yes", &service.target()], 0);
    let plan = steps(&answer, "plan");
    answer.assert(plan.contains(&server.pid()) && plan.len() == 2, "main process and worker are in the plan");
    must_be_bindable(&answer.output, service.port);
    let ended = until(|| server.0.try_wait().ok().flatten());
    answer.assert(ended.is_some(), "its main process has ended");
}

#[live_test(Linux, GUNICORN)]
fn gunicorn_is_ended_completely() {
    let service = Service::new("gunicorn");
    service.file("shop.py", "def app(environ, start):\n    start('200 OK', [])\n    return [b'']\n");
    let bind = format!("127.0.0.1:{}", service.port);
    let mut command = Command::new("gunicorn");
    command.args(["--workers", "1", "--no-control-socket", "--bind", &bind, "shop:app"]);
    let mut server = Supervisor::start(command.current_dir(&service.folder));
    holders(&service, 2);
    must_be_ended_completely(&service, &mut server);
}

#[live_test(Linux, Kernel(6, 8), GRANIAN)]
fn granian_is_ended_completely() {
    let service = Service::new("granian");
    service.file("shop.py", "async def app(scope, receive, send):\n    await receive()\n");
    let mut command = Command::new("granian");
    command.args(["--interface", "asgi", "--respawn-failed-workers", "--host", "127.0.0.1"]);
    command.args(["--port", &service.target(), "shop:app"]).current_dir(&service.folder);
    let mut server = Supervisor::start(&mut command);
    // Its main process has bound the port, and only the worker listens.
    holders(&service, 1);
    must_be_ended_completely(&service, &mut server);
}
