//! The service of a process: socket units of a real systemd, units by their cgroups, and real supervisors as ancestors.

#![cfg(unix)]

use crate::support::{
    Cgroup, Cmd, Fixture, JsonOutput, NOBODY, Service, Supervisor, Systemd, copy_of, fixture_program, folder,
    live_test, port, until,
};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};

#[live_test(SYSTEMD)]
fn systemd_reports_what_its_socket_units_start() {
    let systemd = Systemd::start();
    let wanted = |name: &str, activates: &str| json!({"manager": "systemd", "name": name, "scope": "system", "activates": activates});
    // Root queries systemd itself, an unprivileged user the bus. If no cgroup identifies the unit, its addresses do.
    let hidden = "mount -t tmpfs none /sys/fs/cgroup && exec \"$@\"";
    let blind = ["unshare", "--mount", "--propagation=private", "sh", "-c", hidden, "sh"];
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    for launcher in [&[][..], &nobody, &blind] {
        for (target, name, activates) in [
            ("tcp/4711", "named.socket", "other.service"),
            ("tcp/4712", "each.socket", "each@.service"),
            ("udp/4713", "plain.socket", "plain.service"),
        ] {
            let answer = systemd.answer(target, launcher);
            answer.assert_eq(&answer.only()["service"], &wanted(name, activates), "service");
        }
    }
    let cmd = || Cmd::new(["tcp/4711"]).through(systemd.launcher(&[]));
    let card = cmd().run().code(0);
    card.assert(card.text().contains("named.socket, starts other.service"), "the card names both");
    let why = Cmd::new(["why", "4711"]).through(systemd.launcher(&[])).run().code(1);
    why.assert(why.text().contains("systemctl stop -- named.socket frees the port"), "what frees it");
    why.assert(!why.text().contains("list-sockets"), "the unit is named in the command");

    // A connection starts the service, which then has the port too.
    let connect = "exec 5<>/dev/tcp/127.0.0.1/4711";
    let launcher = systemd.inside();
    let connected = Command::new(&launcher[0]).args(&launcher[1..]).args(["bash", "-c", connect]).status();
    assert!(connected.is_ok_and(|status| status.success()), "connect");
    let answer = until(|| {
        let answer = cmd().answer(0);
        let started =
            crate::support::holders(answer.only()).get(1).is_some_and(|holder| holder["name"] == "sleep");
        started.then_some(answer)
    });
    let answer = answer.expect("the service is started");
    let started = &crate::support::holders(answer.only())[1];
    answer.assert_eq(&started["service"]["name"], &json!("other.service"), "service of the second holder");
    answer.assert_eq(&started["supervisor"]["kind"], &json!("systemd"), "its supervisor");
    let why = Cmd::new(["why", "4711"]).through(systemd.launcher(&[])).run().code(1);
    let stop = "systemctl stop -- named.socket other.service frees the port";
    why.assert(why.text().replace("\n ", "").contains(stop) || why.text().contains(stop), "both are stopped");
}

#[live_test(Linux, Root, Cgroup, MOUNT_NAMESPACE)]
fn unit_files_show_what_a_socket_unit_starts() {
    let port = port();
    let name = format!("allears-live-{}", std::process::id());
    let cgroup = Cgroup::new(&format!("system.slice/{name}.socket"));
    let _server = Fixture::start([cgroup.step(), format!("tcp=127.0.0.1:{port}")]);
    let reported = |text: &str| {
        let unit = "mount -t tmpfs none /run && mkdir -p /run/systemd/system && printf \"$1\" > \"$2\" && shift 2 && exec \"$@\"";
        let file = format!("/run/systemd/system/{name}.socket");
        let launcher = ["unshare", "--mount", "sh", "-c", unit, "sh", text, &file];
        let answer = Cmd::new([format!("tcp/{port}")]).through(launcher).answer(0);
        let service = answer.only()["service"].clone();
        answer.assert_eq(&service["name"], &json!(format!("{name}.socket")), "name");
        service["activates"].clone()
    };
    assert_eq!(reported("[Socket]\\nService=other.service\\n"), json!("other.service"));
    assert_eq!(reported("[Socket]\\nListenStream=1\\n"), json!(format!("{name}.service")));
    assert_eq!(reported("[Socket]\\nAccept=yes\\n"), json!(format!("{name}@.service")));
    assert_eq!(reported("[Socket]\\nService=%%i.service\\n"), json!(null), "a specifier is not guessed at");
}

