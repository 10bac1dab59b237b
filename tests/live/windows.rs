//! Tests for Windows: ending programs through their console or window, and UTF-16 text. They also run under wine.

#![cfg(windows)]

use crate::support::{
    Cmd, Fixture, JsonOutput, Steps, control_character, decode_base64, fixture_program, folder, live_test,
    port,
};
use serde_json::json;

const CREATE_NEW_CONSOLE: u32 = 0x10;
const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
const CREATE_NO_WINDOW: u32 = 0x800_0000;

/// The exit code of a program that does not handle Ctrl+C: STATUS_CONTROL_C_EXIT, under wine 0.
const BY_CTRL_C: [u32; 2] = [0xC000_013A, 0];
/// The exit code of the fixture if its window was closed.
const WINDOW_CLOSED: u32 = 7;
/// Its exit code if it was not asked to end.
const TERMINATED: u32 = 1;

fn steps() -> Steps {
    Steps::new([format!("tcp=127.0.0.1:{}", port())])
}

fn free(server: &Fixture, arguments: &[&str], code: i32) -> JsonOutput {
    let target = server.port().to_string();
    let arguments = [&["free", "--json", "--yes"], arguments, &[&target]].concat();
    JsonOutput::parse(Cmd::new(arguments.iter().copied()).run().without_panic().code(code))
}

#[live_test(Windows)]
fn a_program_with_a_window_is_asked_to_close_it() {
    let mut server = steps().step("window").start();
    let answer = free(&server, &[], 0);
    answer.assert_eq(&answer.document["done"][0]["result"], &json!("ended"), "result");
    answer.assert_eq(server.code(), WINDOW_CLOSED, "how it ended");
}

#[live_test]
fn a_program_alone_in_its_console_is_sent_ctrl_c() {
    for flags in [CREATE_NEW_CONSOLE, CREATE_NO_WINDOW] {
        let mut server = steps().creation(flags).start();
        let answer = free(&server, &[], 0);
        answer.assert_eq(&answer.document["done"][0]["result"], &json!("ended"), "result");
        answer.assert(BY_CTRL_C.contains(&server.code()), "it was asked");
    }
}

#[live_test]
fn a_program_that_shares_its_console_is_ended_alone() {
    let mut server = steps().through(["cmd", "/c"]).creation(CREATE_NEW_CONSOLE).start();
    let answer = free(&server, &[], 0);
    answer.assert_eq(&answer.document["plan"][0]["pid"], &json!(server.pid()), "the processes to end");
    // The shell returns the exit code of its command, and would have been ended by Ctrl+C itself.
    answer.assert_eq(server.code(), TERMINATED, "how it ended");
}

#[live_test]
fn a_program_that_ignores_ctrl_c_outlives_the_timeout() {
    let mut server = steps().creation(CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP).start();
    let answer = free(&server, &["--timeout=300ms"], 1);
    answer.assert_eq(&answer.document["done"][0]["result"], &json!("running"), "result");
    let forced = free(&server, &["--timeout=300ms", "--force"], 0);
    forced.assert_eq(&forced.document["done"][0]["action"], &json!("kill"), "what was done");
    forced.assert_eq(server.code(), TERMINATED, "how it ended");
}

#[live_test]
fn an_unpaired_surrogate_in_an_argument_is_kept() {
    let server = Steps::default()
        .wide(&[0x61, 0xD83D, 0x62])
        .step("steps")
        .step(&format!("tcp=127.0.0.1:{}", port()))
        .start();
    let target = server.port().to_string();
    let answer = Cmd::new([&target]).answer(0);
    let holder = answer.only_holder(answer.only());
    // Rust's OsString on Windows encodes the unpaired surrogate in three bytes.
    let kept = &holder["command_bytes"];
    let words = kept.as_array().map(Vec::as_slice).unwrap_or_default();
    answer.assert(words.iter().any(|word| decode_base64(word) == b"a\xED\xA0\xBDb"), "the whole argument");
    for shown in [Cmd::new([&target]).run().code(0), Cmd::new(["--csv", &target]).run().code(0)] {
        shown.assert_eq(control_character(shown.text()), None, "what a terminal would act upon");
    }
}

#[live_test]
fn a_name_in_another_script_is_kept() {
    let name = "Gr\u{f6}\u{df}e \u{65e5}\u{672c} \u{1f600}.exe";
    let program = folder().join(name);
    std::fs::copy(fixture_program(), &program).expect("copy the fixture");
    let server = steps().program(program).start();
    let target = server.port().to_string();
    let answer = Cmd::new([&target]).answer(0);
    answer.assert_eq(&answer.only_holder(answer.only())["name"], &json!(name), "name");
    let card = Cmd::new([&target]).run().code(0);
    card.assert(card.text().contains(name), "the name, in UTF-8");
}

/// The tables of Windows omit such a socket, which is a gap. Those of wine 10 include it.
#[live_test]
fn a_bound_socket_is_a_gap_of_why() {
    let port = port();
    let server = Steps::new([format!("bound=127.0.0.1:{port}")]).start();
    let gap = |document: &serde_json::Value| {
        let gaps = document["gaps"].as_array().cloned().unwrap_or_default();
        gaps.iter().any(|gap| gap["reason"] == "bound")
    };
    let why =
        |code| JsonOutput::parse(Cmd::new(["why", "--json", &format!("127.0.0.1:{port}")]).run().code(code));
    let answer = why(1);
    answer.assert_eq(&answer.document["can_bind"], &json!(false), "whether it can be bound");
    let rows = answer.document["standing_in_the_way"].as_array().cloned().unwrap_or_default();
    match rows.as_slice() {
        [] => answer.assert(gap(&answer.document), "a gap reports what is in no table"),
        [row] => {
            answer.assert_eq(&answer.document["verdict"], &json!("bound"), "verdict");
            answer.assert_eq(crate::support::pids(row), vec![server.pid()], "holder");
        }
        _ => answer.fail("one socket stands in the way at most"),
    }
    let all = Cmd::new(["-a".to_owned(), format!("tcp/{port}")]).answer(if rows.is_empty() { 3 } else { 0 });
    all.assert(gap(&all.document), "others may be missing");
    drop(server);
    let answer = why(0);
    answer.assert(!gap(&answer.document), "nothing is missing if a bind succeeds");
}
