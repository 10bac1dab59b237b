//! The command lines that people and scripts type most: a few targets and options without a value. They are read here,
//! because clap builds its whole tree of commands, options and help texts before it reads the first word, which takes
//! longer than the answer for a free port. Every other command line is left to clap, also each that it would refuse.

use super::{Filters, List, Source};

/// The most words that are read here.
const MOST: usize = 8;

/// Returns the arguments of a command line without the program's name, exactly as clap would. `None` leaves them to clap.
pub(in crate::cli) fn parse<'a>(words: impl ExactSizeIterator<Item = &'a str>) -> Option<List> {
    if words.len() > MOST {
        return None;
    }
    let mut list = List::default();
    for word in words {
        match word.strip_prefix('-') {
            None => list.filters.targets.push(target(word)?),
            Some(rest) => match rest.strip_prefix('-') {
                Some(name) => turn_on(long(&mut list, name)?)?,
                None if rest.is_empty() => return None,
                None => rest.chars().try_for_each(|letter| set_short(&mut list, letter))?,
            },
        }
    }
    (!conflicts(&list)).then_some(list)
}

/// Returns a word that can only be a target: no command begins with a digit or a colon.
fn target(word: &str) -> Option<String> {
    word.starts_with(|first: char| first.is_ascii_digit() || first == ':').then(|| word.to_owned())
}

/// Turns an option on. Clap refuses one that is given twice.
fn turn_on(option: &mut bool) -> Option<()> {
    (!std::mem::replace(option, true)).then_some(())
}

fn long<'a>(list: &'a mut List, name: &str) -> Option<&'a mut bool> {
    let List { filters, source, .. } = list;
    let Filters { tcp, udp, unix, all, exposed, here, dev, .. } = filters;
    let Source { all_namespaces, .. } = source;
    Some(match name {
        "tcp" => tcp,
        "udp" => udp,
        "unix" => unix,
        "all" => all,
        "exposed" => exposed,
        "here" => here,
        "dev" => dev,
        "all-namespaces" => all_namespaces,
        "parents" => &mut list.parents,
        "connections" => &mut list.connections,
        "probe" => &mut list.probe,
        "json" => &mut list.json,
        "ndjson" => &mut list.ndjson,
        "csv" => &mut list.csv,
        "openmetrics" => &mut list.openmetrics,
        "pids" => &mut list.pids,
        "quiet" => &mut list.quiet,
        "wide" => &mut list.wide,
        "no-header" => &mut list.rows.no_header,
        "reverse" => &mut list.rows.reverse,
        "verbose" => &mut list.verbose,
        _ => return None,
    })
}

fn set_short(list: &mut List, letter: char) -> Option<()> {
    let option = match letter {
        't' => &mut list.filters.tcp,
        'u' => &mut list.filters.udp,
        'x' => &mut list.filters.unix,
        '4' => &mut list.filters.ipv4,
        '6' => &mut list.filters.ipv6,
        'a' => &mut list.filters.all,
        'q' => &mut list.quiet,
        'r' => &mut list.rows.reverse,
        'v' => &mut list.verbose,
        _ => return list.filters.count_ignored(letter),
    };
    turn_on(option)
}

