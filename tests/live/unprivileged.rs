//! What an unprivileged user learns of another user's port, and which permission is missing: users, candidates,
//! services by cgroup, hidden processes, capabilities.

#![cfg(unix)]

use crate::support::{
    Cgroup, Cmd, Fixture, JsonOutput, NOBODY, Steps, holders, in_new_netns, live_test, nobody_with, pids,
    port,
};
use serde_json::{Value, json};

/// A second user who owns nothing.
const STRANGER: u32 = 65_533;

const AS_NOBODY: [&str; 4] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

fn candidate_pids(unseen: &Value) -> Vec<u64> {
    let candidates = unseen["candidates"].as_array().map(Vec::as_slice).unwrap_or_default();
    candidates.iter().filter_map(|candidate| candidate["pid"].as_u64()).collect()
}

fn must_be_unseen(answer: &JsonOutput, reason: &str) {
    let listener = answer.only();
    answer.assert_eq(holders(listener).len(), 0, "holders");
    answer.assert_eq(&listener["unseen"]["reason"], &json!(reason), "unseen.reason");
}

#[live_test(Linux, Root)]
fn another_users_processes_are_candidates() {
    let port = port();
    let server = Steps::new([format!("tcp=127.0.0.1:{port}")]).user(Some(STRANGER)).start();
    let answer = Cmd::new([format!("tcp/{port}")]).user(Some(NOBODY)).answer(0);
    must_be_unseen(&answer, "permission");
    let listener = answer.only();
    answer.assert_eq(&listener["uid"], &json!(STRANGER), "uid of the socket");
    let candidates = listener["unseen"]["candidates"].as_array().cloned().unwrap_or_default();
    let found = candidates.iter().find(|candidate| candidate["pid"] == server.pid());
    let Some(found) = found else { answer.fail("the process that holds it is no candidate") };
    answer.assert_eq(&found["name"], &json!("fixture"), "name");
    answer.assert(found["evidence"].as_str().is_some_and(|text| !text.is_empty()), "evidence is marked");
    for pid in candidate_pids(&listener["unseen"]) {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let other = status.lines().any(|line| line.starts_with("Uid:") && !line.contains("65533"));
        answer.assert(!other, &format!("candidate {pid} is not a process of the socket's user"));
    }
}

#[live_test(Linux, Root, Program("setpriv"), MOUNT_NAMESPACE, NETWORK_NAMESPACE)]
fn hidden_processes_are_reported() {
    // Containers with the machine's network would be a reason not to deny anything.
    in_new_netns(|| {
        let [taken, free] = [port(), port()];
        let _server = Fixture::start([format!("tcp=127.0.0.1:{taken}")]);
        let hide = "mount -t proc -o hidepid=2 proc /proc && exec \"$@\"";
        let launcher: Vec<&str> =
            ["unshare", "--mount", "sh", "-c", hide, "sh"].into_iter().chain(AS_NOBODY).collect();
        let answer = Cmd::new([format!("tcp/{taken}")]).through(launcher.clone()).answer(0);
        must_be_unseen(&answer, "hidden-proc");
        answer.assert_eq(&answer.only()["user"], &json!("root"), "user of the socket");
        let help = answer.only()["unseen"]["help"].as_str().unwrap_or_default();
        answer.assert(
            help.starts_with("sudo ") && help.contains("allears "),
            "unseen.help names the command that would show it",
        );
        let nothing = Cmd::new([format!("tcp/{free}")]).through(launcher).run().code(1);
        nothing.assert(nothing.text().contains("nothing listens"), "the socket table is open to all");
    });
}

#[live_test(Linux, Root, Program("setpriv"))]
fn a_missing_capability_is_named() {
    let port = port();
    let _server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let cmd = Cmd::new([format!("tcp/{port}")]).through(nobody_with("+sys_ptrace"));
    let answer = cmd.answer(0);
    must_be_unseen(&answer, "permission");
    answer.assert_eq(&answer.only()["user"], &json!("root"), "user of the socket");
    let reported = answer.only()["unseen"].to_string() + &answer.document["gaps"].to_string();
    answer.assert(reported.to_uppercase().contains("CAP_DAC_READ_SEARCH"), "the missing capability is named");
    answer
        .assert(!reported.to_uppercase().contains("CAP_SYS_PTRACE AND"), "and the one that is there is not");
}

