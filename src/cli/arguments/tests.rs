use std::collections::BTreeSet;

use clap::{Arg, Command, CommandFactory};

use super::*;

const PAGE: &str = include_str!("../../../docs/options.md");

fn commands() -> Vec<Command> {
    let mut root = Arguments::command();
    root.build();
    let others: Vec<Command> = root.get_subcommands().cloned().collect();
    std::iter::once(root).chain(others).collect()
}

/// Returns the names of an option: `-c`, `--command`.
fn names(option: &Arg) -> impl Iterator<Item = String> {
    let short = option.get_short().map(|short| format!("-{short}"));
    short.into_iter().chain(option.get_long().map(|long| format!("--{long}")))
}

/// Returns what the page has in its inline code and in its tables that begins like an option.
fn of_page() -> BTreeSet<String> {
    let is_end = |letter: char| !(letter.is_ascii_alphanumeric() || letter == '-');
    let code = PAGE.split('`').skip(1).step_by(2);
    let words = code.flat_map(|code| code.split([' ', '/', '|', ',']));
    let options = words.filter(|word| word.starts_with('-') && !["-", "--"].contains(word));
    options.filter_map(|word| word.split(is_end).next()).map(str::to_owned).collect()
}

#[test]
fn the_page_of_options_has_every_option_and_no_other() {
    let page = of_page();
    let (mut shown, mut all) = (BTreeSet::new(), BTreeSet::new());
    let mut with_value = BTreeSet::new();
    for command in commands() {
        for option in command.get_arguments() {
            all.extend(names(option));
            with_value.extend(option.get_short().filter(|_| option.get_action().takes_values()));
            if !option.is_hide_set() {
                shown.extend(names(option));
            }
        }
    }
    let missing: Vec<&String> = shown.difference(&page).collect();
    assert!(missing.is_empty(), "the page lacks {missing:?}");
    // Several short options in one word: the value of one ends it, as in -ti:3000.
    let is_cluster = |word: &str| {
        let begins = word.char_indices().skip(1).find(|(_, letter)| with_value.contains(letter));
        let letters = begins.and_then(|(at, _)| word.get(..at)).unwrap_or(word);
        letters.chars().skip(1).all(|letter| all.contains(&format!("-{letter}")))
    };
    let is_known = |word: &&String| all.contains(*word) || !word.starts_with("--") && is_cluster(word);
    let unknown: Vec<&String> = page.iter().filter(|word| !is_known(word)).collect();
    assert!(unknown.is_empty(), "the page has {unknown:?}, which no command takes");
}

#[test]
fn both_helps_have_the_columns_and_the_values() {
    for command in commands() {
        let helps =
            [command.clone().render_help().to_string(), command.clone().render_long_help().to_string()];
        for (help, kind) in helps.iter().zip(["-h", "--help"]) {
            let has = |word: &str| {
                help.split(|letter: char| !letter.is_alphanumeric() && !"_-".contains(letter))
                    .any(|it| it == word)
            };
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                for value in argument.get_possible_values() {
                    let takes = argument.get_action().takes_values();
                    assert!(
                        !takes || has(value.get_name()),
                        "{} {kind}: {}",
                        command.get_name(),
                        value.get_name()
                    );
                }
                if argument.get_id() == "columns" {
                    for (_, name) in Column::NAMES {
                        assert!(has(name), "{} {kind}: {name}", command.get_name());
                    }
                }
            }
        }
    }
}
