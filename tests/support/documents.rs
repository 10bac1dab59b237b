//! The JSON that the program printed while the tests ran. At the end the jsonschema package, which shares nothing with
//! the program, checks each document against the schema that the program prints.

use super::Cmd;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Larger outputs have thousands of sockets of the same form.
const LONGEST: usize = 1 << 20;

/// The name of a schema and a document of it, and the command that printed it.
struct Recorded {
    schema: &'static str,
    document: Value,
    shown: String,
}

/// By the schema and the text, in which numbers do not matter: one of several such documents is enough.
static RECORDED: Mutex<BTreeMap<(&str, String), Recorded>> = Mutex::new(BTreeMap::new());

/// Returns the schema of what the program prints with these arguments. `None` if that is no JSON.
pub(super) fn schema(arguments: &[OsString]) -> Option<&'static str> {
    const COMMANDS: [&str; 7] = ["why", "free", "wait", "next", "diff", "about", "watch"];
    let words = arguments.iter().map_while(|word| word.to_str());
    let own: Vec<&str> = words.take_while(|word| *word != "--").collect();
    let has = |option: &str| own.contains(&option);
    let first = own.iter().find(|word| !word.starts_with('-'));
    let command = COMMANDS.into_iter().find(|command| first == Some(command));
    match command {
        Some("watch") if !has("--ndjson") => None,
        Some("watch") if own.len() < arguments.len() => Some("watch-command"),
        Some(command) => (command == "watch" || has("--json")).then_some(command),
        None if has("--ndjson") => Some("line"),
        None => has("--json").then_some("snapshot"),
    }
}

/// Records what a run printed. `is_whole` is whether it ended by itself: else the last line may lack its end.
pub(super) fn record(schema: &'static str, stdout: &[u8], is_whole: bool, shown: &str) {
    if stdout.is_empty() || stdout.len() > LONGEST {
        return;
    }
    let text = String::from_utf8_lossy(stdout);
    if !schema.starts_with("watch") && schema != "line" {
        return add(schema, &text, shown);
    }
    let (lines, rest) = text.rsplit_once('\n').unwrap_or(("", &text));
    lines.lines().for_each(|line| add(schema, line, shown));
    if is_whole && !rest.is_empty() {
        add(schema, rest, shown);
    }
}

/// Records one document.
pub(super) fn add(schema: &'static str, text: &str, shown: &str) {
    let key = text.chars().filter(|letter| !letter.is_ascii_digit()).collect();
    // A document that cannot be parsed is one that no schema accepts.
    let document = serde_json::from_str(text).unwrap_or_else(|error| Value::from(error.to_string()));
    let recorded = Recorded { schema, document, shown: shown.to_owned() };
    RECORDED.lock().unwrap_or_else(PoisonError::into_inner).entry((schema, key)).or_insert(recorded);
}

/// Saves what was recorded, for the process that started this one.
pub(crate) fn save(path: &Path) {
    let recorded = RECORDED.lock().unwrap_or_else(PoisonError::into_inner);
    let lines =
        recorded.values().map(|one| json!([one.schema, one.document.to_string(), one.shown]).to_string());
    std::fs::write(path, lines.collect::<Vec<_>>().join("\n")).expect("save the documents");
}

/// Records what another process saved.
pub(super) fn load(path: &Path) {
    let text = std::fs::read_to_string(path).expect("the documents of another process");
    for line in text.lines() {
        let (schema, text, shown): (String, String, String) =
            serde_json::from_str(line).expect("three strings");
        // There are few names.
        add(schema.leak(), &text, &shown);
    }
}

/// Checks everything that was recorded, and returns what is wrong.
pub(crate) fn check_recorded() -> Result<String, String> {
    let recorded = std::mem::take(&mut *RECORDED.lock().unwrap_or_else(PoisonError::into_inner));
    if recorded.is_empty() {
        return Ok(String::new());
    }
    let recorded: Vec<Recorded> = recorded.into_values().collect();
    let began = std::time::Instant::now();
    let errors = validate(recorded.iter().map(|one| (one.schema, &one.document)))?;
    let wrong = recorded.iter().zip(errors).filter(|(_, errors)| !errors.is_empty());
    let wrong: Vec<String> = wrong
        .map(|(one, errors)| format!("{} of {}\n  {}", one.schema, one.shown, errors.join("\n  ")))
        .collect();
    match wrong.is_empty() {
        true => Ok(format!(
            "{} documents of these tests match their schemas, checked in {:.1?}",
            recorded.len(),
            began.elapsed()
        )),
        false => Err(format!("these documents do not match their schemas:\n{}", wrong.join("\n"))),
    }
}

/// Returns the errors of each document.
pub(crate) fn validate<'a>(
    documents: impl Iterator<Item = (&'a str, &'a Value)>,
) -> Result<Vec<Vec<String>>, String> {
    let python = python("jsonschema").ok_or("no jsonschema on the PATH")?;
    let mut input = serde_json::to_vec(&schemas()).expect("a value");
    for document in documents {
        input.push(b'\n');
        serde_json::to_writer(&mut input, &document).expect("a value");
    }
    let mut command = Command::new(python);
    command
        .arg("tests/support/validate.py")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("cannot start python: {error}"))?;
    let mut pipe = child.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || pipe.write_all(&input));
    let output = child.wait_with_output().map_err(|error| format!("cannot wait for python: {error}"))?;
    let _broken_if_it_failed = writer.join();
    if !output.status.success() {
        return Err(format!("the validator failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let lines = String::from_utf8_lossy(&output.stdout);
    lines.lines().map(|line| serde_json::from_str(line).map_err(|error| error.to_string())).collect()
}

/// Returns the schemas that the program prints, by their names.
fn schemas() -> serde_json::Map<String, Value> {
    let list = Cmd::new(["schema"]).run().code(0);
    let names = list.text().lines().filter_map(|line| line.split_whitespace().next());
    let schema = |name: &str| {
        let output = Cmd::new(["schema", name]).run().code(0);
        serde_json::from_str(output.text()).unwrap_or_else(|error| output.fail(&error.to_string()))
    };
    names.map(|name| (name.to_owned(), schema(name))).collect()
}

/// Returns the first interpreter on the PATH that has this module.
pub(crate) fn python(module: &str) -> Option<PathBuf> {
    let has_module = |python: &PathBuf| {
        let mut command = Command::new(python);
        command.args(["-c", &format!("import {module}")]).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join("python3")).find(has_module)
}
