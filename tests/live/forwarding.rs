//! Ports that kernel rules forward, regardless of who added the rules, and the answers for users who may not read them.

#![cfg(target_os = "linux")]

use crate::support::{
    Cmd, Engine, Fixture, JsonOutput, NOBODY, Need, in_new_netns, ip, kill_proxy, live_test, nft, pids,
};
use serde_json::{Value, json};

/// The legacy iptables, with a kernel that has its tables.
const LEGACY: Need =
    Need::Probe("iptables-legacy", &["unshare", "--net", "iptables-legacy", "-t", "nat", "-S"]);

/// A non-loopback address of the namespace.
const ADDRESS: &str = "192.0.2.1";

fn prepare(rules: &str) {
    ip(&format!("address add {ADDRESS}/32 dev lo"));
    nft(rules);
}

/// Asserts that the port is forwarded, and returns the address and the note.
#[track_caller]
fn forwarded(target: &str) -> (String, String) {
    let answer = Cmd::new([target]).answer(0);
    let row = answer.only();
    answer.assert_eq(&row["state"], &json!("forwarded"), "state");
    answer.assert_eq(&row["inode"], &json!(null), "no socket is there");
    answer.assert_eq(&answer.document["complete"], &json!(true), "all rules were followed");
    let why = JsonOutput::parse(Cmd::new(["why", "--json", target]).run().code(0));
    why.assert_eq(&why.document["verdict"], &json!("forwarded"), "verdict");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (address, note) = (text(&row["address"]), text(&row["note"]));
    why.assert(why.document["reason"].to_string().contains(&note), "the reason names the rule");
    (address, note)
}

#[track_caller]
fn not_forwarded(target: &str) {
    let answer = Cmd::new([target]).answer(1);
    answer.assert_eq(&answer.document["complete"], &json!(true), "complete");
    let why = JsonOutput::parse(Cmd::new(["why", "--json", target]).run().code(0));
    why.assert_eq(&why.document["verdict"], &json!("free"), "verdict");
}

#[live_test(Root, NFT)]
fn nftables_rules_are_followed() {
    in_new_netns(|| {
        prepare(
            "table ip t {
                chain pre { type nat hook prerouting priority dstnat;
                    tcp dport 8080 redirect to :3000
                    iifname \"x0\" tcp dport 8081 dnat to 198.51.100.7:80
                    fib daddr type local tcp dport 8082 jump x
                }
                chain x { ip protocol tcp dnat to 198.51.100.8:81; }
                chain out { type nat hook output priority -100;
                    ip daddr != 127.0.0.0/8 tcp dport 9000-9010 dnat to 198.51.100.9:80
                    ip daddr 127.0.0.1 udp dport 53 redirect to :5353
                }
            }
            table inet u {
                chain pre { type filter hook prerouting priority mangle;
                    tcp dport 8443 tproxy ip to 127.0.0.1:9443
                }
            }",
        );
        let others = "connections from other machines are forwarded";
        for (target, address, note) in [
            ("8080", "0.0.0.0", format!("{others} to port 3000 by a rule of nftables (table t, chain pre)")),
            (
                "8081",
                "0.0.0.0",
                format!("some {others} to 198.51.100.7:80 by a rule of nftables (table t, chain pre)"),
            ),
            ("8082", "0.0.0.0", format!("{others} to 198.51.100.8:81 by a rule of nftables (table t, chain x)")),
            (
                "9005",
                "0.0.0.0",
                "connections from this machine are forwarded to 198.51.100.9:80 by a rule of nftables (table t, chain out)"
                    .into(),
            ),
            (
                "udp/53",
                "127.0.0.1",
                "connections from this machine are forwarded to port 5353 by a rule of nftables (table t, chain out)".into(),
            ),
        ] {
            assert_eq!(forwarded(target), (address.to_owned(), note), "{target}");
        }
        let row = Cmd::new(["8443"]).answer(0);
        row.assert(row.document.to_string().contains("127.0.0.1:9443"), "tproxy is reported");
    });
}

/// A rule that matches something else than the port applies to every port, conditionally.
#[live_test(Root, NFT)]
fn a_rule_without_a_port_concerns_all_ports() {
    in_new_netns(|| {
        prepare(
            "table ip t { chain pre { type nat hook prerouting priority dstnat; tcp sport 8084 redirect to :3000; }; }",
        );
        for target in ["tcp/8080", "tcp/9"] {
            let (_, note) = forwarded(target);
            assert!(note.starts_with("some connections"), "{note}");
        }
        not_forwarded("tcp/3000");
        not_forwarded("udp/9");
    });
}

