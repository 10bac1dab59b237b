//! The recipes for many machines, on several hosts: network namespaces with a name of their own.

#![cfg(target_os = "linux")]

use crate::support::{
    Cmd, Fixture, NOBODY, Steps, Systemd, folder, live_test, pids, program, python, until, validate,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A host: its name and what runs there. The first program keeps its namespaces.
struct Host {
    name: &'static str,
    programs: Vec<Fixture>,
}

impl Host {
    /// Starts a host with a first program.
    fn start(name: &'static str, program: &str, user: Option<u32>, socket: &str) -> Self {
        let script = r#"hostname "$0" && ip link set lo up &&
            echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start && exec "$@""#;
        let mut launcher = vec!["unshare", "--net", "--uts", "sh", "-c", script, name];
        launcher.extend(as_user(user));
        let first =
            Steps::new([socket.to_owned()]).bytes("name", program.as_bytes()).through(launcher).start();
        Self { name, programs: vec![first] }
    }

    fn pid(&self) -> u32 {
        self.programs[0].pid()
    }

    /// Returns a launcher for programs of this host.
    fn inside(&self) -> Vec<String> {
        ["nsenter", &format!("--target={}", self.pid()), "--net", "--uts"].map(str::to_owned).to_vec()
    }

    /// Starts another program.
    fn run(&mut self, program: &str, user: Option<u32>, socket: &str) {
        let launcher = self.inside().into_iter().chain(as_user(user).into_iter().map(str::to_owned));
        let started =
            Steps::new([socket.to_owned()]).bytes("name", program.as_bytes()).through(launcher).start();
        self.programs.push(started);
    }

    /// Returns the lines of a scan by this user.
    fn lines(&self, user: Option<u32>, arguments: &[&str]) -> String {
        let launcher = self.inside().into_iter().chain(as_user(user).into_iter().map(str::to_owned));
        let arguments = arguments.iter().chain(&["--ndjson"]).copied();
        Cmd::new(arguments).through(launcher).run().code(0).text().to_owned()
    }
}

fn as_user(user: Option<u32>) -> Vec<&'static str> {
    match user {
        Some(NOBODY) => vec!["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
        _ => Vec::new(),
    }
}

/// Returns an empty folder.
fn empty(name: &str) -> PathBuf {
    let path = folder().join(name);
    fs::create_dir_all(&path).expect("make a folder");
    path
}

fn recipes(name: &str) -> PathBuf {
    std::env::current_dir().expect("a working folder").join("recipes").join(name)
}

/// Returns the rows of SQL recipes or queries on the lines in a folder, which are the same in DuckDB and SQLite.
fn rows(folder: &Path, queries: &[&str]) -> Value {
    let script = std::env::current_dir().expect("a working folder").join("tests/support/fleet.py");
    let mut command = Command::new(python("duckdb").expect("it is needed"));
    let output =
        command.arg(script).arg(recipes("sql")).args(queries).current_dir(folder).output().expect("run it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a document")
}

#[live_test(Linux, Root, NETWORK_NAMESPACE, Module("duckdb"), Program("sqlite3"), Program("setpriv"))]
fn five_questions_about_two_hosts_and_two_days() {
    let folder = empty("fleet-sql");
    let save = |host: &Host, day: &str, lines: &str| {
        let own = folder.join("collected").join(host.name);
        fs::create_dir_all(&own).expect("make a folder");
        fs::write(own.join(format!("{day}.ndjson")), lines).expect("write the lines");
    };
    let mut one = Host::start("web-1", "sshd", None, "tcp=0.0.0.0:22");
    one.run("nginx", Some(NOBODY), "tcp=127.0.0.1:8080");
    let mut two = Host::start("web-2", "sshd", Some(NOBODY), "tcp=0.0.0.0:2222");
    two.run("haproxy", None, "tcp=[::]:8080");
    // The lines of yesterday are those of an earlier scan, a day back.
    let lines = [one.lines(None, &[]), two.lines(None, &[])];
    let today = lines[0].split("\"taken_at\":\"").nth(1).expect("a time")[..10].to_owned();
    let before = |lines: &str| lines.replace(&format!("\"taken_at\":\"{today}"), "\"taken_at\":\"2001-02-03");
    save(&one, "2001-02-03", &before(&lines[0]));
    save(&two, "2001-02-03", &before(&lines[1]));
    one.run("redis", None, "tcp=0.0.0.0:6379");
    save(&one, &today, &one.lines(None, &[]));
    save(&two, &today, &two.lines(Some(NOBODY), &[]));
    let found = rows(
        &folder,
        &[
            "new-since-yesterday",
            "exposed",
            "different-programs",
            "unknown-holders",
            "unexpected-users",
            "SELECT DISTINCT host, what FROM gaps ORDER BY host, what",
        ],
    );
    let row = |host: &str, address: &str, port: u16, process: Value, user: &str| json!({"host": host, "protocol": "tcp", "address": address, "port": port, "process": process, "user_name": user});
    let redis = row("web-1", "0.0.0.0", 6379, json!("redis"), "root");
    // By nobody, the holder could not be seen: not the program of yesterday.
    let hidden = row("web-2", "::", 8080, Value::Null, "root");
    assert_eq!(found["new-since-yesterday"], json!([redis, hidden]));
    let sshd = |host, port, user| row(host, "0.0.0.0", port, json!("sshd"), user);
    let exposed = json!([sshd("web-1", 22, "root"), redis, sshd("web-2", 2222, "nobody"), hidden]);
    assert_eq!(found["exposed"], exposed);
    // The holder on web-2 is unknown today.
    assert_eq!(found["different-programs"], json!([]));
    let unknown = json!([{"host": "web-2", "protocol": "tcp", "address": "::", "port": 8080, "unseen": "permission",
        "socket_user": "root"}]);
    assert_eq!(found["unknown-holders"], unknown);
    let users = json!([
        {"host": "web-1", "protocol": "tcp", "port": 8080, "process": "nginx", "user_name": "nobody",
            "expected_user": "www-data"},
        {"host": "web-2", "protocol": "tcp", "port": 2222, "process": "sshd", "user_name": "nobody",
            "expected_user": "root"},
    ]);
    assert_eq!(found["unexpected-users"], users);
    let gaps = found["SELECT DISTINCT host, what FROM gaps ORDER BY host, what"].as_array().expect("rows");
    assert!(gaps.contains(&json!({"host": "web-2", "what": "descriptors"})), "{gaps:?}");
    // By root, both are seen.
    save(&two, &today, &two.lines(None, &[]));
    fs::remove_file(folder.join("fleet.db")).expect("remove the database");
    let different = json!([
        {"protocol": "tcp", "port": 8080, "host": "web-1", "process": "nginx"},
        {"protocol": "tcp", "port": 8080, "host": "web-2", "process": "haproxy"},
    ]);
    let again = rows(&folder, &["different-programs", "unknown-holders"]);
    assert_eq!(again, json!({"different-programs": different, "unknown-holders": []}));
}

/// Returns what osquery has for the sockets of a process, from `/proc` alone: `[pid, port, protocol, family, address, fd,
/// socket, path]`.
fn from_proc(pid: u32) -> BTreeSet<String> {
    let mut rows = BTreeSet::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).expect("its descriptors").flatten() {
        let link = fs::read_link(entry.path()).unwrap_or_default();
        let link = link.to_string_lossy().into_owned();
        let Some(inode) = link.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')) else {
            continue;
        };
        let fd = entry.file_name().to_string_lossy().into_owned();
        for (table, protocol, family) in [("tcp", 6, 2), ("tcp6", 6, 10), ("udp", 17, 2), ("udp6", 17, 10)] {
            let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).expect("a table");
            for line in text.lines().skip(1) {
                let fields: Vec<&str> = line.split_whitespace().collect();
                if fields[9] == inode {
                    let (address, port) = fields[1].split_once(':').expect("a port");
                    let port = u16::from_str_radix(port, 16).expect("a port");
                    // Words of 32 bits in the order of the machine.
                    let bytes = (0..address.len()).step_by(8).flat_map(|at| {
                        u32::from_str_radix(&address[at..at + 8], 16).expect("a word").to_ne_bytes()
                    });
                    let bytes: Vec<u8> = bytes.collect();
                    let address = match <[u8; 4]>::try_from(bytes.as_slice()) {
                        Ok(four) => std::net::Ipv4Addr::from(four).to_string(),
                        Err(_) => {
                            let all: [u8; 16] = bytes.try_into().expect("16 bytes");
                            std::net::Ipv6Addr::from(all).to_string()
                        }
                    };
                    rows.insert(format!("{pid} {port} {protocol} {family} {address} {fd} {inode} "));
                }
            }
        }
        let text = fs::read_to_string(format!("/proc/{pid}/net/unix")).expect("a table");
        for fields in text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>()) {
            if let (Some(&own), Some(path)) = (fields.get(6), fields.get(7))
                && own == inode
            {
                rows.insert(format!("{pid} 0 0 1  {fd} {inode} {path}"));
            }
        }
    }
    rows
}

