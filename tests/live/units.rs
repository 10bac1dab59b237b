//! Which unit a process belongs to, and whose manager runs it, with a real systemd and a real user's manager in
//! namespaces of their own; and cgroups that look like units and are not.

use crate::stage::{
    AS_STAGED_USER, Answer, Fixture, Look, NOBODY, Need, STAGED_USER, Steps, Systemd, folder, port, until,
};
use crate::unprivileged::Cgroup;
use serde_json::{Value, json};

cases![
    a_users_manager_holds_a_port[
        Need::Linux,
        Need::Root,
        Need::Cgroup,
        Need::Program("systemd"),
        Need::Program("dbus-daemon"),
        Need::Program("nsenter"),
        Need::Program("setpriv"),
        Need::MOUNT_NAMESPACE
    ],
    cgroups_that_a_user_makes[
        Need::Linux,
        Need::Root,
        Need::Cgroup,
        Need::Program("systemd"),
        Need::Program("dbus-daemon"),
        Need::Program("nsenter"),
        Need::Program("setpriv"),
        Need::MOUNT_NAMESPACE
    ],
    a_service_that_comes_back[
        Need::Linux,
        Need::Root,
        Need::Cgroup,
        Need::Program("systemd"),
        Need::Program("dbus-daemon"),
        Need::Program("nsenter"),
        Need::Program("setpriv"),
        Need::MOUNT_NAMESPACE
    ],
    a_containers_unit_is_none_of_this_machine[Need::Linux, Need::Root, Need::Cgroup],
    a_unit_that_runs_a_container_is_named[Need::Linux, Need::Root, Need::Cgroup],
    a_desktops_unit_is_no_service[Need::Linux, Need::Root, Need::Cgroup],
    a_manager_that_does_not_answer[
        Need::Linux,
        Need::Root,
        Need::Cgroup,
        Need::Program("setpriv"),
        Need::MOUNT_NAMESPACE
    ],
];

/// A listener's service, and that of its holder: both empty where there is none.
fn services(answer: &Answer) -> [Value; 2] {
    let listener = answer.only();
    let holder = crate::stage::holders(listener).first().map_or(Value::Null, |it| it["service"].clone());
    [listener["service"].clone(), holder]
}

/// What `why` and the plan of `free` say.
fn advice(port: u16, through: &dyn Fn() -> Vec<String>) -> String {
    let port = port.to_string();
    let told = |words: &[&str]| {
        let seen = Look::at(words.iter().chain([&port.as_str()]).copied()).through(through()).run();
        (seen.text().to_owned() + &seen.errors()).replace("\n ", " ")
    };
    let all =
        told(&["why"]) + &told(&["free", "--dry-run"]) + &told(&["free", "--via", "service", "--dry-run"]);
    all.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

fn must_say(advice: &str, words: &str) {
    assert!(advice.contains(words), "{words:?} is not in {advice}");
}

fn must_not_say(advice: &str, words: &str) {
    assert!(!advice.contains(words), "{words:?} is in {advice}");
}

fn a_users_manager_holds_a_port() {
    let systemd = Systemd::start();
    systemd.start_user_manager(&["web.socket", "always.service"]);
    let socket = json!({"manager": "systemd", "name": "web.socket", "scope": "user", "uid": STAGED_USER,
        "activates": "web.service"});
    for launcher in [&[][..], &AS_STAGED_USER] {
        // A busy machine may take longer to answer than is waited for, which a gap says.
        let answer = until(|| {
            let answer = Look::at(["tcp/4714"]).through(systemd.look(launcher)).answer(0);
            let late = answer.document["gaps"].to_string().contains("\"services\"");
            (!late).then_some(answer)
        });
        let answer = answer.expect("the manager answers in time");
        answer.seen.equal(&answer.only()["service"], &socket, "service");
        let answer = Look::at(["tcp/4716"]).through(systemd.look(launcher)).answer(0);
        let always =
            json!({"manager": "systemd", "name": "always.service", "scope": "user", "uid": STAGED_USER});
        answer.seen.equal(&services(&answer)[1], &always, "service of the user's process");
    }
    // Root never asks its own manager for it.
    let by_root = advice(4714, &|| systemd.look(&[]));
    must_say(&by_root, "systemctl --user -M 4242@ stop -- web.socket");
    must_not_say(&by_root, "systemctl --user stop");
    let by_root = advice(4716, &|| systemd.look(&[]));
    must_say(&by_root, "systemctl --user -M 4242@ stop -- always.service");
    let by_user = advice(4716, &|| systemd.look(&AS_STAGED_USER));
    must_say(&by_user, "systemctl --user stop -- always.service");
    must_not_say(&by_user, "-M");
    // What is printed works.
    systemd.run(&["systemctl", "--user", "-M", "4242@", "stop", "--", "web.socket"]);
    Look::at(["tcp/4714"]).through(systemd.look(&[])).run().code(1);
    systemd.run(&[&AS_STAGED_USER[..], &["systemctl", "--user", "stop", "--", "always.service"]].concat());
    Look::at(["tcp/4716"]).through(systemd.look(&[])).run().code(1);
}

fn cgroups_that_a_user_makes() {
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
            let seen = Look::at([format!("tcp/{port}"), "--json".into()]).through(systemd.look(&[])).run();
            (seen.status.code() == Some(0)).then(|| Answer::of(seen))
        });
        let answer = answer.expect("the port is held");
        answer.seen.equal(&services(&answer), &[service.clone(), service.clone()], "services");
        let advice = advice(port, &|| systemd.look(&[]));
        // No unit of the system's manager, no pattern and no option.
        for words in ["systemctl stop", "systemctl --user stop", "*", "stop --no-block"] {
            must_not_say(&advice, words);
        }
        match service["name"].as_str() {
            Some(name) => must_say(&advice, &format!("systemctl --user -M 4242@ stop -- {name}")),
            None => must_not_say(&advice, "systemctl"),
        }
    }
}

