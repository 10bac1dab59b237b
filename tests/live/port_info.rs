//! Service names as targets, and notes about unexpected holders, with real listeners on the well-known ports.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, Steps, copy_of, fixture_program, in_new_netns, live_test, pids};

#[live_test(Linux, Root, NETWORK_NAMESPACE, Program("ip"))]
fn a_listener_is_found_by_its_service_name() {
    in_new_netns(|| {
        let server = Fixture::start(["tcp=127.0.0.1:5432"]);
        for target in ["postgresql", "PostgreSQL", "tcp/postgresql", "postgresql/tcp", "127.0.0.1:postgresql"]
        {
            let answer = Cmd::new([target]).answer(0);
            answer.assert_eq(pids(answer.only()), vec![server.pid()], target);
        }
        let answer = Cmd::new(["-i", ":postgresql"]).answer(0);
        answer.assert_eq(pids(answer.only()), vec![server.pid()], "the form of lsof");
        let answer = Cmd::new(["http,ssh"]).answer(1);
        answer.assert_eq(answer.listeners().len(), 0, "other names");
        let why = Cmd::new(["why", "postgresql"]).run().code(1);
        why.assert(why.text().starts_with("5432/tcp cannot be bound"), "why takes a name");
    });
}

#[live_test(Linux, Root, NETWORK_NAMESPACE, Program("ip"))]
fn a_name_of_one_protocol_is_not_the_other() {
    in_new_netns(|| {
        // bngsync is registered for UDP only.
        let _server = Fixture::start(["tcp=127.0.0.1:10439"]);
        Cmd::new(["bngsync"]).answer(1);
        let datagrams = Fixture::start(["udp=127.0.0.1:10439"]);
        let answer = Cmd::new(["bngsync"]).answer(0);
        answer.assert_eq(pids(answer.only()), vec![datagrams.pid()], "holder");
    });
}

#[live_test(Linux, Root, NETWORK_NAMESPACE, Program("ip"))]
fn an_unexpected_holder_is_noted() {
    for (name, note) in [("node", Some("5432 is PostgreSQL's, but node holds it")), ("postgres", None)] {
        in_new_netns(|| {
            let program = copy_of(&fixture_program(), Some(name));
            let _server = Steps::new(["tcp=127.0.0.1:5432"]).program(program).start();
            let answer = Cmd::new(["5432"]).answer(0);
            answer.assert_eq(answer.only()["note"].as_str(), note, name);
        });
    }
}

#[live_test(Linux, Root, NETWORK_NAMESPACE, Program("ip"))]
fn the_card_explains_the_port_number() {
    in_new_netns(|| {
        let _server = Fixture::start(["tcp=127.0.0.1:10309", "tcp=127.0.0.1:40001"]);
        let card = Cmd::new(["10309"]).run().code(0);
        card.assert(card.text().contains("registered range, not assigned by IANA\n"), "nobody's");
        // 32768-60999 is the ephemeral range of a new network namespace.
        let card = Cmd::new(["40001"]).run().code(0);
        card.assert(
            card.text().contains("this system may assign it to a program that binds port 0"),
            "perhaps by chance",
        );
        let about = Cmd::new(["about", "40001"]).run().code(0);
        about.assert(about.text().contains("32768-60999"), "the range of this machine");
    });
}