/// Returns whether clap would refuse some of these options together.
fn conflicts(list: &List) -> bool {
    let formats = [list.json, list.ndjson, list.csv, list.openmetrics, list.pids, list.quiet];
    formats.iter().filter(|format| **format).count() > 1
        || list.openmetrics && list.filters.all
        || list.verbose && list.quiet
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use clap::{CommandFactory as _, FromArgMatches as _};
    use proptest::prelude::*;

    use super::super::Arguments;
    use super::*;

    /// Words that are read here, words that are left to clap, and words that clap refuses.
    const WORDS: [&str; 76] = [
        "9",
        "80",
        ":80",
        "8000-8010",
        "127.0.0.1:80",
        "80/tcp",
        "80,443",
        "0",
        "99999",
        "9x",
        ":",
        "1why",
        "-q",
        "--quiet",
        "-t",
        "--tcp",
        "-u",
        "--udp",
        "-x",
        "--unix",
        "-4",
        "-6",
        "-a",
        "--all",
        "--exposed",
        "--here",
        "--dev",
        "--all-namespaces",
        "--parents",
        "--connections",
        "--probe",
        "--json",
        "--ndjson",
        "--csv",
        "--openmetrics",
        "--pids",
        "--wide",
        "--no-header",
        "-r",
        "--reverse",
        "-v",
        "--verbose",
        "-l",
        "-n",
        "-p",
        "-P",
        "-o",
        "-tulnp",
        "-tlnp",
        "-ano",
        "-nP",
        "-qq",
        "-tt",
        "-qt",
        "-46",
        "-9",
        "-i",
        "-i:80",
        "-ti:80",
        "-c",
        "-h",
        "-V",
        "--help",
        "--version",
        "--from",
        "--color",
        "--color=never",
        "--json=1",
        "--js",
        "-",
        "--",
        "",
        "why",
        "http",
        "tcp/80",
        "[::1]:80",
    ];

    thread_local! {
        /// Made once for a test: it takes longer than all that is compared with it.
        static COMMAND: RefCell<clap::Command> = RefCell::new(Arguments::command());
    }

    /// What is read here is what clap reads.
    fn is_as_by_clap(words: &[&str]) -> Result<bool, TestCaseError> {
        let Some(plain) = parse(words.iter().copied()) else { return Ok(false) };
        let line = std::iter::once("allears").chain(words.iter().copied());
        let matches = COMMAND.with_borrow_mut(|command| command.try_get_matches_from_mut(line));
        let by_clap = matches.and_then(|matches| Arguments::from_arg_matches(&matches));
        let by_clap = by_clap.map_err(|error| TestCaseError::fail(format!("{words:?}: {error}")))?;
        prop_assert!(by_clap.command.is_none(), "{:?}", words);
        prop_assert_eq!(format!("{plain:?}"), format!("{:?}", by_clap.list), "{:?}", words);
        Ok(true)
    }

    /// Every command line of at most two of the words.
    #[test]
    fn two_words_are_read_as_by_clap() {
        let mut read = usize::from(is_as_by_clap(&[]).unwrap());
        assert_eq!(read, 1);
        for first in WORDS {
            read += usize::from(is_as_by_clap(&[first]).unwrap());
            for second in WORDS {
                read += usize::from(is_as_by_clap(&[first, second]).unwrap());
            }
        }
        assert!(read > 2000, "{read}");
    }

    #[test]
    fn the_usual_command_lines_are_read_here() {
        for line in
            ["", "9", "-q 9", "9 -q", "-t", "-tulnp", "-tlnp 80", "--json", "80 --pids", "-a 80", "80 443"]
        {
            assert!(is_as_by_clap(&line.split_whitespace().collect::<Vec<_>>()).unwrap(), "{line}");
        }
    }

    #[test]
    fn what_clap_refuses_is_left_to_it() {
        for line in
            ["-q -q", "--json --csv", "-qv", "--openmetrics -a", "--help", "80 --", "why 80", "http", "-9"]
        {
            assert!(parse(line.split_whitespace().collect::<Vec<_>>().into_iter()).is_none(), "{line}");
        }
    }

    /// Options of the given letters, short and long, as well as whole words.
    fn word() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => proptest::sample::select(&WORDS[..]).prop_map(str::to_owned),
            1 => "-[tux46aqrvlnpPo]{1,4}",
            1 => "[0-9:][0-9:./a-z,-]{0,6}",
            1 => "--?[a-z]{0,5}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn any_line_is_read_as_by_clap(words in proptest::collection::vec(word(), 0..10)) {
            is_as_by_clap(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
    }
}
