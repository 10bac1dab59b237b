//! Ports that are forwarded although nothing listens, or kept by the engine itself. Each private engine has its own
//! network namespace.

#![cfg(unix)]

use crate::support::{
    Container, Engine, JsonOutput, NOBODY, holders, in_new_netns, ip, kill_proxy, live_test, pids,
    send_signal, stop,
};
use nix::sys::signal::Signal;
use serde_json::json;

const PORT: u16 = 8080;

/// A non-loopback address of the namespace. For loopback, the rules of an engine with a proxy leave everything to the
/// proxy.
const ADDRESS: &str = "192.0.2.1";

/// Returns whether connections to the port are accepted.
fn connects(address: &str) -> bool {
    std::net::TcpStream::connect((address, PORT)).is_ok()
}

#[live_test(PRIVATE_ENGINE)]
fn a_port_that_is_forwarded_and_not_listened_on() {
    in_new_netns(|| {
        ip(&format!("address add {ADDRESS}/32 dev lo"));
        let engine = Engine::start(&[]);
        let publish = format!("{ADDRESS}:{PORT}:80");
        let container = engine.run(&["--publish", &publish], &["tcp=0.0.0.0:80"]);
        let before = engine.cmd([format!("{PORT}")]).answer(0);
        before.assert_eq(&before.only()["container"], &container.described(80), "with a proxy");

        must_report_a_stopped_engine(&engine);

        // The proxy ends, and the rules of the engine still forward.
        let [proxy] = pids(before.only())[..] else { before.fail("one proxy") };
        kill_proxy(proxy, ADDRESS, PORT);
        assert!(connects(ADDRESS), "forwarded without a listener");

        let answer = engine.cmd([format!("{PORT}")]).answer(0);
        must_be_forwarded(&answer, &container);
        let all = engine.cmd([] as [&str; 0]).answer(0);
        let rows = all.listeners().iter().filter(|one| one["port"] == PORT).count();
        all.assert_eq(rows, 1, "rows of it in the whole list");
        let card = engine.cmd([format!("{PORT}")]).run().code(0);
        card.assert(card.text().contains(&container.name), "the card names the container");
        card.assert(card.text().contains("forward"), "the card names what it is");
        let other = engine.cmd(["udp/8080"]).run().code(1);
        other.assert(!other.text().contains(&container.name), "the other protocol is not forwarded");

        let why = JsonOutput::parse(engine.cmd(["why", "--json", &PORT.to_string()]).run().without_panic());
        why.assert_eq(&why.document["verdict"], &json!("forwarded"), "verdict");
        let reason = why.document["reason"].to_string();
        why.assert(reason.contains(&container.name), "the reason names the container");
        let stop = format!("docker stop {}", container.name);
        why.assert(why.document["advice"].to_string().contains(&stop), "the advice stops the container");

        an_unprivileged_user_is_not_denied_it(&engine);
    });
}

#[track_caller]
fn must_be_forwarded(answer: &JsonOutput, container: &Container<'_>) {
    let row = answer.only();
    answer.assert_eq(&row["state"], &json!("forwarded"), "state");
    answer.assert_eq([&row["protocol"], &row["address"]], [&json!("tcp"), &json!(ADDRESS)], "where");
    answer.assert_eq(&row["inode"], &json!(null), "inode");
    answer.assert_eq(&row["holders"], &json!([]), "holders");
    answer.assert_eq(&row["unseen"], &json!(null), "nothing is unseen, because no process holds it");
    answer.assert_eq(&row["container"], &container.described(80), "container");
    answer.assert(row["note"].is_string(), "a note explains what it is");
}

/// A user who may not query the engine gets no such row, and no false statement instead.
fn an_unprivileged_user_is_not_denied_it(engine: &Engine) {
    let output = engine.cmd(["--json", &PORT.to_string()]).user(Some(NOBODY)).run().without_panic();
    let answer = JsonOutput::parse(output);
    answer.assert_eq(answer.listeners().len(), 0, "rows");
    let why =
        engine.cmd(["why", "--json", &format!("{ADDRESS}:{PORT}")]).user(Some(NOBODY)).run().without_panic();
    let why = JsonOutput::parse(why);
    why.assert(why.document["verdict"] != "free", "a port that answers is not reported as free");
}

/// Stops and continues only its private engine.
fn must_report_a_stopped_engine(engine: &Engine) {
    stop(engine.pid());
    let output = engine.cmd(["--json", &PORT.to_string()]).run();
    send_signal(engine.pid(), Signal::SIGCONT);
    let answer = JsonOutput::parse(output.without_panic().code(0));
    answer.assert_eq(holders(answer.only()).len(), 1, "the proxy is shown");
    let gaps = answer.document["gaps"].as_array().cloned().unwrap_or_default();
    let reasons: Vec<_> =
        gaps.iter().filter(|gap| gap["what"] == "containers").map(|gap| &gap["reason"]).collect();
    answer.assert_eq(reasons, vec![&json!("timeout")], "gap");
}

#[live_test(PRIVATE_ENGINE)]
fn a_port_that_the_engine_holds_itself() {
    in_new_netns(|| {
        let engine = Engine::start(&["--userland-proxy=false"]);
        let (tcp, udp) = (format!("127.0.0.1:{PORT}:80"), format!("127.0.0.1:{PORT}:53/udp"));
        let options = ["--publish", &tcp, "--publish", &udp];
        let container = engine.run(&options, &["tcp=0.0.0.0:80", "udp=0.0.0.0:53"]);
        assert!(connects("127.0.0.1"), "published");
        for (protocol, inside) in [("tcp", 80), ("udp", 53)] {
            let answer = engine.cmd([format!("{protocol}/{PORT}")]).answer(0);
            let row = answer.only();
            answer.assert_eq(&row["container"], &container.described(inside), "container");
            // Some engines hold a socket so that nothing else takes the port.
            match row["state"].as_str() {
                Some("forwarded") => answer.assert_eq(holders(row).len(), 0, "holders"),
                _ => answer.assert_eq(pids(row), vec![engine.pid()], "the engine holds it"),
            }
        }
        let why = JsonOutput::parse(engine.cmd(["why", "--json", &PORT.to_string()]).run().without_panic());
        why.assert_eq(&why.document["verdict"], &json!("forwarded"), "verdict");
        why.assert(
            why.document["reason"].to_string().contains(&container.name),
            "the reason names the container",
        );

        // Ending the engine would end all its containers.
        let plan = JsonOutput::parse(engine.cmd(["free", "--dry-run", "--json", &PORT.to_string()]).run());
        let planned = plan.document["plan"].as_array().cloned().unwrap_or_default();
        let ends = planned.iter().any(|step| step["pid"] == engine.pid());
        plan.assert(!ends, "the engine is not in the plan");
        let stop = format!("docker stop {}", container.name);
        plan.assert(
            plan.document.to_string().contains(&stop),
            "the command that stops the container is printed",
        );
    });
}
