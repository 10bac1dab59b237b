//! `why`, `wait` and `free` about addresses that are on an interface and cannot be bound, or need an interface. Each
//! test has its own network namespace.

#![cfg(target_os = "linux")]

use crate::support::{Cmd, Fixture, in_new_netns, ip, live_test, set_limit, until};
use crate::why::{must_be_bindable, must_have_verdict, obstacles, sentences, why};
use serde_json::json;

/// Waits until `ip` shows an address with these flags.
fn wait_for_address(device: &str, address: &str, with: &[&str]) {
    let shown = until(|| {
        let output = std::process::Command::new("ip")
            .args(["-6", "-o", "addr", "show", "dev", device, "to", address])
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let words: Vec<&str> = text.split_whitespace().collect();
        let has = |word: &&str| words.contains(word);
        (!words.is_empty() && with.iter().all(has)).then_some(())
    });
    shown.unwrap_or_else(|| panic!("{address} on {device} with {with:?}"));
}

/// Creates a veth pair, with duplicate address detection on the second device as slow as given.
pub(crate) fn veth_pair(transmits: &str) {
    ip("link add v0 type veth peer name v1");
    set_limit("ipv6/conf/v1/accept_dad", "1");
    set_limit("ipv6/conf/v1/dad_transmits", transmits);
    for device in ["v0", "v1"] {
        ip(&format!("link set {device} up"));
    }
}

#[live_test(Root, NETWORK_NAMESPACE, VETH)]
fn a_tentative_address_is_not_usable_yet() {
    in_new_netns(|| {
        // More than a minute.
        veth_pair("100");
        ip("-6 addr add fd00:beef::1/64 dev v1");
        wait_for_address("v1", "fd00:beef::1", &["tentative"]);
        for target in ["[fd00:beef::1]:8080", "udp/[fd00:beef::1]:8080"] {
            let answer = why(target, 1);
            must_have_verdict(&answer, "address-not-local");
            answer.assert_eq(&answer.document["hindrance"], &json!("tentative"), "hindrance");
            answer.assert_eq(&answer.document["error"], &json!("EADDRNOTAVAIL"), "error");
            answer.assert_eq(obstacles(&answer).len(), 0, "no socket prevents the bind");
            let reported = sentences(&answer);
            answer.assert(reported.contains("tentative") && reported.contains("v1"), "what it is, and where");
            answer.assert(
                !reported.contains("not an address of this machine"),
                "it is an address of this machine",
            );
            answer.assert(reported.contains("allears wait --free"), "a wait helps");
        }
        let freed = Cmd::new(["free", "--yes", "[fd00:beef::1]:8080"]).run().code(3);
        freed.assert(freed.text().contains("tentative"), "free gives the same reason");
        // An optimistic address is tentative too, and can be bound.
        set_limit("ipv6/conf/v1/optimistic_dad", "1");
        ip("-6 addr add fd00:beef::2/64 dev v1 optimistic");
        wait_for_address("v1", "fd00:beef::2", &["optimistic"]);
        must_be_bindable("[fd00:beef::2]:8080");
    });
}

#[live_test(Root, NETWORK_NAMESPACE, VETH)]
fn a_duplicate_address_is_not_usable() {
    in_new_netns(|| {
        veth_pair("1");
        ip("-6 addr add fd00:dead::1/64 dev v0 nodad");
        ip("-6 addr add fd00:dead::1/64 dev v1");
        wait_for_address("v1", "fd00:dead::1", &["dadfailed"]);
        // A bind with that interface would succeed.
        ip("-6 addr del fd00:dead::1/64 dev v0");
        let answer = why("[fd00:dead::1]:8080", 1);
        must_have_verdict(&answer, "address-not-local");
        answer.assert_eq(&answer.document["hindrance"], &json!("duplicate"), "hindrance");
        let reported = sentences(&answer);
        answer.assert(reported.contains("duplicate") && reported.contains("v1"), "what it is, and where");
        answer
            .assert(!reported.contains("not an address of this machine"), "it is an address of this machine");
        answer.assert(!reported.contains("allears wait"), "a wait does not help");
        let freed = Cmd::new(["free", "--yes", "[fd00:dead::1]:8080"]).run().code(3);
        freed.assert(freed.text().contains("duplicate"), "free gives the same reason");
    });
}

