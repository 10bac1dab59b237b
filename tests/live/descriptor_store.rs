//! Ports that systemd keeps in the descriptor store of a service (sd_pid_notify_with_fds(3)), with a real systemd.

#![cfg(unix)]

use crate::support::{Cmd, NOBODY, Systemd, holders, live_test, until};
use serde_json::json;

/// Listens, passes the socket to systemd, and closes it on request.
const KEEPS: &str = "\
import array, os, socket, sys, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', int(sys.argv[1])))
s.listen()
n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
n.connect(os.environ['NOTIFY_SOCKET'].replace('@', chr(0)))
rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [s.fileno()]))
n.sendmsg([b'FDSTORE=1'], [rights])
if sys.argv[2] == 'close':
    s.close()
n.send(b'READY=1')
time.sleep(9999)
";

/// Starts a service that listens on a port and passes the socket to systemd.
fn start(systemd: &Systemd, name: &str, port: &str, then: &str) {
    let unit = format!(
        "[Unit]\nDefaultDependencies=no\n[Service]\nType=notify\nNotifyAccess=all\nStandardOutput=null\n\
         FileDescriptorStoreMax=4\nFileDescriptorStorePreserve=yes\nExecStart=/usr/bin/python3 /keeps.py {port} {then}\n"
    );
    let path = format!("/run/systemd/system/{name}");
    let script = "mkdir -p /run/systemd/system && printf %s \"$1\" >\"$2\" && printf %s \"$3\" >/keeps.py";
    systemd.run(&["sh", "-c", script, "sh", &unit, &path, KEEPS]);
    systemd.run(&["systemctl", "daemon-reload"]);
    systemd.run(&["systemctl", "start", name]);
}

fn output_of(systemd: &Systemd, words: &[&str], code: i32) -> String {
    let output = Cmd::new(words.iter().copied()).through(systemd.launcher(&[])).run().code(code);
    let said = output.both_streams();
    said.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

fn must_say(said: &str, words: &str) {
    assert!(said.contains(words), "{words:?} is not in {said}");
}

#[live_test(SYSTEMD, Program("python3"))]
fn a_port_in_the_descriptor_store_is_named_by_its_unit() {
    let systemd = Systemd::start();
    start(&systemd, "keeps.service", "4731", "close");
    start(&systemd, "shares.service", "4732", "keep");
    let kept = systemd.answer("tcp/4731", &[]);
    let listener = kept.only();
    let names: Vec<_> = holders(listener).iter().map(|holder| holder["name"].clone()).collect();
    kept.assert_eq(names, vec![json!("systemd")], "holders");
    let unit = json!({"manager": "systemd", "name": "keeps.service", "scope": "system"});
    kept.assert_eq(&listener["descriptor_store"]["unit"], &unit, "descriptor_store.unit");
    kept.assert_eq(&listener["descriptor_store"]["active"], &json!(true), "descriptor_store.active");
    let shared = systemd.answer("tcp/4732", &[]);
    shared.assert_eq(holders(shared.only()).len(), 2, "holders");
    let name = &shared.only()["descriptor_store"]["unit"]["name"];
    shared.assert_eq(name, &json!("shares.service"), "the store of a socket that the service has too");
    // The port of a socket unit is not in a descriptor store.
    let activated = systemd.answer("tcp/4711", &[]);
    activated.assert_eq(&activated.only()["descriptor_store"], &json!(null), "of a socket unit");
    let stop = "systemctl stop -- keeps.service";
    let card = output_of(&systemd, &["tcp/4731"], 0);
    must_say(&card, "keeps.service, in systemd's descriptor store");
    must_say(&card, stop);
    must_say(
        &output_of(&systemd, &["why", "4731"], 1),
        "systemd keeps it in the descriptor store of keeps.service",
    );
    let free = output_of(&systemd, &["free", "--yes", "4731"], 3);
    must_say(&free, "in the descriptor store of keeps.service");
    must_say(&free, stop);
    // Ending the process would not free the port.
    must_say(
        &output_of(&systemd, &["free", "--yes", "4732"], 3),
        "in the descriptor store of shares.service",
    );
    // An unprivileged user may not read systemd's descriptors, and gets no such statement.
    let nobody = NOBODY.to_string();
    let as_nobody = ["setpriv", &format!("--reuid={nobody}"), &format!("--regid={nobody}"), "--clear-groups"];
    let reported = Cmd::new(["tcp/4731"]).through(systemd.launcher(&as_nobody)).answer(0);
    reported.assert_eq(holders(reported.only()).len(), 0, "holders");
    reported.assert_eq(&reported.only()["unseen"]["reason"], &json!("permission"), "unseen.reason");
    // The printed command works.
    systemd.run(&["systemctl", "stop", "--", "keeps.service"]);
    if card.contains("--what=fdstore") {
        systemd.run(&["systemctl", "clean", "--what=fdstore", "--", "keeps.service"]);
    }
    let gone = until(|| {
        let output = Cmd::new(["tcp/4731"]).through(systemd.launcher(&[])).run();
        (output.status.code() == Some(1)).then_some(())
    });
    assert!(gone.is_some(), "the port is free");
}
