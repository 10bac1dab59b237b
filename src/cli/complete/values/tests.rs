use super::*;

fn root() -> Command {
    let mut root = Arguments::command();
    root.build();
    root
}

/// Returns the values of the candidates with the part that they keep.
fn completed(line: &str) -> Vec<String> {
    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let word = words.pop().unwrap_or_default();
    let completion = complete(&words, &word, false);
    completion.candidates.iter().map(|candidate| format!("{}{}", completion.kept, candidate.value)).collect()
}

#[test]
fn every_argument_has_a_known_kind() {
    let root = root();
    for command in std::iter::once(&root).chain(root.get_subcommands()) {
        let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
        for argument in shown.filter(|argument| argument.get_action().takes_values()) {
            assert!(Kind::of(argument).is_some(), "{} {argument}", command.get_name());
        }
    }
}

#[test]
fn places_of_a_line() {
    for (line, values) in [
        ("free --via=c", &["--via=container"][..]),
        ("free --via c", &["container"]),
        ("--color a", &["auto", "always"]),
        ("--columns pid,po", &["pid,port"]),
        ("--columns=pid,pid,po", &["--columns=pid,pid,port"]),
        ("--sort du", &["dual_stack"]),
        ("help fr", &["free"]),
        ("fre", &["free"]),
        // An option comes before: it is no command.
        ("--json fre", &["freeciv", "freezexservice"]),
        // The value of an option is no command.
        ("-c free --exp", &["--exposed"]),
        ("--user watch --exp", &["--exposed"]),
        ("-- --exp", &[]),
        ("completions b", &["bash"]),
        ("completions bash z", &[]),
        ("wait 80 --timeout 5", &["500ms", "5s"]),
        ("free --signal HU", &["HUP"]),
        ("--exposed --exp", &[]),
        ("--pid 1 --pi", &["--pid", "--pids"]),
        // Only one format can be used.
        ("--json --nd", &[]),
        ("-q --nd", &[]),
        ("-qu --nd", &[]),
        ("free --tree --v", &[]),
        ("free --via service --tre", &[]),
        // Hidden options.
        ("-l", &[]),
        ("watch --fro", &[]),
        ("watch 1 postgresq", &["postgresql"]),
        ("--unknown=x", &[]),
        ("--json=x", &[]),
        ("next --count ", &[]),
    ] {
        assert_eq!(completed(line), values, "{line}");
    }
}

#[test]
fn after_the_separator_is_the_command_of_watch() {
    for (line, paths) in [
        ("watch -- mak", Some(Paths::Files)),
        ("watch 3000 -t -- make --sil", Some(Paths::Files)),
        ("watch -- make free", Some(Paths::Files)),
        ("watch 3000 fre", None),
    ] {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let word = words.pop().unwrap_or_default();
        let completion = complete(&words, &word, false);
        assert_eq!(completion.paths, paths, "{line}");
        let commands = completion.candidates.iter().any(|one| one.heading == Heading::Commands);
        assert!(!commands, "{line}");
    }
}

#[test]
fn a_name_that_is_no_word_of_a_command_line_is_left_out() {
    for (name, can) in [
        ("node", true),
        ("$(x)", true),
        ("", false),
        (" ", false),
        ("-x", false),
        ("a\nb", false),
        ("\u{1b}[m", false),
    ] {
        assert_eq!(can_be_typed(name), can, "{name:?}");
    }
}