#[live_test(Linux, Root, Program("setpriv"))]
fn both_capabilities_see_everything() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "fork=1".into()]);
    let launcher = nobody_with("+sys_ptrace,+dac_read_search");
    let answer = Cmd::new([format!("tcp/{port}")]).through(launcher).answer(0);
    answer.assert_eq(pids(answer.only()), server.family(), "holders");
    answer.assert_eq(&answer.only()["unseen"], &json!(null), "nothing unseen");
}

#[live_test(Linux, Root, Program("setpriv"))]
fn root_without_ptrace_capability_reports_it() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    // The BPF search, which is chosen on a machine with many open files, needs no permission for a process.
    let target = ["--holders=walk".to_owned(), format!("tcp/{port}")];
    let launcher = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace", "--"];
    let answer = Cmd::new(target.clone()).through(launcher).answer(0);
    must_be_unseen(&answer, "permission");
    let candidates = candidate_pids(&answer.only()["unseen"]);
    answer.assert(candidates.contains(&server.pid().into()), "the process is among the candidates");
    let card = Cmd::new(target.clone()).through(launcher).run().code(0);
    card.assert(!card.text().contains("nothing listens"), "it does not deny what it could not see");
    let pids = Cmd::new(["--pids".to_owned()].into_iter().chain(target)).through(launcher).run().code(3);
    pids.assert(pids.stdout.is_empty(), "a candidate is no holder");
}

#[live_test(Linux, Root, Cgroup)]
fn a_service_is_identified_by_its_cgroup() {
    let port = port();
    let unit = format!("allears-live-{}.service", std::process::id());
    let cgroup = Cgroup::new(&format!("system.slice/{unit}"));
    let server = Fixture::start([cgroup.step(), format!("tcp=127.0.0.1:{port}")]);
    let wanted = json!({"manager": "systemd", "name": unit, "scope": "system"});

    let root = Cmd::new([format!("tcp/{port}")]).answer(0);
    root.assert_eq(&root.only()["service"], &wanted, "service of the socket");
    root.assert_eq(&root.only_holder(root.only())["service"], &wanted, "service of the holder");

    let answer = Cmd::new([format!("tcp/{port}")]).user(Some(NOBODY)).answer(0);
    must_be_unseen(&answer, "permission");
    answer.assert_eq(&answer.only()["service"], &wanted, "service, which every user may read");
    let candidates = &answer.only()["unseen"]["candidates"];
    let wanted = json!([{"pid": server.pid(), "name": "fixture", "evidence": "cgroup"}]);
    answer.assert_eq(candidates, &wanted, "the only process of that cgroup");
    let card = Cmd::new([format!("tcp/{port}")]).user(Some(NOBODY)).run().code(0);
    card.assert(card.text().contains(&unit), "the card names the service");
    card.assert(card.text().contains(&server.pid().to_string()), "the card names the candidate");
    drop(server);
}

#[live_test(Linux, Root, Cgroup)]
fn a_container_is_identified_by_its_cgroup() {
    let port = port();
    let id = format!("{:064x}", u64::from(std::process::id()) | 0xabcd_ef00_0000_0000);
    let cgroup = Cgroup::new(&format!("system.slice/docker-{id}.scope"));
    let server = Fixture::start([cgroup.step(), format!("tcp=127.0.0.1:{port}")]);
    for user in [None, Some(NOBODY)] {
        let answer = Cmd::new([format!("tcp/{port}")]).user(user).answer(0);
        let container = &answer.only()["container"];
        answer.assert_eq(&container["runtime"], &json!("docker"), "runtime");
        answer.assert_eq(&container["id"], &json!(id), "id");
    }
    drop(server);
}

#[live_test(Linux, Root)]
fn a_master_of_another_user_is_considered() {
    let port = port();
    // As a web server does: root opens the port, and shares it with a worker of another user.
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "fork-as=65534".to_owned()]);
    let answer = Cmd::new([format!("tcp/{port}")]).answer(0);
    answer.assert_eq(pids(answer.only()), server.family(), "root sees both");
    let answer = Cmd::new([format!("tcp/{port}")]).user(Some(NOBODY)).answer(0);
    let listener = answer.only();
    answer.assert_eq(&listener["user"], &json!("root"), "user of the socket");
    let output = pids(listener);
    let hidden = server.family().into_iter().any(|pid| !output.contains(&pid));
    answer.assert(!hidden || listener["unseen"].is_object(), "an unlisted holder is reported as unseen");
}
