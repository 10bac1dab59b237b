//! The documents: every relative link leads somewhere, and the parts of a page that other tests run.

use crate::support::live_test;
use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};

/// A part of a page: from a heading to the next one of the same or a higher level.
#[cfg(target_os = "linux")]
pub(crate) struct Section {
    pub(crate) heading: String,
    pub(crate) text: String,
}

/// A command of a page, and what the page shows below it.
#[cfg(target_os = "linux")]
pub(crate) struct Shown {
    pub(crate) command: String,
    pub(crate) output: Vec<String>,
}

#[live_test]
fn every_relative_link_of_the_documents_resolves() {
    let pages = documents();
    assert!(pages.len() > 10, "only {pages:?} were found; tests run in the folder of the package");
    let anchors: HashMap<&PathBuf, HashSet<String>> =
        pages.iter().map(|page| (page, anchors(&read(page)))).collect();
    let mut broken = Vec::new();
    let mut checked = 0;
    for page in &pages {
        for link in links(&read(page)).filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            checked += 1;
            let (path, anchor) =
                link.split_once('#').map_or((&*link, None), |(path, anchor)| (path, Some(anchor)));
            let target = if path.is_empty() { page.clone() } else { joined(page, path) };
            let found = target.exists()
                && anchor
                    .is_none_or(|anchor| anchors.get(&target).is_some_and(|known| known.contains(anchor)));
            if !found {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(checked > 50, "only {checked} links were found");
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

/// Every Markdown file of the package.
fn documents() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    let mut folders: Vec<PathBuf> = ["docs", "data", "findings", "tests"].map(PathBuf::from).into();
    folders.push(PathBuf::from("."));
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path().strip_prefix(".").map_or_else(|_| entry.path(), Path::to_path_buf);
            if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            } else if folder != Path::new(".") && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            }
        }
    }
    pages.sort();
    pages
}

pub(crate) fn read(page: &Path) -> String {
    std::fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()))
}

/// What a link of this page leads to, from the folder of the package.
fn joined(page: &Path, link: &str) -> PathBuf {
    let mut parts: Vec<Component<'_>> = page.parent().unwrap_or(Path::new("")).components().collect();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => drop(parts.pop()),
            Component::CurDir => {}
            part => parts.push(part),
        }
    }
    parts.iter().collect()
}

/// The text without blocks of code.
pub(crate) fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut kept = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// The pieces of code within lines of prose.
#[cfg(target_os = "linux")]
pub(crate) fn inline_code(text: &str) -> Vec<String> {
    let prose = prose(text);
    prose.split('`').skip(1).step_by(2).map(|code| code.replace("\\|", "|")).collect()
}

/// The targets of `[text](target)`.
fn links(text: &str) -> impl Iterator<Item = String> {
    let prose = prose(text);
    let without_code: String = prose.split('`').step_by(2).collect();
    let targets: Vec<String> = without_code
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target.to_owned()))
        .collect();
    targets.into_iter()
}

/// The anchors that GitHub gives the headings of a page.
fn anchors(text: &str) -> HashSet<String> {
    let mut anchors = HashSet::new();
    for heading in prose(text).lines().filter(|line| line.starts_with('#')) {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept =
            heading.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
        let anchor: String = kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect();
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone()).chain(numbered).find(|name| !anchors.contains(name));
        anchors.extend(free);
    }
    anchors
}

/// The sections of a page below headings of this level, such as `## `.
#[cfg(target_os = "linux")]
pub(crate) fn sections(text: &str, level: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.starts_with("```");
        if let (false, Some(heading)) = (fenced, line.strip_prefix(level)) {
            sections.push(Section { heading: heading.to_owned(), text: String::new() });
        } else if let Some(section) = sections.last_mut() {
            section.text.push_str(line);
            section.text.push('\n');
        }
    }
    sections
}

/// The contents of the `console` blocks of a text.
#[cfg(target_os = "linux")]
pub(crate) fn commands(text: &str) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    let mut console = false;
    for line in text.lines() {
        if line.starts_with("```") {
            console = line == "```console";
        } else if let (true, Some(command)) = (console, line.strip_prefix("$ ")) {
            shown.push(Shown { command: command.to_owned(), output: Vec::new() });
        } else if let (true, Some(last)) = (console, shown.last_mut()) {
            last.output.push(line.to_owned());
        }
    }
    shown
}
