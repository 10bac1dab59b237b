//! The default list covers this network namespace. A line names listeners on the same port in others.

#![cfg(target_os = "linux")]

use crate::support::{Cmd, Fixture, Need, live_test, ordinary_user, port, without_host_containers};

const HINT: &str = "in another network namespace";

fn server_in_another_netns(step: &str, port: u16) -> Fixture {
    Fixture::start(["namespace=net".to_owned(), format!("{step}=127.0.0.1:{port}")])
}

#[live_test(Root, NETWORK_NAMESPACE)]
fn a_listener_in_another_namespace_is_hinted_at() {
    let place = port();
    let server = server_in_another_netns("tcp", place);
    let here = Cmd::new([place.to_string()]).run().code(1);
    here.assert(here.text().starts_with("nothing listens on"), "the answer is about this namespace");
    let namespace = std::fs::read_link(format!("/proc/{}/ns/net", server.pid())).expect("its namespace");
    let hint = format!("something listens on port {place} {HINT} ({})", namespace.display());
    here.assert(here.errors().contains(&hint), "the hint names the namespace");
    here.assert(here.errors().contains(&format!("allears --all-namespaces {place}")), "and the way to it");
    // Nothing listens there over UDP.
    let udp = Cmd::new([format!("udp/{place}")]).run().code(1);
    udp.assert(!udp.errors().contains(HINT), "another protocol is another port");
    let datagrams = server_in_another_netns("udp", place);
    let udp = Cmd::new([format!("udp/{place}")]).run().code(1);
    udp.assert(udp.errors().contains(HINT), "datagrams are received there");
    drop(datagrams);
    for arguments in [&["-q"][..], &["--json"], &["--pids"], &["--csv"]] {
        let place = place.to_string();
        let arguments = arguments.iter().copied().chain([place.as_str()]);
        let output = Cmd::new(arguments).run().code(1);
        output.assert(!output.errors().contains(HINT), "a script gets nothing but the answer");
    }
}

#[live_test(Root, NETWORK_NAMESPACE)]
fn a_local_listener_gets_no_hint() {
    let place = port();
    let _server = server_in_another_netns("tcp", place);
    let _here = Fixture::start([format!("tcp=127.0.0.1:{place}")]);
    let output = Cmd::new([place.to_string()]).run().code(0);
    output.assert(!output.errors().contains("namespace"), "it was found");
    let output = Cmd::new(["--all-namespaces".to_owned(), place.to_string()]).run().code(0);
    output.assert(!output.errors().contains(HINT), "all were requested");
}

#[live_test(Root, NETWORK_NAMESPACE)]
fn without_permissions_the_hint_is_true_or_missing() {
    let _quiet = without_host_containers();
    let place = port();
    let _server = server_in_another_netns("tcp", place);
    let output = Cmd::new([place.to_string()]).user(ordinary_user()).run().code(1);
    // Its table can be read through the process in it.
    output.assert(output.errors().contains(HINT), "the hint");
    output.assert(output.errors().contains("sudo "), "more rights show it");
    let free = Cmd::new([port().to_string()]).user(ordinary_user()).run().code(1);
    free.assert(!free.errors().contains(HINT), "nothing listens there either");
}

#[live_test(Root, NETWORK_NAMESPACE, PID_NAMESPACE)]
fn the_network_of_a_container_is_named_as_such() {
    let place = port().to_string();
    let container = ["unshare", "--net", "--pid", "--fork", "--mount-proc"];
    let output = Cmd::new([place.as_str()]).through(container).run().code(1);
    let tells = |errors: &str| errors.contains("this is the network of a container");
    // Before Linux 6.18 a namespace without links looks like a machine without links.
    if Need::Kernel(6, 18).missing().is_none() {
        output.assert(tells(&output.errors()), "it reports whose network this is");
    }
    let own = Cmd::new([place.as_str()]).through(["unshare", "--net"]).run().code(1);
    let is_other = own.errors().contains("this is not the machine's first network namespace");
    own.assert(
        is_other || tells(&own.errors()),
        "another namespace is reported as another network, container or not",
    );
    let here = Cmd::new(["--all-namespaces", place.as_str()]).through(container).run();
    here.assert(!tells(&here.errors()), "all namespaces were requested");
}
