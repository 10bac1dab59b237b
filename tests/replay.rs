//! Saved snapshots in every output format. The results do not depend on the operating system.

#![expect(clippy::expect_used, reason = "a failed step fails the test")]

mod transcript;

use std::io::Write;
use std::process::Stdio;

use transcript::{command, run, status, transcript};

const SAVED: &str = "tests/replay/workstation.json";

fn replay(arguments: &[&str]) -> String {
    transcript(&[&["--from", SAVED], arguments].concat())
}

#[test]
fn table_of_many() {
    insta::assert_snapshot!(replay(&[]));
}

#[test]
fn table_with_chosen_columns_and_order() {
    insta::assert_snapshot!(replay(&["--columns", "pid,port,user,unseen", "--sort", "pid", "--no-header"]), @r"
    $ allears --from tests/replay/workstation.json --columns pid,port,user,unseen --sort pid --no-header
    666                       9001  dev
    667                       9002  uid 70001
    667                       9003  uid 70001
    667                       9004  uid 70001
    811                         22  root
    900                       5353  avahi
    944                        631  root
    944                        631  root
    1502,1503,1504,1505,1506  9000  root,www-data
    2210                      8080  root
    4121                      3000  dev
    -                         5432  postgres       permission
    -                         5432  postgres       permission
    status: 0
    ");
}

#[test]
fn ages_addresses_for_a_browser_and_the_reversed_order() {
    let columns = ["--columns", "port,age,url", "--no-header", "tcp/22,631,3000,5432,9000"];
    let by = |order: &[&str]| replay(&[&columns[..], order].concat());
    insta::assert_snapshot!([by(&["--sort", "age"]), by(&["-r", "--sort", "age"]), by(&["-r"])].join("\n"), @r"
    $ allears --from tests/replay/workstation.json --columns port,age,url --no-header tcp/22,631,3000,5432,9000 --sort age
      22  2 h 14 min
     631  2 h 14 min  http://localhost:631
     631  2 h 14 min  http://localhost:631
    3000  2 h 14 min  http://localhost:3000
    9000  2 h 14 min  http://localhost:9000
    5432
    5432
    status: 0

    $ allears --from tests/replay/workstation.json --columns port,age,url --no-header tcp/22,631,3000,5432,9000 -r --sort age
    9000  2 h 14 min  http://localhost:9000
    3000  2 h 14 min  http://localhost:3000
     631  2 h 14 min  http://localhost:631
     631  2 h 14 min  http://localhost:631
      22  2 h 14 min
    5432
    5432
    status: 0

    $ allears --from tests/replay/workstation.json --columns port,age,url --no-header tcp/22,631,3000,5432,9000 -r
    9000  2 h 14 min  http://localhost:9000
    5432
    5432
    3000  2 h 14 min  http://localhost:3000
     631  2 h 14 min  http://localhost:631
     631  2 h 14 min  http://localhost:631
      22  2 h 14 min
    status: 0
    ");
}

/// Mixed numeric and other names, in every column with names. There are enough rows for the standard library's sort to
/// detect an inconsistent order.
#[test]
fn rows_are_sorted_by_every_column() {
    let names =
        ["9", "10", "1a", "2", "100", "1b", "3x", "20", "0a", "19", "2a", "99", "9a", "007", "1z", ""];
    let mut document: serde_json::Value = serde_json::from_slice(&std::fs::read(SAVED).unwrap()).unwrap();
    let one = document["listeners"].as_array().unwrap().iter().find(|it| it["port"] == 3000).unwrap().clone();
    let row = |at: usize| {
        let mut row = one.clone();
        let name = names[at * 7 % names.len()];
        (row["port"], row["inode"], row["user"]) = ((4000 + at * 37 % 60).into(), at.into(), name.into());
        let holder = &mut row["holders"][0];
        for key in ["name", "user", "executable", "directory", "script"] {
            holder[key] = name.into();
        }
        holder["command"] = serde_json::json!([name]);
        holder["descriptors"] =
            if at.is_multiple_of(3) { serde_json::json!([3, 70]) } else { serde_json::json!([at]) };
        row
    };
    document["listeners"] = (0..60).map(row).collect();
    let path = std::env::temp_dir().join(format!("allears-sorted-{}.json", std::process::id()));
    std::fs::write(&path, document.to_string()).unwrap();
    let path = path.to_str().unwrap();
    let help = run(&["--sort", "no-such-column"]);
    let columns = String::from_utf8(help.stderr).unwrap();
    let columns = columns.split("the columns are ").nth(1).unwrap().lines().next().unwrap();
    assert!(columns.split(", ").count() > 30, "{columns}");
    for column in columns.split(", ") {
        let output = run(&["--from", path, "--sort", column, "--columns", column]);
        assert_eq!(
            (status(&output), output.stdout.iter().filter(|byte| **byte == b'\n').count()),
            (0, 61),
            "{column}"
        );
    }
    let output = run(&["--from", path, "--sort", "process", "--columns", "process", "--no-header"]);
    let mut sorted: Vec<String> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| line.trim().to_owned()).collect();
    sorted.dedup();
    let natural = ["0a", "1a", "1b", "1z", "2", "2a", "3x", "007", "9", "9a", "10", "19", "20", "99", "100"];
    assert_eq!(sorted.iter().take(natural.len()).collect::<Vec<_>>(), natural.iter().collect::<Vec<_>>());
    std::fs::remove_file(path).unwrap();
}

#[test]
fn card_of_one_port() {
    insta::assert_snapshot!(replay(&["3000", "--parents"]), @r"
    $ allears --from tests/replay/workstation.json 3000 --parents
    3000/tcp on 0.0.0.0 (all IPv4 addresses) is held by vite (node, pid 4121, dev)

      command    node /home/dev/src/shop/node_modules/.bin/vite --host
      directory  /home/dev/src/shop/web
      project    /home/dev/src/shop (package.json), branch main
      started    2 h 14 min ago, by zsh
      parents    zsh (4007) < tmux: server (3990) < systemd (1)
      reach      every network this machine is on (a firewall may stand before it)
      queue      129 of 128 connections wait to be accepted; the queue is full
      port       3000/tcp is commonly Next.js, React or Express, among others (IANA: hbci, remoteware-cl)
    status: 0
    ");
}

#[test]
fn card_of_unseen_holders() {
    insta::assert_snapshot!(replay(&["5432"]), @r"
    $ allears --from tests/replay/workstation.json 5432
    5432/tcp on 127.0.0.1 was opened by user postgres; its holder could not be seen

      service    postgresql@15-main.service
      likely     postgres (pid 812), by the socket's cgroup
      not seen   descriptors of processes that may not be read
      reach      this machine only
      port       5432/tcp is PostgreSQL's (IANA: postgresql)

    5432/tcp on [::1] was opened by user postgres; its holder could not be seen

      service    postgresql@15-main.service
      likely     postgres (pid 812), by the socket's cgroup
      not seen   descriptors of processes that may not be read
      reach      this machine only
      port       5432/tcp is PostgreSQL's (IANA: postgresql)
    status: 0
    ");
}

#[test]
fn card_of_a_container_and_of_many_holders() {
    insta::assert_snapshot!(format!("{}\n{}", replay(&["8080"]), replay(&["9000"])));
}

/// A Mac, written by hand: the last user of a socket is no holder, and an application has another name than its helper.
#[test]
fn a_snapshot_of_a_mac() {
    let replay = |arguments: &[&str]| transcript(&[&["--from", "tests/replay/mac.json"], arguments].concat());
    let cards = ["631", "2049", "5000", "8080"].map(|port| replay(&[port])).join("\n");
    insta::assert_snapshot!(format!("{}\n{cards}", replay(&[])));
}

#[test]
fn names_stand_for_ports() {
    let by_name = |name: &str| replay(&[name]).lines().skip(1).collect::<Vec<_>>().join("\n");
    assert_eq!(by_name("postgresql"), by_name("5432"));
    assert_eq!(by_name("udp/mdns"), by_name("udp/5353"));
    insta::assert_snapshot!(replay(&["http-alt,ssh"]), @r"
    $ allears --from tests/replay/workstation.json http-alt,ssh
    PORT  PROTO  ADDRESS  PROCESS       PID   USER  WHAT
      22  tcp    *        sshd          811   root  ssh.service
    8080  tcp    0.0.0.0  docker-proxy  2210  root  container web-1, port 80
    stderr| note: nothing listens on port 591
    stderr| note: nothing listens on port 8008
    status: 0
    ");
}

#[test]
fn addresses_are_distinguished() {
    insta::assert_snapshot!(replay(&["9001-9004", "22", "--columns", "port,address,interface,dual_stack"]), @r"
    $ allears --from tests/replay/workstation.json 9001-9004 22 --columns port,address,interface,dual_stack
    PORT  ADDRESS             INTERFACE  DUAL STACK
      22  *                              true
    9001  [fe80::1%eth0]      eth0       false
    9002  [::]                           false
    9003  [::]?
    9004  [::ffff:127.0.0.1]             false
    status: 0
    ");
}

#[test]
fn hostile_names_are_escaped() {
    insta::assert_snapshot!(replay(&["9001"]), @r#"
    $ allears --from tests/replay/workstation.json 9001
    9001/tcp on [fe80::1%eth0] is held by a)\n\x1b[31m\u{202e} (pid 666, dev)

      command    '\x1b]52;c;aGk=\x07' --\u{202e}gnp
      directory  /tmp/\x1b[2J
      started    2 h 14 min ago, now a child of systemd (pid 1)
      reach      the network of [fe80::1%eth0] (a firewall may stand before it)
      port       9001/tcp is commonly MinIO console (IANA: etlservicemgr)
    status: 0
    "#);
}

#[test]
fn csv() {
    insta::assert_snapshot!(replay(&["--csv", "22", "9000-9002"]));
}

#[test]
fn json_is_the_document_again() {
    let saved: serde_json::Value = serde_json::from_slice(&std::fs::read(SAVED).unwrap()).unwrap();
    let output = run(&["--from", SAVED, "--json"]);
    let mut again: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let listeners = |document: &serde_json::Value| {
        let mut listeners = document["listeners"].as_array().unwrap().clone();
        listeners.sort_by_key(|listener| (listener["port"].as_u64(), listener["address"].to_string()));
        listeners
    };
    assert_eq!(listeners(&saved), listeners(&again));
    again["listeners"] = saved["listeners"].clone();
    assert_eq!(saved, again);
}

#[test]
fn lines_of_json_are_the_listeners_and_the_gaps() {
    let output = run(&["--from", SAVED, "--ndjson"]);
    let lines: Vec<serde_json::Value> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(
        lines.iter().filter(|line| line.get("listeners").is_none() && line["port"].is_u64()).count(),
        13
    );
    assert_eq!(lines.iter().filter(|line| line["gap"]["count"] == 112).count(), 1);
    assert!(lines.iter().all(|line| line["schema"] == "allears/1" && line["host"] == "workstation"));
}

#[test]
fn pids_and_unseen_holders() {
    insta::assert_snapshot!(format!(
        "{}\n{}\n{}",
        replay(&["--pids"]),
        replay(&["--pids", "5432"]),
        replay(&["--pids", "1"])
    ), @r"
    $ allears --from tests/replay/workstation.json --pids
    666
    667
    811
    900
    944
    1502
    1503
    1504
    1505
    1506
    2210
    4121
    stderr| not seen: a holder of 127.0.0.1 port 5432 (permission)
    stderr| not seen: a holder of [::1] port 5432 (permission)
    status: 0

    $ allears --from tests/replay/workstation.json --pids 5432
    stderr| not seen: a holder of 127.0.0.1 port 5432 (permission)
    stderr| not seen: a holder of [::1] port 5432 (permission)
    status: 3

    $ allears --from tests/replay/workstation.json --pids 1
    stderr| note: nothing listens on port 1
    status: 1
    ");
}

#[test]
fn selections() {
    for (arguments, ports) in [
        (&["--exposed"][..], &["22", "3000", "5353", "8080", "9001", "9002", "9003"][..]),
        (&["-u"], &["5353"]),
        (&["-c", "VITE"], &["3000"]),
        (&["--user", "www-data"], &["9000"]),
        (&["--user", "70001"], &["9002", "9003", "9004"]),
        (&["--pid", "1504"], &["9000"]),
        (&["-6", "631,22"], &["22", "631"]),
        (&["-4", "22,9002,9003,9004"], &["22", "9003", "9004"]),
        (&["--dev"], &["3000", "8080", "9001", "9002", "9003", "9004"]),
        (&["--dev", "--exposed", "-c", "node"], &["3000"]),
        (&["--tree", "4007"], &["3000"]),
        (&["--in", "/home/dev/src/shop"], &["3000"]),
        (&["--in", "/home/dev/src/shop/"], &["3000"]),
        (&["127.0.0.1:22"], &["22"]),
        (&["127.0.0.1:9002"], &[]),
        (&["-i", "4tcp:22"], &["22"]),
        (&["300"], &[]),
    ] {
        let output = run(&[&["--from", SAVED, "--columns", "port", "--no-header"], arguments].concat());
        let mut found: Vec<String> =
            String::from_utf8_lossy(&output.stdout).lines().map(|line| line.trim().to_owned()).collect();
        found.dedup();
        if ports.is_empty() {
            assert_eq!(status(&output), 1, "{arguments:?}");
            assert!(found.first().is_some_and(|line| line.starts_with("nothing listens on")), "{found:?}");
        } else {
            assert_eq!(found, ports, "{arguments:?}");
            assert_eq!(status(&output), 0, "{arguments:?}");
        }
    }
}

#[test]
fn an_unseen_holder_is_not_denied() {
    insta::assert_snapshot!(replay(&["5432", "-c", "nosuch"]), @r"
    $ allears --from tests/replay/workstation.json 5432 -c nosuch
    stderr| error: could not determine whether something matches
    stderr| not seen: the descriptors of 112 processes
    stderr| not seen: 2 listeners whose holders could not all be seen may match too
    status: 3
    ");
}

const LATER: &str = "tests/replay/later.json";

#[test]
fn diff_an_hour_later() {
    let reported = [[SAVED, LATER], [LATER, SAVED], [SAVED, SAVED]].map(|[a, b]| transcript(&["diff", a, b]));
    insta::assert_snapshot!(reported.join("\n"), @r"
    $ allears diff tests/replay/workstation.json tests/replay/later.json
    closed   22/tcp    *          sshd (pid 811, root)  ssh.service
    changed  631/tcp   127.0.0.1  cupsd (pid 944, root); another socket
    changed  3000/tcp  0.0.0.0    node (pid 4121, dev) -> node (pid 9120, dev)  /home/dev/src/shop  (vite)
    opened   8000/tcp  127.0.0.1  python3 (pid 9200, dev)  /home/dev/src/shop  (python -m http.server)
    changed  9000/tcp  127.0.0.1  no longer held by php-fpm8.2 (pid 1505, www-data), php-fpm8.2 (pid 1506, www-data)
    stderr| note: holders of 2 listeners could not be compared: at least one snapshot does not show them
    status: 1

    $ allears diff tests/replay/later.json tests/replay/workstation.json
    opened   22/tcp    *          sshd (pid 811, root)  ssh.service
    changed  631/tcp   127.0.0.1  cupsd (pid 944, root); another socket
    changed  3000/tcp  0.0.0.0    node (pid 9120, dev) -> node (pid 4121, dev)  /home/dev/src/shop  (vite)
    closed   8000/tcp  127.0.0.1  python3 (pid 9200, dev)  /home/dev/src/shop  (python -m http.server)
    changed  9000/tcp  127.0.0.1  also held by php-fpm8.2 (pid 1505, www-data), php-fpm8.2 (pid 1506, www-data)
    stderr| note: holders of 2 listeners could not be compared: at least one snapshot does not show them
    status: 1

    $ allears diff tests/replay/workstation.json tests/replay/workstation.json
    no difference
    stderr| note: holders of 2 listeners could not be compared: at least one snapshot does not show them
    status: 0
    ");
}

#[test]
fn diff_as_json() {
    let output = run(&["diff", SAVED, LATER, "--json"]);
    assert_eq!(status(&output), 1);
    let mut document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    // Listeners have the form of the list.
    let port = |listener: &serde_json::Value| listener["port"].clone();
    for change in document["changes"].as_array_mut().unwrap() {
        (change["before"], change["after"]) = (port(&change["before"]), port(&change["after"]));
    }
    insta::assert_snapshot!(format!("{document:#}"));
}

#[test]
fn diff_of_two_machines() {
    insta::assert_snapshot!(transcript(&["diff", SAVED, "tests/replay/mac.json"]));
}

/// Writes an altered copy of the saved snapshot.
fn altered(name: &str, alter: impl Fn(&mut serde_json::Value)) -> std::path::PathBuf {
    let mut document: serde_json::Value =
        serde_json::from_slice(&std::fs::read(SAVED).expect("a saved snapshot")).expect("a saved snapshot");
    alter(&mut document);
    let path = std::env::temp_dir().join(format!("allears-{name}-{}.json", std::process::id()));
    std::fs::write(&path, document.to_string()).expect("a saved snapshot");
    path
}

fn diff(old: &std::path::Path, new: &std::path::Path) -> String {
    let output = run(&["diff".as_ref(), old.as_os_str(), new.as_os_str()]);
    let [out, err] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    format!("{out}{err}status: {}\n", status(&output))
}

#[test]
fn diff_with_an_incomplete_snapshot() {
    let saved = std::path::Path::new(SAVED);
    let none = altered("none", |document| {
        document["complete"] = false.into();
        document["listeners"].as_array_mut().unwrap().retain(|one| one["port"] != 22);
        let gap = r#"{"what": "sockets", "reason": "netlink", "count": 1, "detail": "udp\u001b[31m", "help": null}"#;
        document["gaps"].as_array_mut().unwrap().push(serde_json::from_str(gap).unwrap());
    });
    let same = altered("same", |document| document["complete"] = false.into());
    let reported = [diff(saved, &none), diff(&none, saved), diff(saved, &same)].join("\n");
    for path in [none, same] {
        std::fs::remove_file(path).unwrap();
    }
    insta::assert_snapshot!(reported, @r#"
    closed?  22/tcp  *  sshd (pid 811, root)  ssh.service  (or missed now: this scan is incomplete)
    note: holders of 2 listeners could not be compared: at least one snapshot does not show them
    not seen: the later snapshot is incomplete: udp\x1b[31m
    error: could not determine whether they differ
    status: 3

    opened?  22/tcp  *  sshd (pid 811, root)  ssh.service  (or missed before: the earlier scan was incomplete)
    note: holders of 2 listeners could not be compared: at least one snapshot does not show them
    not seen: the earlier snapshot is incomplete: udp\x1b[31m
    error: could not determine whether they differ
    status: 3

    note: holders of 2 listeners could not be compared: at least one snapshot does not show them
    not seen: the later snapshot is incomplete
    error: could not determine whether they differ
    status: 3
    "#);
}

#[test]
fn diff_compares_only_the_common_scope() {
    let output = run(&["--from", SAVED, "3000", "--json"]);
    let narrow = std::env::temp_dir().join(format!("allears-narrow-{}.json", std::process::id()));
    std::fs::write(&narrow, &output.stdout).unwrap();
    let [saved, later] = [SAVED, LATER].map(std::path::Path::new);
    let same = diff(&narrow, saved);
    assert!(same.starts_with("no difference\n") && same.ends_with("status: 0\n"), "{same}");
    assert!(same.contains("taken with different queries"), "{same}");
    let changed = diff(&narrow, later);
    assert_eq!(changed.lines().filter(|line| line.starts_with("changed  3000/tcp")).count(), 1, "{changed}");
    assert!(!changed.contains("closed") && !changed.contains("opened"), "{changed}");
    // A snapshot of an earlier version does not contain its request.
    let old = altered("old", |document| drop(document.as_object_mut().unwrap().remove("asked")));
    assert!(diff(&old, saved).starts_with("no difference\n"));
    for path in [narrow, old] {
        std::fs::remove_file(path).unwrap();
    }
    assert_eq!(status(&run(&["diff", SAVED, "tests/replay/no-such-file.json"])), 3);
}

#[test]
fn files_that_are_not_snapshots() {
    let folder = std::env::temp_dir().join(format!("allears-replay-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let saved = std::fs::read_to_string(SAVED).unwrap();
    for (name, content, place) in [
        ("empty", String::new(), "not a JSON document"),
        ("torn", saved[..saved.len() / 2].to_owned(), "not a JSON document"),
        ("foreign", "{\"containers\": []}".to_owned(), "at schema"),
        ("newer", saved.replacen("allears/1", "allears/2", 1), "allears/2"),
        ("damaged", saved.replacen("\"port\": 22", "\"port\": 70000", 1), "listeners[0].port"),
        (
            "nonsense",
            saved.replacen("\"state\": \"listen\"", "\"state\": \"lissen\"", 1),
            "listeners[0].state",
        ),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        let output = run(&["--from".as_ref(), path.as_os_str()]);
        let reported = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(status(&output), 3, "{name}: {reported}");
        assert!(reported.contains(place) && output.stdout.is_empty(), "{name}: {reported}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(status(&run(&["--from", "tests/replay/no-such-file.json"])), 3);
}

#[test]
fn standard_input_is_a_file_too() {
    let mut child = command()
        .args(["--from", "-", "--pids", "22"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&std::fs::read(SAVED).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"811\n");
}