#[live_test(Linux, Root, NETWORK_NAMESPACE, Ipv6, Module("duckdb"), Program("sqlite3"))]
fn the_columns_of_osquery() {
    let folder = empty("fleet-osquery");
    let mut host = Host::start("db-1", "one", None, "tcp=127.0.0.1:5432");
    host.run("two", None, "tcp=[::]:80");
    host.run("three", None, "udp=0.0.0.0:53");
    host.run("four", None, &format!("unix={}", folder.join("app.sock").display()));
    fs::create_dir_all(folder.join("collected/db-1")).expect("make a folder");
    // Unix sockets have no network namespace in common: only those of this host.
    let targets = format!("5432,80,53,{}", folder.join("app.sock").display());
    let lines = host.lines(None, &["-tux", &targets]);
    fs::write(folder.join("collected/db-1/day.ndjson"), lines).expect("write the lines");
    let query = "SELECT * FROM listening_ports ORDER BY pid, fd";
    let found = rows(&folder, &[query]);
    let found = found[query].as_array().expect("rows");
    let columns: Vec<&String> = found[0].as_object().expect("a row").keys().collect();
    let wanted = [
        "address",
        "day",
        "family",
        "fd",
        "host",
        "net_namespace",
        "path",
        "pid",
        "port",
        "protocol",
        "socket",
    ];
    assert_eq!(columns, wanted);
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let line = |row: &Value| {
        ["pid", "port", "protocol", "family", "address", "fd", "socket", "path"]
            .map(|name| text(&row[name]))
            .join(" ")
    };
    let got: BTreeSet<String> = found.iter().map(line).collect();
    let wanted: BTreeSet<String> = host.programs.iter().flat_map(|one| from_proc(one.pid())).collect();
    assert_eq!(got, wanted);
    assert_eq!(got.len(), 4, "{got:?}");
}

