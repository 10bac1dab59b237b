//! The page of a command, from its arguments and its help.

use clap::{Arg, Command};

use super::roff::{Roff, bold, italic, literal, prose};
use super::texts;
use crate::cli::arguments::help;
use crate::render::column::Column;

/// Returns the name of the page of a command: `allears-why`. The command must be built.
pub(super) fn name(command: &Command) -> String {
    command.get_bin_name().unwrap_or_else(|| command.get_name()).replace(' ', "-")
}

/// Returns the page of `allears` itself.
pub(super) fn main_page(root: &Command) -> String {
    let mut roff = begin(root);
    roff.section("SYNOPSIS");
    roff.line(&usage(root));
    for command in commands(root) {
        roff.request("br");
        roff.line(&usage(command));
    }
    let help = HelpParts::of(root);
    roff.section("DESCRIPTION");
    for paragraph in root.get_long_about().map(ToString::to_string).unwrap_or_default().split("\n\n") {
        roff.line(&prose(&sentence(paragraph)));
        roff.request("PP");
    }
    roff.line(&prose(texts::SELECTION));
    paragraphs(&mut roff, &help);
    roff.section("COMMANDS");
    for command in commands(root) {
        let about = about(command);
        roff.entry(&bold(command.get_name()), &format!("{about}. See {}(1).", name(command)));
    }
    roff.section("TARGETS");
    for (form, meaning) in texts::TARGETS {
        roff.entry(&tags(form), meaning);
    }
    options(&mut roff, root);
    roff.section("COLUMNS");
    roff.line(&prose("The columns of --columns and --sort, in the order of CSV."));
    for (column, name) in Column::NAMES {
        roff.entry(&bold(name), column.description());
    }
    exit_status(&mut roff, &help);
    roff.section("ENVIRONMENT");
    for (variable, effect) in texts::ENVIRONMENT {
        roff.entry(&tags(variable), effect);
    }
    roff.section("FILES");
    for (file, purpose) in texts::FILES {
        let files: Vec<String> = file.split(", ").map(italic).collect();
        roff.entry(&files.join(", "), purpose);
    }
    examples(&mut roff, &help);
    let pages: Vec<String> = commands(root).map(|command| format!("{}(1)", name(command))).collect();
    see_also(&mut roff, pages.iter().map(String::as_str).chain(texts::RELATED));
    roff.into_source()
}

/// Returns the page of a command of `allears`.
pub(super) fn command_page(root: &Command, command: &Command) -> String {
    let mut roff = begin(command);
    roff.section("SYNOPSIS");
    roff.line(&usage(command));
    let help = HelpParts::of(command);
    roff.section("DESCRIPTION");
    roff.line(&prose(&sentence(&about(command))));
    paragraphs(&mut roff, &help);
    options(&mut roff, command);
    exit_status(&mut roff, &help);
    let has = |id: &str| command.get_arguments().any(|argument| argument.get_id() == id);
    let sections = [("TARGETS", has("targets")), ("COLUMNS", has("columns")), ("ENVIRONMENT", true)];
    for (section, _) in sections.iter().filter(|(_, applies)| *applies) {
        roff.section(section);
        roff.line(&prose(&format!("See {}(1).", root.get_name())));
    }
    examples(&mut roff, &help);
    let own = name(command);
    let others: Vec<String> =
        commands(root).map(name).filter(|name| *name != own).map(|name| format!("{name}(1)")).collect();
    let main = format!("{}(1)", root.get_name());
    see_also(&mut roff, std::iter::once(main.as_str()).chain(others.iter().map(String::as_str)));
    roff.into_source()
}

fn begin(command: &Command) -> Roff {
    let mut roff = Roff::default();
    let source = format!("allears {}", env!("CARGO_PKG_VERSION"));
    roff.title(&name(command), texts::DATE, &source, "User Commands");
    roff.section("NAME");
    // In the form that whatis(1) and apropos(1) read, without fonts.
    roff.line(&format!("{} \\- {}", literal(&name(command)), literal(&without_capital(&about(command)))));
    roff
}