#[live_test(Root, NFT)]
fn a_port_without_a_rule_is_free() {
    in_new_netns(|| {
        prepare(
            "table ip t {
                chain pre { type nat hook prerouting priority dstnat;
                    ip daddr 198.51.100.1 tcp dport 8080 dnat to 198.51.100.7:80
                    udp dport 8081 redirect to :3000
                    tcp dport 8082 accept
                    tcp dport 8082 redirect to :3000
                    tcp dport 8083 redirect to :8083
                    tcp dport 9000-9010 redirect to :3000
                }
                chain unused { tcp dport 8085 redirect to :3000; }
                chain post { type nat hook postrouting priority srcnat; masquerade; }
            }",
        );
        for target in ["8080", "tcp/8081", "8082", "8083", "8085", "8999", "9011", "7"] {
            not_forwarded(target);
        }
        let (_, note) = forwarded("tcp/9010");
        assert!(note.contains("port 3000"), "{note}");
    });
}

#[live_test(Root, NFT)]
fn sets_and_maps_are_followed() {
    in_new_netns(|| {
        prepare(
            "table ip t {
                map services { type ipv4_addr . inet_service : verdict; elements = { 198.51.100.1 . 8090 : jump x, 192.0.2.1 . 8091 : jump x }; }
                chain pre { type nat hook prerouting priority dstnat;
                    tcp dport { 80, 443 } redirect to :3001
                    tcp dport { 1000-2000, 2500 } redirect to :3002
                    meta l4proto tcp dnat to tcp dport map { 8085 : 198.51.100.3 }
                    tcp dport vmap { 8087 : jump x }
                    ip daddr . tcp dport { 192.0.2.1 . 8088, 198.51.100.9 . 8089 } redirect to :3003
                    ip daddr . tcp dport vmap @services
                }
                chain x { meta l4proto tcp dnat to 198.51.100.4:80; }
            }",
        );
        for (target, to) in [
            ("443", "port 3001"),
            ("1000", "port 3002"),
            ("2000", "port 3002"),
            ("2500", "port 3002"),
            ("8085", "198.51.100.3:8085"),
            ("8087", "198.51.100.4:80"),
            ("8088", "port 3003"),
            ("8091", "198.51.100.4:80"),
        ] {
            let (_, note) = forwarded(target);
            assert!(note.contains(&format!("forwarded to {to} by")), "{target}: {note}");
        }
        for target in ["81", "999", "2001", "2499", "2501", "8086", "8089", "8090"] {
            not_forwarded(target);
        }
    });
}

fn iptables(program: &str, words: &str) {
    let status = std::process::Command::new(program).args(words.split(' ')).status();
    assert!(status.is_ok_and(|status| status.success()), "{program} {words}");
}

#[live_test(Root, NFT, Program("iptables-nft"))]
fn rules_by_iptables_are_followed() {
    in_new_netns(|| {
        ip(&format!("address add {ADDRESS}/32 dev lo"));
        for rule in [
            "-A PREROUTING -p tcp --dport 8080 -j REDIRECT --to-ports 3000",
            "-A PREROUTING -p tcp -m multiport --dports 8081,8083:8085 -j DNAT --to-destination 198.51.100.9:80",
            "-N X",
            "-A X ! -i docker0 -p tcp -m tcp --dport 8086 -j DNAT --to-destination 198.51.100.2:8080",
            "-A PREROUTING -m addrtype --dst-type LOCAL -j X",
        ] {
            iptables("iptables-nft", &format!("-t nat {rule}"));
        }
        for (target, to) in [
            ("8080", "port 3000"),
            ("8081", "198.51.100.9:80"),
            ("8084", "198.51.100.9:80"),
            ("8086", "198.51.100.2:8080"),
        ] {
            let (_, note) = forwarded(target);
            assert!(note.contains(&format!("forwarded to {to} by")), "{target}: {note}");
        }
        not_forwarded("8082");
    });
}

#[live_test(Root, LEGACY)]
fn rules_of_the_older_iptables_are_a_gap() {
    in_new_netns(|| {
        // Searching for the table does not create it.
        not_forwarded("9");
        iptables("iptables-legacy", "-t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 3000");
        let answer = Cmd::new(["9"]).answer(3);
        answer.assert_eq(&answer.document["complete"], &json!(false), "complete");
        answer.assert_eq(&answer.document["gaps"][0]["what"], &json!("forwarding"), "gap");
        let why = JsonOutput::parse(Cmd::new(["why", "--json", "9"]).run().code(0));
        why.assert_eq(&why.document["verdict"], &json!("unknown"), "verdict");
        iptables("iptables-legacy", "-t nat -F");
        not_forwarded("9");
    });
}

