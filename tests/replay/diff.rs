//! Differences between saved snapshots.

use crate::SAVED;
use crate::transcript::{run, status, transcript};

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