fn a_service_that_comes_back() {
    let systemd = Systemd::start();
    systemd.run(&["systemctl", "start", "always.service"]);
    let look = |words: &[&str]| Look::at(words.iter().copied()).through(systemd.look(&[]));
    let listens =
        || until(|| (look(&["tcp/4715"]).run().status.code() == Some(0)).then_some(())).expect("it listens");
    listens();
    let plan = look(&["free", "4715", "--dry-run"]).run();
    let plan = plan.text().to_owned() + &plan.errors();
    must_say(&plan, "systemd starts it again");
    must_say(&plan, "always.service");
    // It is watched for as long as systemd waits, and was not free.
    let seen = look(&["free", "4715", "--yes"]).run().code(1);
    must_say(&(seen.text().to_owned() + &seen.errors()), "systemd");
    listens();
    look(&["free", "4715", "--via", "service", "--yes"]).run().code(0);
    look(&["tcp/4715"]).run().code(1);
}

fn id() -> String {
    format!("{:064x}", u64::from(std::process::id()) | 0xfedc_bb00_0000_0000)
}

/// A container's own systemd names its units as it likes.
fn a_containers_unit_is_none_of_this_machine() {
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
        let answer = Look::at([format!("tcp/{}", server.port())]).answer(0);
        answer.seen.equal(&services(&answer), &[Value::Null, Value::Null], &boundary);
        must_not_say(&advice(server.port(), &Vec::new), "systemctl");
        drop(server);
    }
}

fn a_unit_that_runs_a_container_is_named() {
    let unit = format!("allears-live-{}.service", std::process::id());
    let cgroup = Cgroup::new(&format!("system.slice/{unit}/libpod-payload-{}", id()));
    let server = Fixture::start([cgroup.step(), format!("tcp=127.0.0.1:{}", port())]);
    let answer = Look::at([format!("tcp/{}", server.port())]).answer(0);
    let service = json!({"manager": "systemd", "name": unit, "scope": "system"});
    answer.seen.equal(&services(&answer), &[service.clone(), service], "services");
    drop(server);
}

fn a_desktops_unit_is_no_service() {
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
        let answer = Look::at([format!("tcp/{}", server.port())]).answer(0);
        answer.seen.equal(&services(&answer), &[Value::Null, Value::Null], unit);
        let table = Look::at(["--wide".to_owned()]).run().code(0);
        table.must(!table.text().contains(unit), "the table does not name it");
        let advice = advice(server.port(), &Vec::new);
        must_not_say(&advice, unit);
        must_not_say(&advice, "systemctl");
        let refused =
            Look::at(["free".to_owned(), "--via".into(), "service".into(), server.port().to_string()]);
        refused.run().code(3);
        drop(server);
    }
}

/// Something that has the name and the arguments of a user's manager; its units have files.
fn a_manager_that_does_not_answer() {
    let (port, other) = (port(), port());
    let root = folder().join("home");
    let units = root.join(".config/systemd/user");
    std::fs::create_dir_all(&units).expect("make a folder");
    std::fs::write(units.join("web.socket"), format!("[Socket]\nListenStream=127.0.0.1:{port}\n"))
        .expect("write");
    let path = format!("user.slice/user-{NOBODY}.slice/user@{NOBODY}.service/init.scope");
    let cgroup = Cgroup::new(&path);
    // The user database says where the user's files are.
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
        let answer = Look::at([format!("tcp/{port}")]).through(through()).answer(0);
        answer.seen.equal(&answer.only()["service"]["name"], &json!(unit), "service");
        let advice = advice(port, &through);
        match unit {
            Some(unit) => must_say(&advice, &format!("systemctl --user -M {NOBODY}@ stop -- {unit}")),
            None => must_say(&advice, &format!("systemctl --user -M {NOBODY}@ list-sockets")),
        }
    }
}
