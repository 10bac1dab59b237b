//! The unit of a process and its manager, with a real systemd and a real user manager in new namespaces, and cgroups
//! that look like units but are not.

#![cfg(unix)]

use crate::support::{
    AS_STAGED_USER, Cgroup, Cmd, Fixture, JsonOutput, NOBODY, STAGED_USER, Steps, Systemd, folder, live_test,
    port, until,
};
use serde_json::{Value, json};

/// Returns the service of a listener and that of its holder, both empty if there is none.
fn services(answer: &JsonOutput) -> [Value; 2] {
    let listener = answer.only();
    let holder = crate::support::holders(listener).first().map_or(Value::Null, |it| it["service"].clone());
    [listener["service"].clone(), holder]
}

/// Returns the output of `why` and the plan of `free`.
fn advice(port: u16, through: &dyn Fn() -> Vec<String>) -> String {
    let port = port.to_string();
    let reported = |words: &[&str]| {
        let output = Cmd::new(words.iter().chain([&port.as_str()]).copied()).through(through()).run();
        output.both_streams().replace("\n ", " ")
    };
    let all = reported(&["why"])
        + &reported(&["free", "--dry-run"])
        + &reported(&["free", "--via", "service", "--dry-run"]);
    all.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

fn must_say(advice: &str, words: &str) {
    assert!(advice.contains(words), "{words:?} is not in {advice}");
}

fn must_not_say(advice: &str, words: &str) {
    assert!(!advice.contains(words), "{words:?} is in {advice}");
}

#[live_test(SYSTEMD)]
fn a_users_manager_holds_a_port() {
    let systemd = Systemd::start();
    systemd.start_user_manager(&["web.socket", "always.service"]);
    let socket = json!({"manager": "systemd", "name": "web.socket", "scope": "user", "uid": STAGED_USER,
        "activates": "web.service"});
    for launcher in [&[][..], &AS_STAGED_USER] {
        let answer = systemd.answer("tcp/4714", launcher);
        answer.assert_eq(&answer.only()["service"], &socket, "service");
        let answer = Cmd::new(["tcp/4716"]).through(systemd.launcher(launcher)).answer(0);
        let always =
            json!({"manager": "systemd", "name": "always.service", "scope": "user", "uid": STAGED_USER});
        answer.assert_eq(&services(&answer)[1], &always, "service of the user's process");
    }
    // Root never queries its own user manager for it.
    let by_root = advice(4714, &|| systemd.launcher(&[]));
    must_say(&by_root, "systemctl --user -M 4242@ stop -- web.socket");
    must_not_say(&by_root, "systemctl --user stop");
    let by_root = advice(4716, &|| systemd.launcher(&[]));
    must_say(&by_root, "systemctl --user -M 4242@ stop -- always.service");
    let by_user = advice(4716, &|| systemd.launcher(&AS_STAGED_USER));
    must_say(&by_user, "systemctl --user stop -- always.service");
    must_not_say(&by_user, "-M");
    // The printed command works.
    systemd.run(&["systemctl", "--user", "-M", "4242@", "stop", "--", "web.socket"]);
    Cmd::new(["tcp/4714"]).through(systemd.launcher(&[])).run().code(1);
    systemd.run(&[&AS_STAGED_USER[..], &["systemctl", "--user", "stop", "--", "always.service"]].concat());
    Cmd::new(["tcp/4716"]).through(systemd.launcher(&[])).run().code(1);
}

#[live_test(SYSTEMD)]
fn cgroups_created_by_a_user_are_no_units() {
    let systemd = Systemd::start();
    systemd.start_user_manager(&["forge.service"]);
    let of_user =
        |name: &str| json!({"manager": "systemd", "name": name, "scope": "user", "uid": STAGED_USER});
    for (port, service) in [
        (4720, of_user("nginx.service")),
        (4721, of_user("user@0.service")),
        (4722, Value::Null),
        (4723, Value::Null),
        (4724, Value::Null),
        (4725, Value::Null),
        (4726, of_user("--no-block.service")),
    ] {
        let answer = until(|| {
            let output =
                Cmd::new([format!("tcp/{port}"), "--json".into()]).through(systemd.launcher(&[])).run();
            (output.status.code() == Some(0)).then(|| JsonOutput::parse(output))
        });
        let answer = answer.expect("the port is held");
        answer.assert_eq(&services(&answer), &[service.clone(), service.clone()], "services");
        let advice = advice(port, &|| systemd.launcher(&[]));
        // Neither a unit of the system manager, nor a pattern, nor an option.
        for words in ["systemctl stop", "systemctl --user stop", "*", "stop --no-block"] {
            must_not_say(&advice, words);
        }
        match service["name"].as_str() {
            Some(name) => must_say(&advice, &format!("systemctl --user -M 4242@ stop -- {name}")),
            None => must_not_say(&advice, "systemctl"),
        }
    }
}

#[live_test(SYSTEMD)]
fn a_service_that_comes_back() {
    let systemd = Systemd::start();
    systemd.run(&["systemctl", "start", "always.service"]);
    let cmd = |words: &[&str]| Cmd::new(words.iter().copied()).through(systemd.launcher(&[]));
    let listens =
        || until(|| (cmd(&["tcp/4715"]).run().status.code() == Some(0)).then_some(())).expect("it listens");
    listens();
    let plan = cmd(&["free", "4715", "--dry-run"]).run();
    let plan = plan.both_streams();
    must_say(&plan, "systemd starts it again");
    must_say(&plan, "always.service");
    // It is watched as long as systemd waits, and was not free.
    let output = cmd(&["free", "4715", "--yes"]).run().code(1);
    must_say(&(output.both_streams()), "systemd");
    listens();
    cmd(&["free", "4715", "--via", "service", "--yes"]).run().code(0);
    cmd(&["tcp/4715"]).run().code(1);
}

fn id() -> String {
    format!("{:064x}", u64::from(std::process::id()) | 0xfedc_bb00_0000_0000)
}

/// The systemd of a container can choose any unit names.
#[live_test(Linux, Root, Cgroup)]
fn a_unit_of_a_container_is_not_a_unit_of_this_machine() {
    let (id, own) = (id(), std::process::id());
    for boundary in [
        format!("system.slice/docker-{id}.scope"),
        format!("machine.slice/machine-allears{own}.scope/payload"),
        format!("machine.slice/libpod-{id}.scope/container"),
        format!("lxc.payload.allears{own}"),
        format!("kubepods.slice/kubepods-pod{own}.slice/cri-containerd-{id}.scope"),
        format!("user.slice/user-{NOBODY}.slice/user@{NOBODY}.service/user.slice/libpod-{id}.scope"),
    ] {
        let cgroup = Cgroup::new(&format!("{boundary}/system.slice/nginx.service"));
        let server = Fixture::start([cgroup.step(), format!("tcp=127.0.0.1:{}", port())]);
        let answer = Cmd::new([format!("tcp/{}", server.port())]).answer(0);
        answer.assert_eq(&services(&answer), &[Value::Null, Value::Null], &boundary);
        must_not_say(&advice(server.port(), &Vec::new), "systemctl");
        drop(server);
    }
}

#[live_test(Linux, Root, Cgroup)]
fn a_unit_that_runs_a_container_is_named() {
    let unit = format!("allears-live-{}.service", std::process::id());
    let cgroup = Cgroup::new(&format!("system.slice/{unit}/libpod-payload-{}", id()));
    let server = Fixture::start([cgroup.step(), format!("tcp=127.0.0.1:{}", port())]);
    let answer = Cmd::new([format!("tcp/{}", server.port())]).answer(0);
    let service = json!({"manager": "systemd", "name": unit, "scope": "system"});
    answer.assert_eq(&services(&answer), &[service.clone(), service], "services");
    drop(server);
}

#[live_test(Linux, Root, Cgroup)]
fn a_desktop_unit_is_not_a_service() {
    for unit in [
        "app-gnome-code-31337.scope",
        "app-org.kde.konsole-4711.scope",
        "snap.code.code-5c.scope",
        "app-org.gnome.Terminal@5c.service",
        "org.gnome.Shell@wayland.service",
    ] {
        let path = format!("user.slice/user-{NOBODY}.slice/user@{NOBODY}.service/app.slice/{unit}");
        let cgroup = Cgroup::new(&path);
        let server = Fixture::start([cgroup.step(), format!("tcp=127.0.0.1:{}", port())]);
        let answer = Cmd::new([format!("tcp/{}", server.port())]).answer(0);
        answer.assert_eq(&services(&answer), &[Value::Null, Value::Null], unit);
        let table = Cmd::new(["--wide".to_owned()]).run().code(0);
        table.assert(!table.text().contains(unit), "the table does not name it");
        let advice = advice(server.port(), &Vec::new);
        must_not_say(&advice, unit);
        must_not_say(&advice, "systemctl");
        let refused =
            Cmd::new(["free".to_owned(), "--via".into(), "service".into(), server.port().to_string()]);
        refused.run().code(3);
        drop(server);
    }
}

/// A process with the name and the arguments of a user manager. Its units have files.
#[live_test(Linux, Root, Cgroup, Program("setpriv"), MOUNT_NAMESPACE)]
fn a_manager_that_does_not_answer() {
    let (port, other) = (port(), port());
    let root = folder().join("home");
    let units = root.join(".config/systemd/user");
    std::fs::create_dir_all(&units).expect("make a folder");
    std::fs::write(units.join("web.socket"), format!("[Socket]\nListenStream=127.0.0.1:{port}\n"))
        .expect("write");
    let path = format!("user.slice/user-{NOBODY}.slice/user@{NOBODY}.service/init.scope");
    let cgroup = Cgroup::new(&path);
    // The user database gives the home folder of the user.
    let passwd = folder().join("passwd");
    std::fs::write(
        &passwd,
        format!("root:x:0:0::/root:/bin/sh\nsomebody:x:{NOBODY}:{NOBODY}::{}:/bin/sh\n", root.display()),
    )
    .expect("write");
    let bind = "mount --bind \"$1\" /etc/passwd && shift && exec \"$@\"";
    let through = || {
        ["unshare", "--mount", "--propagation=private", "sh", "-c", bind, "sh", &passwd.display().to_string()]
            .map(str::to_owned)
            .to_vec()
    };
    for (port, unit) in [(port, Some("web.socket")), (other, None)] {
        let enter = "echo $$ >\"$1/cgroup.procs\" && shift && exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"";
        let steps = [
            format!("tcp=127.0.0.1:{port}"),
            "name=systemd".to_owned(),
            "arguments=/usr/lib/systemd/systemd --user".to_owned(),
        ];
        let directory = cgroup.step().replace("cgroup=", "");
        let _manager = Steps::new(steps).through(["sh", "-c", enter, "sh", &directory]).start();
        let answer = Cmd::new([format!("tcp/{port}")]).through(through()).answer(0);
        answer.assert_eq(&answer.only()["service"]["name"], &json!(unit), "service");
        let advice = advice(port, &through);
        match unit {
            Some(unit) => must_say(&advice, &format!("systemctl --user -M {NOBODY}@ stop -- {unit}")),
            None => must_say(&advice, &format!("systemctl --user -M {NOBODY}@ list-sockets")),
        }
    }
}
