//! `free -c TEXT`: it frees the ports that matching processes hold, and never ends another process.

#![cfg(unix)]

use crate::free::must_still_hold;
use crate::support::{Cmd, Fixture, live_test, port, runs};

fn named(name: &str, port: u16) -> Fixture {
    Fixture::start([format!("name={name}"), "reuseport".into(), format!("tcp=127.0.0.1:{port}")])
}

#[live_test(Linux)]
fn every_port_of_the_name_and_no_other() {
    let name = format!("mine-{}", port());
    let [one, two] = [port(), port()].map(|port| named(&name, port));
    let other = named("another", port());
    let unconfirmed = Cmd::new(["free", "-c", &name]).run().without_panic().code(3);
    unconfirmed.assert(unconfirmed.both_streams().contains("--yes"), "several ports need --yes");
    must_still_hold(&unconfirmed, &[&one, &two, &other]);
    let plan = Cmd::new(["free", "--dry-run", "-c", &name]).run().without_panic().code(1);
    for server in [&one, &two] {
        plan.assert(plan.text().contains(&format!("to free {}/tcp, end", server.port())), "each has a plan");
    }
    let freed = Cmd::new(["free", "--yes", "-c", &name.to_uppercase()]).run().without_panic().code(0);
    freed.assert(!runs(one.pid()) && !runs(two.pid()), "both ended");
    must_still_hold(&freed, &[&other]);
    let nothing = Cmd::new(["free", "--yes", "-c", &name]).run().without_panic().code(3);
    nothing.assert(nothing.both_streams().contains("no visible process that matches"), "it gives the reason");
}

#[live_test(Linux)]
fn targets_limit_the_freed_ports() {
    let name = format!("mine-{}", port());
    let [one, two] = [port(), port()].map(|port| named(&name, port));
    let other = named("another", port());
    let not_its = Cmd::new(["free", "--yes", "-c", &name, &other.port().to_string()]).run().code(3);
    must_still_hold(&not_its, &[&one, &two, &other]);
    let targets = [one.port().to_string(), other.port().to_string()];
    let freed =
        Cmd::new(["free", "--yes", "-c", &name, &targets[0], &targets[1]]).run().without_panic().code(0);
    freed.assert(!runs(one.pid()), "the one that both select ended");
    must_still_hold(&freed, &[&two, &other]);
}

#[live_test(Linux)]
fn a_port_that_another_program_shares_is_refused() {
    let (name, port) = (format!("mine-{}", port()), port());
    let [one, other] = [&name[..], "another"].map(|name| named(name, port));
    let target = port.to_string();
    for words in [vec!["free", "--yes", "-c", &name], vec!["free", "-fy", "-c", &name, &target]] {
        let refused = Cmd::new(words).run().without_panic().code(3);
        let reason = format!("another (fixture, pid {},", other.pid());
        refused.assert(refused.both_streams().contains(&reason), "it names the other program");
        refused.assert(refused.both_streams().contains(&format!("does not match {name}")), "and the reason");
        refused.assert(runs(one.pid()) && runs(other.pid()), "neither ended");
    }
}

#[live_test(Linux)]
fn localhost_is_one_port() {
    let server = named("mine", port());
    let target = format!("http://user:secret@localhost:{}/", server.port());
    let agreed = Cmd::new(["free", &target]).start_on_terminal().type_in("y\n").code(0);
    agreed.assert(!runs(server.pid()), "it ended");
    agreed.assert(!agreed.both_streams().contains("secret"), "no password is printed");
}

#[live_test]
fn a_blank_name_matches_nothing() {
    let server = named("mine", port());
    // What a shell passes for an unset variable.
    for blank in ["", " "] {
        let refused = Cmd::new(["free", "--yes", "-c", blank, &server.port().to_string()]).run().code(2);
        refused.assert(refused.errors().contains("would match every process"), "the reason");
        refused.assert(runs(server.pid()), "it goes on");
        Cmd::new(["-c", blank]).run().code(2);
    }
}