#[live_test(Linux, Root, Cgroup)]
fn a_user_service_is_identified_by_its_cgroup() {
    let port = port();
    let unit = format!("allears-live-{}.service", std::process::id());
    let path = format!("user.slice/user-{NOBODY}.slice/user@{NOBODY}.service/app.slice/{unit}");
    let cgroup = Cgroup::new(&path);
    let _server = Fixture::start([cgroup.step(), format!("tcp=127.0.0.1:{port}")]);
    let answer = Cmd::new([format!("tcp/{port}")]).user(Some(NOBODY)).answer(0);
    let service = &answer.only()["service"];
    answer.assert_eq(&service["name"], &json!(unit), "name");
    answer.assert_eq(&service["scope"], &json!("user"), "scope");
    answer.assert_eq(&service["uid"], &json!(NOBODY), "the manager");
    let why = Cmd::new(["why".to_owned(), port.to_string()]).run().code(1);
    why.assert(
        why.text().contains(&format!("systemctl --user -M {NOBODY}@ stop -- {unit}")),
        "how it is stopped",
    );
}

/// Waits until something listens on the port, and returns the answer.
fn held(port: u16) -> (JsonOutput, Value) {
    let output = until(|| {
        let output = Cmd::new(["--json".to_owned(), format!("tcp/{port}")]).run();
        (output.status.code() == Some(0)).then_some(output)
    });
    let answer = JsonOutput::parse(output.unwrap_or_else(|| panic!("nothing listens on {port}")));
    let holder = answer.only_holder(answer.only()).clone();
    (answer, holder)
}

#[live_test(Linux, Program("tmux"))]
fn tmux_is_named() {
    let port = port();
    let socket = folder().join("tmux");
    let tmux = |arguments: &[&str]| {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&socket).args(["-f", "/dev/null"]).args(arguments).env("TERM", "xterm");
        // By default it runs the shell of the user, which may be nologin.
        command.env("SHELL", "/bin/sh");
        command.stdin(Stdio::null()).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    let run = format!("{} tcp=127.0.0.1:{port}; true", fixture_program().display());
    assert!(tmux(&["new-session", "-d", &run]), "start tmux");
    let (answer, holder) = held(port);
    answer.assert_eq(&holder["supervisor"]["kind"], &json!("tmux"), "supervisor");
    answer.assert_eq(&holder["supervisor"]["terminal"], &json!(true), "in a pane");
    let card = Cmd::new([format!("tcp/{port}")]).run().code(0);
    card.assert(card.text().contains(" in tmux"), "the card reports it");
    let parents = Cmd::new(["--parents".to_owned(), format!("tcp/{port}")]).run().code(0);
    parents.assert(parents.text().contains("tmux: server ("), "--parents has it by name");
    assert!(tmux(&["kill-server"]), "end tmux");
}

#[live_test(Linux)]
fn an_editor_is_named() {
    let port = port();
    let editor = copy_of(&Path::new("/bin/sh").canonicalize().expect("a shell"), Some("code"));
    let run = format!("{} tcp=127.0.0.1:{port}; true", fixture_program().display());
    let inner = format!("sh -c '{run}'; true");
    let mut started =
        Supervisor::start_with_input(Command::new(&editor).args(["-c", &inner, "code", "--type=utility"]));
    let (answer, holder) = held(port);
    let wanted = json!({"kind": "vscode", "pid": started.0.id(), "name": "code", "terminal": false});
    answer.assert_eq(&holder["supervisor"], &wanted, "supervisor");
    let card = Cmd::new([format!("tcp/{port}")]).run().code(0);
    card.assert(card.text().contains(", by sh in VS Code\n"), "the card reports it");
    // The fixture ends with its input, and so do the shells.
    drop(started.0.stdin.take());
    assert!(until(|| started.0.try_wait().ok().flatten()).is_some(), "it ends");
}

#[live_test(Linux, Program("runsv"))]
fn runsv_names_its_service() {
    let service = Service::new("runit");
    let _runsv = Supervisor::start_with_input(Command::new("runsv").arg("web").current_dir(service.parent()));
    let (answer, holder) = held(service.port);
    answer.assert_eq(&holder["supervisor"]["kind"], &json!("runit"), "supervisor");
    answer.assert_eq(&holder["service"]["manager"], &json!("runit"), "manager");
    answer.assert_eq(&holder["service"]["name"], &json!("web"), "name");
}

#[live_test(Linux, Program("s6-supervise"))]
fn s6_names_its_service() {
    let service = Service::new("s6");
    let _s6 =
        Supervisor::start_with_input(Command::new("s6-supervise").arg("web").current_dir(service.parent()));
    let (answer, holder) = held(service.port);
    answer.assert_eq(&holder["supervisor"]["kind"], &json!("s6"), "supervisor");
    answer.assert_eq(&holder["service"]["manager"], &json!("s6"), "manager");
    answer.assert_eq(&holder["service"]["name"], &json!("web"), "name");
}