/// Hosts for Ansible: each has an interpreter that runs in its namespaces.
struct Inventory {
    folder: PathBuf,
}

impl Inventory {
    fn new(hosts: &[&Host]) -> Self {
        let folder = empty("fleet-ansible");
        fs::create_dir_all(folder.join("bin")).expect("make a folder");
        symlink(program(), folder.join("bin/allears")).expect("make a link");
        let real = python("ansible").expect("it is needed");
        let mut inventory = String::new();
        for host in hosts {
            let wrapper = folder.join(format!("bin/python-{}", host.name));
            let path = format!("{}:$PATH", folder.join("bin").display());
            let text = format!(
                "#!/bin/sh\nPATH={path} exec {} {} \"$@\"\n",
                host.inside().join(" "),
                real.display()
            );
            fs::write(&wrapper, text).expect("write an interpreter");
            fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).expect("make it executable");
            inventory += &format!(
                "{} ansible_connection=local ansible_python_interpreter={}\n",
                host.name,
                wrapper.display()
            );
        }
        fs::write(folder.join("hosts"), inventory).expect("write the inventory");
        Self { folder }
    }

    fn play(&self, playbook: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(python("ansible").expect("it is needed"));
        command.args(["-m", "ansible.cli.playbook", "-i"]).arg(self.folder.join("hosts"));
        command.arg(recipes("ansible").join(playbook)).args(arguments);
        command.env("HOME", &self.folder).env("LC_ALL", "C.UTF-8").env("ANSIBLE_NOCOLOR", "1");
        command.stdin(Stdio::null()).output().expect("run ansible")
    }

    /// Runs the module alone on a host, as Ansible does, and returns what it printed.
    fn facts(&self, host: &Host, arguments: &Value) -> Value {
        let file = self.folder.join("arguments.json");
        fs::write(&file, json!({"ANSIBLE_MODULE_ARGS": arguments}).to_string()).expect("write them");
        let mut command = Command::new(self.folder.join(format!("bin/python-{}", host.name)));
        let output =
            command.arg(recipes("ansible/library/allears_facts.py")).arg(file).output().expect("run it");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }
}

