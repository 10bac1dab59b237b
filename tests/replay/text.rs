//! Tables and cards.

use crate::transcript::{run, status, transcript};
use crate::{SAVED, replay};

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