/// Returns the commands that are not hidden.
pub(super) fn commands(root: &Command) -> impl Iterator<Item = &Command> {
    root.get_subcommands().filter(|command| !command.is_hide_set())
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

/// Returns a synopsis with fonts, made from clap's usage.
fn usage(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let line = usage.trim_start_matches("Usage: ").lines().next().unwrap_or_default();
    // Words such as `[OPTIONS]`, `<OLD>`, `[TARGET]...`, `[--` and `<COMMAND>...]`.
    let word = |word: &str| {
        let name = word.trim_matches(['[', ']', '<', '>', '.']);
        let open = if word.starts_with('[') { "[" } else { "" };
        let close = if word.contains(']') { "]" } else { "" };
        let dots = if word.contains("...") { "..." } else { "" };
        let name = match name {
            "OPTIONS" => italic("options"),
            name if name.contains(|letter: char| letter.is_ascii_uppercase()) => italic(name),
            name => bold(name),
        };
        format!("{open}{name}{dots}{close}")
    };
    line.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Adds the arguments of a command: those without a name, then the options by heading.
fn options(roff: &mut Roff, command: &Command) {
    let shown = || command.get_arguments().filter(|argument| !argument.is_hide_set());
    // Options without a heading come first, so that they are under none.
    let mut headings: Vec<&str> = vec![""];
    roff.section("OPTIONS");
    for argument in command.get_positionals().filter(|argument| !argument.is_hide_set()) {
        option(roff, &italic(&value_name(argument)), argument);
    }
    for argument in shown().filter(|argument| !argument.is_positional()) {
        let heading = argument.get_help_heading().unwrap_or_default();
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    for heading in headings {
        if !heading.is_empty() {
            roff.subsection(heading);
        }
        let of_heading = |argument: &&Arg| {
            !argument.is_positional() && argument.get_help_heading().unwrap_or_default() == heading
        };
        for argument in shown().filter(of_heading) {
            option(roff, &option_tag(argument), argument);
        }
    }
}

fn value_name(argument: &Arg) -> String {
    argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap_or_default()
}

/// Returns the forms of an option with its value: `-c, --command TEXT`.
fn option_tag(option: &Arg) -> String {
    let short = option.get_short().map(|short| bold(&format!("-{short}")));
    let long = option.get_long().map(|long| bold(&format!("--{long}")));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let names = names.join(", ");
    if !option.get_action().takes_values() {
        return names;
    }
    let value = italic(&value_name(option));
    let is_optional = option.get_num_args().is_some_and(|range| range.min_values() == 0);
    if is_optional { format!("{names} [{value}]") } else { format!("{names} {value}") }
}

/// Adds an argument with its values and its default.
fn option(roff: &mut Roff, tag: &str, argument: &Arg) {
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    // A page has no shorter form.
    let help = help.replace(" (see more with '--help')", "");
    let default = argument.get_default_values().first().filter(|_| argument.get_action().takes_values());
    let default = default.map(|value| format!(" The default is {}.", value.to_string_lossy()));
    roff.entry(tag, &format!("{}{}", sentence(&help), default.unwrap_or_default()));
    let values = argument.get_possible_values();
    let values: Vec<_> = values.iter().filter(|value| !value.is_hide_set()).collect();
    if values.is_empty() || !argument.get_action().takes_values() {
        return;
    }
    if values.iter().all(|value| value.get_help().is_none()) {
        let names: Vec<String> = values.iter().map(|value| bold(value.get_name())).collect();
        roff.line(&format!("{} is one of {}.", italic(&value_name(argument)), names.join(", ")));
        return;
    }
    roff.request("RS");
    for value in values {
        let help = value.get_help().map(ToString::to_string).unwrap_or_default();
        roff.entry(&bold(value.get_name()), &sentence(&help));
    }
    roff.request("RE");
}

fn paragraphs(roff: &mut Roff, help: &HelpParts) {
    for paragraph in &help.paragraphs {
        roff.request("PP");
        roff.line(&prose(paragraph));
    }
}

fn exit_status(roff: &mut Roff, help: &HelpParts) {
    roff.section("EXIT STATUS");
    for (code, meaning) in &help.exit {
        roff.entry(&bold(code), meaning);
    }
}

fn examples(roff: &mut Roff, help: &HelpParts) {
    if help.examples.is_empty() {
        return;
    }
    roff.section("EXAMPLES");
    for (number, (command, comment)) in help.examples.iter().enumerate() {
        if !comment.is_empty() {
            roff.entry(&bold(command), comment);
            continue;
        }
        if number > 0 {
            roff.request("PP");
        }
        roff.line(&bold(command));
    }
}

fn see_also<'a>(roff: &mut Roff, pages: impl Iterator<Item = &'a str>) {
    roff.section("SEE ALSO");
    let page = |page: &str| match page.split_once('(') {
        Some((name, section)) => format!("\\%{}({section}", bold(name)),
        None => bold(page),
    };
    let pages: Vec<String> = pages.map(page).collect();
    roff.line(&pages.join(",\n"));
}

/// Returns several forms, separated by commas, in bold.
fn tags(forms: &str) -> String {
    forms.split(", ").map(bold).collect::<Vec<_>>().join(", ")
}

/// Returns a text with a full stop.
fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.ends_with(['.', '?', '!']) { text.to_owned() } else { format!("{text}.") }
}

/// Returns a text that begins with a small letter, unless its first word is a name in capitals.
fn without_capital(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), text.chars().nth(1)) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            format!("{}{}", first.to_lowercase(), letters.as_str())
        }
        _ => text.to_owned(),
    }
}

