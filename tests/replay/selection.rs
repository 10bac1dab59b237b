//! Which listeners of a snapshot are selected.

use crate::transcript::{run, status};
use crate::{SAVED, replay};

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
