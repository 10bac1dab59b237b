//! Names in the machine's services file, in addition to those of the IANA registry.

#![cfg(target_os = "linux")]

use crate::support::{Cmd, Fixture, JsonOutput, NOBODY, folder, live_test, pids, port};
use serde_json::json;

/// Returns a launcher with this text as /etc/services, and nothing else in /etc.
fn with_services(name: &str, text: Option<&str>) -> Vec<String> {
    let copy = match text {
        Some(text) => {
            let path = folder().join(format!("services-{name}"));
            std::fs::write(&path, text).expect("write a services file");
            format!("cp '{}' /etc/services && ", path.display())
        }
        None => String::new(),
    };
    let script = format!("mount -t tmpfs tmpfs /etc && {copy}exec \"$@\"");
    ["unshare", "--mount", "sh", "-c", &script, "sh"].map(str::to_owned).to_vec()
}

#[live_test(Root, MOUNT_NAMESPACE)]
fn names_of_the_services_file_are_targets() {
    let port = port();
    let launcher = with_services("own", Some(&format!("shop-db\t{port}/tcp\tshop.alias  # ours\n")));
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    for target in ["shop-db", "SHOP-DB", "shop.alias", "tcp/shop-db", "127.0.0.1:shop-db", ":shop-db"] {
        let answer = Cmd::new([target]).through(launcher.clone()).answer(0);
        answer.assert_eq(pids(answer.only()), vec![server.pid()], target);
        let requested = &answer.document["asked"][0]["targets"][0];
        answer.assert_eq(&requested["ports"], &json!([port, port]), "requested ports");
        answer.assert_eq(&requested["service_file"], &json!("/etc/services"), "the source of the name");
        answer.assert_eq(answer.output.errors().as_str(), "", "standard error beside a JSON document");
    }
    Cmd::new(["-i", ":shop-db"]).through(launcher.clone()).answer(0).only();
    let why =
        JsonOutput::parse(Cmd::new(["why", "--json", "shop-db"]).through(launcher.clone()).run().code(1));
    why.assert_eq(&why.document["target"]["port"], &json!(port), "port");
    let udp = Cmd::new(["udp/shop-db"]).through(launcher.clone()).run().code(2);
    udp.assert(udp.errors().contains(&format!("tcp/{port}")), "the protocol that has it is reported");
    drop(server);
    let nothing = Cmd::new(["shop-db"]).through(launcher).run().code(1);
    let answer = format!("nothing listens on tcp port {port} (shop-db by /etc/services)");
    nothing.assert(nothing.text().contains(&answer), "the answer names what the name was taken for, and why");
}

#[live_test(Root, MOUNT_NAMESPACE)]
fn the_services_file_overrides_the_registry() {
    let port = port();
    let launcher = with_services("other", Some(&format!("postgresql {port}/tcp\n")));
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let answer = Cmd::new(["postgresql"]).through(launcher.clone()).answer(0);
    answer.assert_eq(pids(answer.only()), vec![server.pid()], "holders");
    let text = Cmd::new(["postgresql"]).through(launcher.clone()).run().code(0);
    let note = "postgresql is resolved by /etc/services; in the IANA registry it is port 5432";
    text.assert(text.errors().contains(note), "the text output names which of the two counts");
    let about = Cmd::new(["about", "postgresql"]).through(launcher.clone()).run().code(0);
    about.assert(
        about.text().contains(&port.to_string()) && about.errors().contains(note),
        "about says it too",
    );
    let registry = Cmd::new(["ssh"]).through(launcher).run();
    registry.assert(
        !registry.errors().contains("/etc/services"),
        "names that it does not have are the registry's",
    );
}

#[live_test(Root, MOUNT_NAMESPACE)]
fn the_services_file_removes_no_protocol() {
    let launcher = with_services("same", Some("domain 53/udp\n"));
    let answer = Cmd::new(["domain"]).through(launcher.clone()).run();
    let document: serde_json::Value =
        serde_json::from_slice(&Cmd::new(["--json", "domain"]).through(launcher).run().stdout).expect("JSON");
    let targets = document["asked"][0]["targets"].as_array().cloned().unwrap_or_default();
    let protocols: Vec<_> = targets.iter().map(|target| target["protocol"].clone()).collect();
    answer.assert(protocols.contains(&json!(null)), "TCP and UDP alike, as the registry has it");
    answer.assert(!answer.errors().contains("/etc/services"), "nothing differs");
}

#[live_test(Root, MOUNT_NAMESPACE)]
fn an_unknown_service_name_is_an_error() {
    let launcher = with_services("unknown", Some("shop-db 15432/tcp\n"));
    let slip = Cmd::new(["shop-bd"]).through(launcher.clone()).run().code(2);
    slip.assert(slip.errors().contains("services file"), "both lists are named");
    slip.assert(slip.errors().contains("perhaps shop-db"), "the nearest name of the file is suggested");
    let unknown = Cmd::new(["no-such-service-at-all"]).through(launcher).run().code(2);
    unknown.assert(unknown.errors().contains("IANA registry"), "both lists are named");
}

#[live_test(Root, MOUNT_NAMESPACE)]
fn an_absent_services_file_is_not_a_gap() {
    let launcher = with_services("absent", None);
    let known = Cmd::new(["--json", "ssh"]).through(launcher.clone()).run();
    known.assert(known.errors().is_empty(), "the registry is sufficient");
    let unknown = Cmd::new(["shop-db"]).through(launcher).run().code(2);
    unknown.assert(!unknown.errors().contains("cannot be read"), "no file is no failure");
}

#[live_test(Root, MOUNT_NAMESPACE, Program("setpriv"))]
fn an_unreadable_services_file_is_reported() {
    let mut launcher = with_services("unreadable", Some("shop-db 15432/tcp\n"));
    let script = launcher[4].replace("exec", "chmod 600 /etc/services && exec");
    launcher[4] = script;
    let nobody = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()];
    launcher.push("setpriv".to_owned());
    launcher.extend(nobody);
    let unknown = Cmd::new(["shop-db"]).through(launcher.clone()).run().code(2);
    unknown.assert(unknown.errors().contains("/etc/services cannot be read"), "the reason is reported");
    let known = Cmd::new(["--json", "ssh"]).through(launcher).run();
    known.assert(!known.stdout.is_empty(), "the registry's names stay");
}
