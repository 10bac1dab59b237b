//! The pages of the manual: their source is free of faults, and what is shown can be copied.

#![cfg(unix)]

use crate::support::{Cmd, folder, live_test};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

/// Writes the pages into a new folder and returns their files, sorted.
fn pages(name: &str) -> Vec<PathBuf> {
    let folder = folder().join(name);
    let written = Cmd::new(["man", &folder.display().to_string()]).run().code(0);
    written.assert_eq(written.both_streams().as_str(), "", "both streams");
    let entries = std::fs::read_dir(&folder).expect("the folder of the pages");
    let mut pages: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    pages.sort();
    pages
}

/// Runs a program on a page, and returns standard output. Panics if it fails or prints an error.
fn without_complaint(program: &str, arguments: &[&str], page: &std::path::Path) -> String {
    let mut command = Command::new(program);
    command.args(arguments).arg(page).env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80");
    let output = command.output().expect("the program runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{command:?}: {}\n{errors}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Returns the exit codes of each command by the tables of docs/exit-codes.md.
fn documented_codes() -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string("docs/exit-codes.md").expect("the page");
    let cells = |line: &str| -> Vec<String> {
        let line = line.trim().trim_start_matches('|').trim_end_matches('|');
        line.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let mut documented: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut header = Vec::new();
    for line in text.lines() {
        if !line.starts_with('|') {
            header.clear();
        } else if header.is_empty() {
            header = cells(line);
        } else {
            let row = cells(line);
            for (column, _) in header
                .iter()
                .zip(&row)
                .skip(1)
                .filter(|(_, meaning)| !meaning.is_empty() && !row[0].starts_with('-'))
            {
                let names = column.split('`').skip(1).step_by(2);
                for name in names.map(|name| name.split(' ').next().unwrap_or_default()) {
                    documented.entry(name.to_owned()).or_default().insert(row[0].clone());
                }
            }
        }
    }
    documented
}

#[live_test]
fn every_page_has_the_exit_codes_of_the_documents() {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in pages("manual-codes") {
        let page = std::fs::read_to_string(&file).expect("a page");
        let mut sections = page.split("\n.SH ").map(|section| section.trim_start_matches('"'));
        let section = sections.find_map(|section| section.strip_prefix("EXIT STATUS")).expect("a section");
        let codes = section.lines().filter_map(|line| line.strip_prefix("\\fB")?.strip_suffix("\\fR"));
        let name = file.file_stem().expect("a name").to_string_lossy().replace("allears-", "");
        found.insert(name, codes.map(str::to_owned).collect());
    }
    assert_eq!(found, documented_codes());
}

#[live_test(Program("mandoc"), Program("groff"), Program("man"))]
fn no_formatter_complains() {
    let pages = pages("manual-lint");
    assert!(pages.len() > 10, "{pages:?}");
    for page in pages {
        let faults = without_complaint("mandoc", &["-T", "lint", "-W", "warning"], &page);
        assert_eq!(faults, "", "{}", page.display());
        without_complaint("groff", &["-ww", "-man", "-Tutf8"], &page);
        without_complaint("man", &["--warnings", "-l"], &page);
    }
}

#[live_test(Program("mandoc"), Program("groff"))]
fn every_page_has_its_sections_and_ascii_options() {
    for page in pages("manual-sections") {
        for (program, arguments) in
            [("mandoc", &["-T", "utf8"][..]), ("groff", &["-man", "-Tutf8", "-P-cbou"])]
        {
            let shown = without_complaint(program, arguments, &page);
            // mandoc prints bold as a letter, a backspace and the letter again.
            let mut text = String::new();
            for letter in shown.chars() {
                match letter {
                    '\u{8}' => drop(text.pop()),
                    letter => text.push(letter),
                }
            }
            let name = page.file_stem().expect("a name").to_string_lossy().into_owned();
            let mut sections =
                vec!["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "SEE ALSO"];
            if name == "allears" {
                sections.extend(["COMMANDS", "TARGETS", "COLUMNS", "FILES"]);
                for part in ["--all-namespaces", "netstat2", "address for a browser on this machine"] {
                    assert!(text.contains(part), "{name} by {program}: {part}\n{text}");
                }
            }
            if !["allears-completions", "allears-man", "allears-help"].contains(&name.as_str()) {
                sections.push("EXAMPLES");
            }
            for section in sections {
                assert!(text.lines().any(|line| line == section), "{name} by {program}: {section}\n{text}");
            }
            assert!(text.contains("--help"), "{name} by {program}");
            assert!(
                !text.contains(['\u{2212}', '\u{2013}', '\u{2014}']),
                "{name} by {program} has a dash\n{text}"
            );
        }
    }
}

/// The pager is the one that man(1) takes.
#[live_test(Program("man"))]
fn the_pager_of_the_environment_shows_the_page() {
    for variable in ["MANPAGER", "PAGER"] {
        let shown = Cmd::new(["man"])
            .env(variable, "sed s/^/paged:/")
            .env("TERM", "xterm")
            .run_on_terminal(80)
            .code(0);
        shown.assert(shown.text().contains("paged:allears(1)"), variable);
        shown.assert(!shown.text().contains(".TH "), "no source");
    }
}