#[live_test(Linux, Root, NETWORK_NAMESPACE, Module("ansible"), Module("jsonschema"))]
fn ansible_collects_and_refuses() {
    let mut one = Host::start("web-1", "sshd", None, "tcp=0.0.0.0:22");
    one.run("redis", None, "tcp=0.0.0.0:6379");
    let two = Host::start("web-2", "nginx", Some(NOBODY), "tcp=0.0.0.0:443");
    let inventory = Inventory::new(&[&one, &two]);
    let collected = inventory.folder.join("collected");
    let output = inventory.play("gather.yml", &["-e", &format!("collected={}", collected.display())]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for (host, wanted) in [(&one, vec![(22, "sshd"), (6379, "redis")]), (&two, vec![(443, "nginx")])] {
        let files: Vec<PathBuf> = fs::read_dir(collected.join(host.name))
            .expect("a folder")
            .map(|entry| entry.expect("a file").path())
            .collect();
        let [file] = files.as_slice() else { panic!("not one file: {files:?}") };
        let text = fs::read_to_string(file).expect("its lines");
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let errors = validate(lines.iter().map(|line| ("line", line))).expect("a validator");
        assert!(errors.iter().all(Vec::is_empty), "{errors:?}");
        assert!(lines.iter().all(|line| line["host"] == host.name), "{text}");
        let listeners = lines.iter().filter(|line| line["gap"].is_null());
        let got: Vec<(u64, &str)> = listeners
            .map(|line| {
                (line["port"].as_u64().unwrap_or(0), line["holders"][0]["name"].as_str().unwrap_or_default())
            })
            .collect();
        assert_eq!(got, wanted);
        assert_eq!(pids(&lines[0]), [host.pid()]);
    }
    let output = inventory.play("exposed.yml", &[]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("unexpected: tcp/6379 of redis"), "{said}");
    assert!(
        said.contains("web-1                      : ok=1")
            && said.contains("web-2                      : ok=2"),
        "{said}"
    );
    let expected = json!({"expected": ["tcp/22", "tcp/443", "tcp/6379"]}).to_string();
    let output = inventory.play("exposed.yml", &["--check", "-e", &expected]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    // What the module reports if there is no answer, or not a whole one.
    let facts = inventory.facts(&two, &json!({"_ansible_check_mode": true}));
    assert_eq!(facts["changed"], false);
    assert_eq!(facts["ansible_facts"]["allears"]["summary"], json!(["tcp 0.0.0.0:443 nginx (nobody)"]));
    let failure = |arguments: Value| {
        let facts = inventory.facts(&one, &arguments);
        assert_eq!(facts["failed"], true, "{facts:#}");
        facts["msg"].as_str().unwrap_or_default().to_owned()
    };
    let message = failure(json!({"arguments": ["nosuchservice"]}));
    assert!(message.starts_with("allears refused its arguments: error: 'nosuchservice'"), "{message}");
    let message = failure(json!({"arguments": ["--from", "/no/such/file"]}));
    assert!(message.starts_with("allears could not scan this host: error:"), "{message}");
    let message = failure(json!({"executable": "no-such-allears"}));
    assert!(message.contains("no-such-allears"), "{message}");
    // A snapshot of one port does not answer for another.
    let narrow = inventory.folder.join("narrow.json");
    fs::write(&narrow, Cmd::new(["--json", "22"]).through(one.inside()).run().code(0).stdout)
        .expect("write it");
    let narrow = ["--from", &narrow.display().to_string(), "23"].map(str::to_owned);
    let facts = inventory.facts(&one, &json!({"arguments": narrow}));
    assert_eq!(facts["ansible_facts"]["allears"]["complete"], false, "{facts:#}");
    let message = failure(json!({"arguments": narrow, "require_complete": true}));
    assert!(message.starts_with("a socket may be missing: "), "{message}");
}

#[live_test(Linux, Program("systemd-analyze"))]
fn the_units_are_valid() {
    let folder = empty("fleet-units");
    for (script, source) in [("keep-snapshots", "systemd"), ("write-metrics", "prometheus")] {
        fs::copy(recipes(source).join(script), folder.join(script)).expect("copy a script");
    }
    let mut units = Vec::new();
    for entry in fs::read_dir(recipes("systemd")).expect("a folder").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.contains('.') {
            let text = fs::read_to_string(entry.path()).expect("a unit");
            let text = text.replace("/usr/local/libexec/allears", &folder.display().to_string());
            fs::write(folder.join(&name), text).expect("write a unit");
            units.push(folder.join(name));
        }
    }
    assert_eq!(units.len(), 4);
    let mut command = Command::new("systemd-analyze");
    let output =
        command.args(["verify", "--man=no", "--recursive-errors=no"]).args(&units).output().expect("run it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[live_test(SYSTEMD)]
fn a_timer_keeps_snapshots_and_reports_changes() {
    let systemd = Systemd::start();
    let root = PathBuf::from(format!("/proc/{}/root", systemd.pid()));
    let put = |from: &str, to: &str| {
        let text = fs::read_to_string(recipes("systemd").join(from)).expect("a recipe");
        let to = root.join(to);
        fs::create_dir_all(to.parent().expect("a folder")).expect("make a folder");
        fs::write(&to, text.replace("/usr/local/libexec", "/libexec")).expect("write a recipe");
        fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).expect("make it executable");
    };
    put("keep-snapshots", "libexec/allears/keep-snapshots");
    put("allears-snapshot.service", "etc/systemd/system/allears-snapshot.service");
    put("allears-snapshot.timer", "etc/systemd/system/allears-snapshot.timer");
    let drop_in = root.join("etc/systemd/system/allears-snapshot.service.d");
    fs::create_dir_all(&drop_in).expect("make a folder");
    // The program is in the root folder there, and there is no journal.
    let text = "[Service]\nEnvironment=PATH=/:/usr/bin:/bin\nStandardOutput=append:/report\nStandardError=append:/errors\n";
    fs::write(drop_in.join("here.conf"), text).expect("write a drop-in");
    systemd.run(&["systemctl", "daemon-reload"]);
    systemd.run(&["systemctl", "start", "allears-snapshot.service"]);
    let saved = root.join("var/lib/allears");
    let names = || {
        let entries =
            fs::read_dir(&saved).expect("the snapshots").map(|entry| entry.expect("a file").file_name());
        let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    let first = names();
    let [today] = first.as_slice() else { panic!("not one snapshot: {first:?}") };
    assert_eq!(fs::read_to_string(root.join("report")).expect("a report"), "", "nothing to compare with");
    // A day passes, and one snapshot is too old.
    fs::rename(saved.join(today), saved.join("2001-02-04.json")).expect("rename it");
    fs::copy(saved.join("2001-02-04.json"), saved.join("2001-01-01.json")).expect("copy it");
    systemd.run(&["touch", "-d", "2001-01-01", "/var/lib/allears/2001-01-01.json"]);
    systemd.run(&["systemctl", "start", "always.service"]);
    let opened = until(|| {
        let table = fs::read_to_string(format!("/proc/{}/net/tcp", systemd.pid())).ok()?;
        table.contains(":126B ").then_some(())
    });
    opened.expect("the service listens");
    systemd.run(&["systemctl", "start", "allears-snapshot.service"]);
    let report = fs::read_to_string(root.join("report")).expect("a report");
    assert!(report.starts_with("since 2001-02-04:\n"), "{report}");
    let change =
        report.lines().find(|line| line.contains("4715")).unwrap_or_else(|| panic!("no change in {report}"));
    assert!(change.contains("fixture"), "{change}");
    assert_eq!(names(), ["2001-02-04.json".to_owned(), today.clone()]);
    let snapshot = Cmd::new(["--from", &saved.join(today).display().to_string(), "4715"]).answer(0);
    snapshot.assert_eq(
        &snapshot.only()["holders"][0]["service"]["name"],
        &json!("always.service"),
        "service",
    );
    systemd.run(&["systemctl", "start", "allears-snapshot.timer"]);
    systemd.run(&["systemctl", "is-active", "allears-snapshot.timer"]);
}
