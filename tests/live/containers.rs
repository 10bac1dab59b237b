//! Containers of the machine's Docker engine: published ports, networks, Compose, the host's network, and hostile
//! names.

#![cfg(unix)]

use crate::support::{
    Cmd, Engine, JsonOutput, NOBODY, control_character, holders, live_test, pids, port, without_styles,
};
use serde_json::{Value, json};

/// Asserts that the listener belongs to this container and is held by a proxy outside of it.
#[track_caller]
fn must_be_published(answer: &JsonOutput, listener: &Value, wanted: &Value) {
    answer.assert_eq(&listener["container"], wanted, "container");
    let proxy = answer.only_holder(listener);
    answer.assert_eq(&proxy["name"], &json!("docker-proxy"), "holder");
    answer.assert_eq(&proxy["container"], &json!(null), "the proxy itself is in no container");
    answer.assert_eq(&listener["unseen"], &json!(null), "unseen");
    answer.assert_eq(answer.gaps("containers"), Vec::<&Value>::new(), "gaps of containers");
}

#[live_test(Linux, Root, Docker)]
fn a_published_port_names_its_container() {
    let engine = Engine::host();
    let port = port();
    let container = engine.run(&["--publish", &format!("127.0.0.1:{port}:80")], &["tcp=0.0.0.0:80"]);
    let answer = engine.cmd([format!("{port}")]).answer(0);
    answer.assert_eq(container.id.len(), 64, "characters of an id");
    must_be_published(&answer, answer.only(), &container.described(80));
    let card = engine.cmd([format!("{port}")]).run().code(0);
    for part in [container.name.as_str(), engine.image.as_str(), "docker-proxy"] {
        card.assert(card.text().contains(part), &format!("the card names {part}"));
    }
    let table = engine.cmd([format!("{port}-{}", port + 1)]).run().code(0);
    table.assert(table.text().contains(&container.name), "the table names the container");
    let csv = engine.cmd(["--csv".to_owned(), format!("{port}")]).run().code(0);
    csv.assert(csv.text().contains(&container.name), "CSV names the container");
    // The whole list names it too.
    let all = engine.cmd([] as [&str; 0]).answer(0);
    let found = all.listeners().iter().find(|one| one["port"] == port);
    all.assert_eq(found.map(|one| &one["container"]["id"]), Some(&json!(container.id)), "in the whole list");
}

#[live_test(Linux, Root, Docker)]
fn a_container_in_a_user_defined_network() {
    let engine = Engine::host();
    let (network, port) = (engine.network(), port());
    let publish = format!("{port}:80");
    let container = engine.run(&["--network", &network.name, "--publish", &publish], &["tcp=0.0.0.0:80"]);
    let answer = engine.cmd([format!("tcp/{port}")]).answer(0);
    answer.assert(answer.addresses().contains(&"0.0.0.0"), "published to every address");
    for listener in answer.listeners() {
        must_be_published(&answer, listener, &container.described(80));
    }
}

#[live_test(Linux, Root, Docker)]
fn a_container_of_two_networks_and_a_compose_project() {
    let engine = Engine::host();
    let (networks, port) = ([engine.network(), engine.network()], port());
    let publish = format!("127.0.0.1:{port}:80");
    let mut options = vec!["--network", &networks[0].name, "--publish", &publish];
    options.extend([
        "--label",
        "com.docker.compose.project=shop",
        "--label",
        "com.docker.compose.service=web",
    ]);
    let container = engine.run(&options, &["tcp=0.0.0.0:80"]);
    engine.client(&["network", "connect", &networks[1].name, &container.id]);
    let mut wanted = container.described(80);
    wanted["compose"] = json!({"project": "shop", "service": "web"});
    let answer = engine.cmd([format!("{port}")]).answer(0);
    must_be_published(&answer, answer.only(), &wanted);
    let card = engine.cmd([format!("{port}")]).run().code(0);
    card.assert(card.text().contains("shop"), "the card names the Compose project");
    // The port stays published, now through the other network.
    engine.client(&["network", "disconnect", &networks[0].name, &container.id]);
    let answer = engine.cmd([format!("{port}")]).answer(0);
    must_be_published(&answer, answer.only(), &wanted);
}

#[live_test(Linux, Root, Docker, Ipv6)]
fn a_port_published_over_ipv6() {
    let engine = Engine::host();
    let port = port();
    let container = engine.run(&["--publish", &format!("[::1]:{port}:80")], &["tcp=0.0.0.0:80"]);
    let answer = engine.cmd([format!("{port}")]).answer(0);
    answer.assert_eq(answer.addresses(), vec!["::1"], "addresses");
    must_be_published(&answer, answer.only(), &container.described(80));
}

#[live_test(Linux, Root, Docker)]
fn a_port_published_by_udp() {
    let engine = Engine::host();
    let port = port();
    let (tcp, udp) = (format!("127.0.0.1:{port}:80"), format!("127.0.0.1:{port}:53/udp"));
    let options = ["--publish", &tcp, "--publish", &udp];
    let container = engine.run(&options, &["tcp=0.0.0.0:80", "udp=0.0.0.0:53"]);
    for (protocol, inside) in [("tcp", 80), ("udp", 53)] {
        let answer = engine.cmd([format!("{protocol}/{port}")]).answer(0);
        must_be_published(&answer, answer.only(), &container.described(inside));
    }
}

