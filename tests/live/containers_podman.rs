//! Containers of a real Podman as root: what the command line of conmon shows without the API, and what the API adds.

#![cfg(unix)]

use crate::support::{JsonOutput, Podman, holders, in_new_netns, live_test};
use serde_json::{Value, json};

const PORT: u16 = 8080;

#[track_caller]
fn must_be_conmons(answer: &JsonOutput, listener: &Value) {
    let conmon = answer.only_holder(listener);
    answer.assert_eq(&conmon["name"], &json!("conmon"), "holder");
    answer.assert_eq(&conmon["container"], &json!(null), "conmon itself is in no container");
    answer.assert_eq(holders(listener).len(), 1, "holders");
}

#[live_test(PODMAN)]
fn conmon_identifies_its_container() {
    in_new_netns(|| {
        let podman = Podman::new();
        let pod = podman.run(&["--publish", &format!("127.0.0.1:{PORT}:80")], &["tcp=0.0.0.0:80"]);
        let answer = podman.cmd([format!("{PORT}")]).answer(0);
        let listener = answer.only();
        must_be_conmons(&answer, listener);
        let container = &listener["container"];
        answer.assert_eq(
            [&container["runtime"], &container["id"], &container["name"]],
            [&json!("podman"), &json!(pod.id), &json!(pod.name)],
            "container",
        );
        answer.assert_eq(&container["image"], &json!(null), "what was not requested is not reported");
        answer.assert_eq(answer.gaps("containers").len(), 1, "gaps of containers");
        let card = podman.cmd([format!("{PORT}")]).run().code(0);
        card.assert(card.text().contains(&pod.name), "the card names the container");
        let why = podman.cmd(["why", &PORT.to_string()]).run().code(1);
        why.assert(why.text().contains(&format!("podman stop {}", pod.name)), "what frees it");
    });
}

#[live_test(PODMAN)]
fn the_podman_api_adds_what_conmon_lacks() {
    in_new_netns(|| {
        let mut podman = Podman::new();
        podman.serve();
        let [one, two] = ["io.podman.compose.project=shop", "io.podman.compose.service=web"];
        let (tcp, udp) = (format!("127.0.0.1:{PORT}:80"), format!("127.0.0.1:{PORT}:53/udp"));
        let options = ["--label", one, "--label", two, "--publish", &tcp, "--publish", &udp];
        let pod = podman.run(&options, &["tcp=0.0.0.0:80", "udp=0.0.0.0:53"]);
        for (protocol, inside) in [("tcp", 80), ("udp", 53)] {
            let answer = podman.cmd([format!("{protocol}/{PORT}")]).answer(0);
            let listener = answer.only();
            must_be_conmons(&answer, listener);
            let wanted = json!({
                "runtime": "podman", "id": pod.id, "name": pod.name, "image": "localhost/fixture:1",
                "port": inside, "compose": {"project": "shop", "service": "web"},
            });
            answer.assert_eq(&listener["container"], &wanted, "container");
            answer.assert(answer.document["gaps"].is_array(), "gaps");
            answer.assert(answer.gaps("containers").is_empty(), "no gap about containers");
        }
    });
}