/// The parts of the text at the end of a command's help.
#[derive(Debug, Default, PartialEq, Eq)]
struct HelpParts {
    /// Commands with what they do, which may be empty.
    examples: Vec<(String, String)>,
    paragraphs: Vec<String>,
    /// Exit codes with their meanings.
    exit: Vec<(String, String)>,
}

impl HelpParts {
    fn of(command: &Command) -> HelpParts {
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let mut parts = HelpParts::default();
        for block in text.split("\n\n").filter(|block| !block.trim().is_empty()) {
            if let Some(lines) = block.strip_prefix("Examples:\n") {
                let lines = lines.lines().map(str::trim);
                let pair = |line: &str| {
                    line.split_once("  ").map(|(one, two)| (one.to_owned(), two.trim().to_owned()))
                };
                parts.examples = lines
                    .map(|line| pair(line).unwrap_or_else(|| (line.to_owned(), String::new())))
                    .collect();
            } else if let Some(codes) = block.strip_prefix("Exit status:") {
                parts.exit = exit_codes(codes);
            } else if !block.starts_with(help::COLUMNS) {
                parts.paragraphs.push(block.to_owned());
            }
        }
        if parts.exit.is_empty() {
            let codes =
                [("0", "printed"), ("2", "invalid arguments"), ("3", "the answer could not be written")];
            parts.exit = codes.map(|(code, meaning)| (code.to_owned(), meaning.to_owned())).into();
        }
        parts
    }
}

/// Reads `0 reached, 1 timed out; 2 invalid arguments.`
fn exit_codes(text: &str) -> Vec<(String, String)> {
    let mut codes: Vec<(String, Vec<&str>)> = Vec::new();
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut at_start = true;
    for word in words {
        match codes.last_mut() {
            _ if at_start && matches!(word, "0" | "1" | "2" | "3" | "126" | "127" | "128+N") => {
                codes.push((word.to_owned(), Vec::new()))
            }
            Some((_, meaning)) => meaning.push(word),
            None => {}
        }
        at_start = codes.is_empty() || word.ends_with([',', ';']);
    }
    let meaning = |(code, words): (String, Vec<&str>)| {
        (code, words.join(" ").trim_end_matches([',', ';', '.']).to_owned())
    };
    codes.into_iter().map(meaning).collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::arguments::Arguments;

    #[test]
    fn every_help_has_the_parts_of_a_page() {
        let mut root = Arguments::command();
        root.build();
        for command in std::iter::once(&root).chain(commands(&root)) {
            let help = HelpParts::of(command);
            let codes: Vec<&str> = help.exit.iter().map(|(code, _)| code.as_str()).collect();
            let number = |code: &&str| code.trim_end_matches("+N").parse::<u8>();
            let is_sorted = codes.is_sorted_by_key(|code| number(code).unwrap());
            assert!(codes.starts_with(&["0"]) && is_sorted, "{}: {codes:?}", command.get_name());
            assert!(codes.contains(&"2"), "{}: {codes:?}", command.get_name());
            assert!(help.exit.iter().all(|(_, meaning)| !meaning.is_empty()), "{:?}", help.exit);
            if command.get_after_help().is_some() {
                assert!(help.examples.len() >= 3, "{}", command.get_name());
            }
            for (example, _) in &help.examples {
                assert!(example.contains("allears"), "{example}");
            }
        }
    }

    #[test]
    fn a_synopsis_names_every_argument() {
        let mut root = Arguments::command();
        root.build();
        let line =
            |name: &str| usage(root.find_subcommand(name).unwrap()).replace("\\fB", "").replace("\\fI", "");
        let plain = |name: &str| line(name).replace("\\fR", "").replace("\\-", "-");
        assert_eq!(plain("why"), "allears why [options] TARGET...");
        assert_eq!(plain("diff"), "allears diff [options] OLD [NEW]");
        assert_eq!(plain("watch"), "allears watch [options] [TARGET...] [-- COMMAND...]");
    }

    #[test]
    fn codes_of_a_sentence() {
        let codes =
            exit_codes(" 0 free, even if\nit was before; 1 held; 3 refused. For several it is 3, then 1.");
        let got: Vec<(&str, &str)> =
            codes.iter().map(|(code, text)| (code.as_str(), text.as_str())).collect();
        assert_eq!(
            got,
            [
                ("0", "free, even if it was before"),
                ("1", "held"),
                ("3", "refused. For several it is 3, then 1")
            ]
        );
    }

    #[test]
    fn sentences() {
        assert_eq!(sentence("Print it"), "Print it.");
        assert_eq!(sentence("Why?"), "Why?");
        assert_eq!(without_capital("Show it"), "show it");
        assert_eq!(without_capital("TCP"), "TCP");
    }
}