#[live_test(Linux, Root, Docker)]
fn two_containers_with_one_port_are_distinguished() {
    let engine = Engine::host();
    let port = port();
    let run = |address: &str, inside: u16| {
        let publish = format!("{address}:{port}:{inside}");
        engine.run(&["--publish", &publish], &[&format!("tcp=0.0.0.0:{inside}")])
    };
    let containers = [("127.0.0.1", run("127.0.0.1", 80)), ("127.0.0.2", run("127.0.0.2", 81))];
    let answer = engine.cmd([format!("{port}")]).answer(0);
    answer.assert_eq(answer.addresses(), vec!["127.0.0.1", "127.0.0.2"], "addresses");
    for (inside, (address, container)) in (80..).zip(&containers) {
        let found = answer.listeners().iter().find(|one| one["address"] == *address).expect("both are there");
        must_be_published(&answer, found, &container.described(inside));
    }
}

#[live_test(Linux, Root, Docker)]
fn a_paused_container_still_has_its_port() {
    let engine = Engine::host();
    let port = port();
    let container = engine.run(&["--publish", &format!("127.0.0.1:{port}:80")], &["tcp=0.0.0.0:80"]);
    engine.client(&["pause", &container.id]);
    let answer = engine.cmd([format!("{port}")]).answer(0);
    must_be_published(&answer, answer.only(), &container.described(80));
}

#[live_test(Linux, Root, Docker)]
fn an_image_without_a_name() {
    let engine = Engine::host();
    let port = port();
    // A separate image, because its name is removed while the container runs.
    let named = format!("allears-live-{}:untagged", std::process::id());
    engine.another_image(&named);
    let publish = format!("127.0.0.1:{port}:80");
    let container = engine.run_image(&named, &["--publish", &publish], &["tcp=0.0.0.0:80"]);
    engine.client(&["image", "rm", "--force", &named]);
    let image = container.inspect("{{.Image}}");
    let answer = engine.cmd([format!("{port}")]).answer(0);
    let reported = answer.only()["container"]["image"].as_str().unwrap_or_default();
    let known = reported == named || (reported.len() >= 12 && image.contains(reported));
    answer.assert(known, &format!("the image is reported by its id {image} or by the requested name"));
    answer.assert_eq(&answer.only()["container"]["id"], &json!(container.id), "id");
}

#[live_test(Linux, Root, Docker)]
fn a_container_in_the_host_network() {
    let engine = Engine::host();
    let port = port();
    let container = engine.run(&["--network", "host"], &[&format!("tcp=127.0.0.1:{port}")]);
    let answer = engine.cmd([format!("{port}")]).answer(0);
    let listener = answer.only();
    answer.assert_eq(pids(listener), vec![container.pid()], "the process in the container");
    let wanted = container.described(port);
    answer.assert_eq(&listener["container"], &wanted, "container of the listener");
    answer.assert_eq(&answer.only_holder(listener)["container"], &wanted, "container of the holder");
    answer.assert_eq(answer.gaps("containers"), Vec::<&Value>::new(), "gaps of containers");
    let card = engine.cmd([format!("{port}")]).run().code(0);
    card.assert(card.text().contains(&container.name), "the card names the container");
}

#[live_test(Linux, Root, Docker)]
fn a_container_in_the_host_network_for_an_unprivileged_user() {
    let engine = Engine::host();
    let port = port();
    let container = engine.run(&["--network", "host"], &[&format!("tcp=127.0.0.1:{port}")]);
    let answer = engine.cmd([format!("{port}")]).user(Some(NOBODY)).answer(0);
    let reported = &answer.only()["container"];
    // The cgroup of the socket identifies the container without permissions. Its name comes from the engine, which
    // refuses.
    answer.assert_eq(&reported["id"], &json!(container.id), "id");
    answer.assert_eq(&reported["runtime"], &json!("docker"), "runtime");
    answer.assert_eq([&reported["name"], &reported["image"]], [&json!(null), &json!(null)], "name and image");
    must_be_refused(&answer);
}

#[track_caller]
fn must_be_refused(answer: &JsonOutput) {
    let reasons: Vec<&Value> = answer.gaps("containers").into_iter().map(|gap| &gap["reason"]).collect();
    answer.assert_eq(reasons, vec![&json!("permission")], "the engine's refusal is a gap");
}

#[live_test(Linux, Root, Docker, NETWORK_NAMESPACE)]
fn a_container_listens_inside_its_namespace() {
    let engine = Engine::host();
    let container = engine.run(&[], &["tcp=0.0.0.0:80", "tcp=127.0.0.1:81"]);
    let answer = engine.cmd(["--all-namespaces", "tcp/80,tcp/81"]).answer(0);
    for (index, port) in [(0, 80), (1, 81)] {
        let listener = answer.by_inode(container.inode(index));
        let wanted = container.described(port);
        answer.assert_eq(&listener["container"], &wanted, "container of the listener");
        answer.assert_eq(&answer.only_holder(listener)["container"], &wanted, "container of the holder");
        let namespace = listener["namespace"].as_str().unwrap_or_default();
        answer.assert(!namespace.is_empty(), "the namespace is named");
    }
}