#[live_test(Root, NETWORK_NAMESPACE, VETH)]
fn a_link_local_address_needs_its_interface() {
    in_new_netns(|| {
        veth_pair("0");
        ip("-6 addr add fe80::77/64 dev v0 nodad");
        ip("-6 addr add fe80::78/64 dev v0 nodad");
        ip("-6 addr add fe80::78/64 dev v1 nodad");
        ip("addr add 169.254.7.7/16 dev v0");
        wait_for_address("v1", "fe80::78", &["link"]);
        let number = nix::net::if_::if_nametoindex("v0").expect("v0 has a number");
        // The only interface with the address is meant. A name and a number name one. IPv4 needs none.
        for target in [
            "[fe80::77]:8080".to_owned(),
            "[fe80::77%v0]:8080".to_owned(),
            format!("[fe80::78%{number}]:8080"),
            "udp/[fe80::77]:8080".to_owned(),
        ] {
            let answer = must_be_bindable(&target);
            answer.assert_eq(&answer.document["target"]["interface"], &json!("v0"), "the interface");
        }
        must_be_bindable("169.254.7.7:8080");
        must_be_bindable("udp/[ff02::fb%v0]:8080");
        must_be_bindable("udp/[ff05::2]:8080");
        // One address on two interfaces counts as two addresses.
        let server = Fixture::start([format!("tcp=[fe80::78%{number}]:8080")]);
        must_be_bindable("[fe80::78%v1]:8080");
        let answer = why("[fe80::78%v0]:8080", 1);
        must_have_verdict(&answer, "listening");
        answer
            .assert(sentences(&answer).contains(&format!("pid {}", server.pid())), "the process that has it");
        let listed = |target: &str, code| {
            let answer = Cmd::new([target]).answer(code);
            answer.document["listeners"].as_array().map_or(0, Vec::len)
        };
        assert_eq!((listed("[fe80::78%v0]:8080", 0), listed("[fe80::78%v1]:8080", 1)), (1, 0));
        assert_eq!(listed(&format!("[fe80::78%{number}]:8080"), 0), 1, "by the number");
        // A missing or wrong interface is a usage error of every command.
        for (target, said) in [
            ("[fe80::78]:8080", "write [fe80::78%v0]:8080"),
            ("[fe80::9]:8080", "no interface has this one"),
            ("[fe80::77%nope]:8080", "no network interface"),
            ("[fe80::77%4711]:8080", "no network interface"),
            ("udp/[ff02::fb]:8080", "which needs its interface"),
        ] {
            for words in [vec!["why"], vec!["wait", "--free", "--timeout=1s"], vec!["free", "--yes"], vec![]]
            {
                let refused = Cmd::new(words.into_iter().chain([target])).run().code(2);
                let reported = String::from_utf8_lossy(&refused.stderr).into_owned();
                refused.assert(reported.contains(said), said);
            }
        }
        let refused = Cmd::new(["why", "[ff05::2]:8080"]).run().code(2);
        let reported = String::from_utf8_lossy(&refused.stderr).into_owned();
        refused.assert(reported.contains("write udp/[ff05::2]:8080"), "TCP has no multicast");
        // An address that needs no interface is reported as such.
        let answered = Cmd::new(["why", "[::1%lo]:8080"]).run().code(0);
        let reported = String::from_utf8_lossy(&answered.stderr).into_owned();
        answered.assert(reported.contains("needs no interface"), "it reports that it is ignored");
    });
}