#[live_test(Root, NFT)]
fn a_rule_comes_before_a_listener() {
    in_new_netns(|| {
        prepare(
            "table ip t { chain pre { type nat hook prerouting priority dstnat; tcp dport 8080 redirect to :3000; }; }",
        );
        let server = Fixture::start(["tcp=0.0.0.0:8080"]);
        let answer = Cmd::new(["tcp/8080"]).answer(0);
        let states: Vec<&str> = answer.listeners().iter().filter_map(|one| one["state"].as_str()).collect();
        answer.assert(states.contains(&"listen") && states.contains(&"forwarded"), "both are reported");
        let why = JsonOutput::parse(Cmd::new(["why", "--json", "8080"]).run().code(1));
        why.assert_eq(&why.document["verdict"], &json!("listening"), "the obstacle");
        why.assert(why.document["facts"].to_string().contains("port 3000"), "a fact names the rule");
        drop(server);
    });
}

/// Without rules and containers nothing is hedged, even if a network card is one end of a veth link.
#[live_test(Root, NETWORK_NAMESPACE)]
fn a_machine_without_rules_gets_clear_answers() {
    in_new_netns(|| {
        ip("link add eth0 type veth peer name eth1");
        ip(&format!("address add {ADDRESS}/24 dev eth0"));
        ip("link set eth0 up");
        let answer = JsonOutput::parse(Cmd::new(["--json", "8080"]).user(Some(NOBODY)).run().code(1));
        answer.assert_eq(&answer.document["complete"], &json!(true), "complete");
        let why = JsonOutput::parse(Cmd::new(["why", "--json", "8080"]).user(Some(NOBODY)).run().code(0));
        why.assert_eq(&why.document["verdict"], &json!("free"), "verdict");
    });
}

#[live_test(PRIVATE_ENGINE)]
fn an_unprivileged_user_gets_a_gap_about_rules() {
    in_new_netns(|| {
        ip(&format!("address add {ADDRESS}/32 dev lo"));
        let engine = Engine::start(&[]);
        let container = engine.run(&["--publish", &format!("{ADDRESS}:8080:80")], &["tcp=0.0.0.0:80"]);
        let before = engine.cmd(["8080"]).answer(0);
        let [proxy] = pids(before.only())[..] else { before.fail("one proxy") };
        kill_proxy(proxy, ADDRESS, 8080);

        // The engine's socket and the rules are readable by root only.
        let run = |words: &[&str]| engine.cmd(words.iter().copied()).user(Some(NOBODY)).run();
        for port in ["8080", "8081"] {
            let answer = JsonOutput::parse(run(&["--json", port]).code(3));
            answer.assert_eq(&answer.document["complete"], &json!(false), "complete");
            let gaps = answer.document["gaps"].to_string();
            answer.assert(gaps.contains("forwarding rules may not be read"), "a gap says so");
            answer.assert(gaps.contains("sudo"), "and what helps");
        }
        // A connection shows that the first port is forwarded. Nothing shows it of the second.
        let why = JsonOutput::parse(run(&["why", "--json", "8080"]).code(0));
        why.assert_eq(&why.document["verdict"], &json!("forwarded"), "verdict");
        let why = JsonOutput::parse(run(&["why", "--json", "8081"]).code(0));
        why.assert_eq(&why.document["verdict"], &json!("unknown"), "verdict");
        for port in ["8080", "8081"] {
            let why = run(&["why", port]).code(0);
            let command = format!("allears why {port} reads the forwarding rules");
            why.assert(
                why.text().contains("sudo ") && why.text().contains(&command),
                "it suggests the command that reveals more",
            );
        }
        let processes = JsonOutput::parse(run(&["--json", "--user", "65534", "8081"]));
        processes.assert_eq(processes.output.status.code(), Some(1), "no process holds what is forwarded");

        // Root learns from the rules what the engine does not report.
        let root = Cmd::new(["8080"]).answer(0);
        let row = root.only();
        root.assert_eq(&row["state"], &json!("forwarded"), "state");
        root.assert(row["note"].to_string().contains("(table nat, chain DOCKER)"), "the rule");
        let other = engine.cmd(["8081"]).answer(1);
        other.assert_eq(&other.document["complete"], &json!(true), "root may read all rules");
        drop(container);
    });
}