#[live_test(Linux, Root, Docker)]
fn why_names_the_container() {
    let engine = Engine::host();
    let port = port();
    let container = engine.run(&["--publish", &format!("127.0.0.1:{port}:80")], &["tcp=0.0.0.0:80"]);
    let why = JsonOutput::parse(engine.cmd(["why", "--json", &port.to_string()]).run().code(1));
    why.assert_eq(&why.document["verdict"], &json!("forwarded"), "verdict");
    let standing = &why.document["standing_in_the_way"][0]["container"];
    why.assert_eq(standing, &container.described(80), "the obstacle");
    let reason = why.document["reason"].to_string();
    why.assert(reason.contains(&container.name), "the reason names the container");
    let stop = format!("docker stop {}", container.name);
    why.assert(why.document["advice"].to_string().contains(&stop), "the advice is to stop the container");
}

#[live_test(Linux, Root, Docker)]
fn an_unprivileged_user_gets_the_readable_facts() {
    let engine = Engine::host();
    let port = port();
    let container = engine.run(&["--publish", &format!("127.0.0.1:{port}:80")], &["tcp=0.0.0.0:80"]);
    let answer = engine.cmd([format!("{port}")]).user(Some(NOBODY)).answer(0);
    let listener = answer.only();
    answer.assert_eq(holders(listener).len(), 0, "holders");
    answer.assert_eq(&listener["unseen"]["reason"], &json!("permission"), "unseen.reason");
    let reported = &listener["container"];
    answer.assert(
        reported.is_null() || reported["id"] == container.id,
        "no other container, nor a made-up one",
    );
    must_be_refused(&answer);
    let card = engine.cmd([format!("{port}")]).user(Some(NOBODY)).run().code(0);
    card.assert(!card.text().contains("nothing listens"), "what is published is not denied");
}

#[live_test(Linux, Root, Docker)]
fn free_advises_to_stop_the_container() {
    let engine = Engine::host();
    let port = port();
    let container = engine.run(&["--publish", &format!("127.0.0.1:{port}:80")], &["tcp=0.0.0.0:80"]);
    let plan = engine.cmd(["free", "--dry-run", "--json", &port.to_string()]).run();
    let plan = JsonOutput::parse(plan);
    let stop = format!("docker stop {}", container.name);
    plan.assert(plan.document.to_string().contains(&stop), "the command that stops the container is printed");
    let said = engine.cmd(["free", "--dry-run", &port.to_string()]).run();
    said.assert(
        said.text().contains(&stop) || said.errors().contains(&stop),
        "the text output reports it too",
    );
    // A dry run stops nothing.
    let answer = engine.cmd([format!("{port}")]).answer(0);
    must_be_published(&answer, answer.only(), &container.described(80));
}

#[live_test(Linux, Root, Docker)]
fn labels_are_escaped_and_lossless() {
    let engine = Engine::host();
    let port = port();
    let (project, service) = ("sh\u{1b}[2Jop\u{202e}\n\u{7}\u{2028}x", "w\u{9b}31meb\u{200b}\"\\");
    let (project_label, service_label) =
        (format!("com.docker.compose.project={project}"), format!("com.docker.compose.service={service}"));
    let publish = format!("127.0.0.1:{port}:80");
    let options = ["--publish", &publish, "--label", &project_label, "--label", &service_label];
    let container = engine.run(&options, &["tcp=0.0.0.0:80"]);
    let answer = engine.cmd([format!("{port}")]).answer(0);
    let reported = &answer.only()["container"];
    answer.assert_eq(&reported["id"], &json!(container.id), "id");
    answer.assert_eq(&reported["compose"], &json!({"project": project, "service": service}), "compose");
    for arguments in
        [vec![port.to_string()], vec![format!("{port}-{}", port + 1)], vec!["why".into(), port.to_string()]]
    {
        let screen = engine.cmd(arguments.clone()).run_on_terminal(100);
        screen.assert_eq(
            control_character(&without_styles(screen.text())),
            None,
            "live characters on a terminal",
        );
        let piped = engine.cmd(arguments).run();
        piped.assert_eq(control_character(piped.text()), None, "live characters in a pipe");
        piped.assert_eq(control_character(&piped.errors()), None, "live characters on standard error");
    }
    let csv = engine.cmd(["--csv".to_owned(), format!("{port}")]).run().code(0);
    csv.assert_eq(control_character(csv.text()), None, "live characters in CSV");
    // A saved snapshot shows the same.
    let file = crate::support::folder().join(format!("labels-{port}.json"));
    std::fs::write(&file, &answer.output.stdout).expect("save a snapshot");
    let again = Cmd::new(["--from".to_owned(), file.display().to_string()]).answer(0);
    again.assert_eq(&again.only()["container"], reported, "container in a saved snapshot");
}
