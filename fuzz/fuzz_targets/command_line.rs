//! Command lines of any process: the arguments of docker-proxy and conmon, what an interpreter runs, which supervisor it
//! is, and how the line is shown and quoted. Arguments are separated by NUL, as in /proc/PID/cmdline.
#![no_main]

use allears::{Text, internals};
use libfuzzer_sys::fuzz_target;

const INTERPRETERS: [&str; 14] = [
    "node", "python3", "ruby", "php", "perl", "java", "dotnet", "deno", "bun", "sh", "elixir", "beam.smp",
    "npm", "app",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let words: Vec<Text> = bytes.split(|byte| *byte == 0).map(Text::from).collect();
    shown(&words);
    docker_proxy(&words);
    conmon(&words);
    script(usize::from(*kind), &words);
    supervisor(&words);
});

fn shown(words: &[Text]) {
    let shown = internals::shown_command(words);
    assert!(internals::is_inert(&shown) && !shown.contains('\n'), "{shown:?}");
    let quoted: Vec<Option<String>> = words.iter().map(internals::quoted_for_sh).collect();
    for (word, quoted) in words.iter().zip(&quoted) {
        let visible = word.as_str().is_some_and(|text| internals::is_inert(text) && !text.contains('\n'));
        assert_eq!(quoted.is_some(), visible, "{word:?}");
    }
    let Some(quoted) = quoted.into_iter().collect::<Option<Vec<String>>>() else { return };
    let line = quoted.join(" ");
    assert!(internals::is_inert(&line) && !line.contains('\n'), "{line:?}");
    assert_eq!(read_by_sh(&line), words, "{line}");
}

/// The words of a line as sh takes them, where it has nothing to expand.
fn read_by_sh(line: &str) -> Vec<Text> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = line.chars();
    while let Some(next) = rest.next() {
        match next {
            ' ' => words.extend(word.take()),
            '\'' => word.get_or_insert_default().extend(rest.by_ref().take_while(|next| *next != '\'')),
            '\\' => word.get_or_insert_default().extend(rest.next()),
            plain => {
                assert!(!"\"`$&|;<>()*?!#[]{}\n\t".contains(plain), "{line}");
                let first = word.is_none();
                assert!(!first || !"~=".contains(plain), "{line}");
                word.get_or_insert_default().push(plain);
            }
        }
    }
    words.extend(word);
    words.iter().map(|word| Text::from(word.as_str())).collect()
}

fn docker_proxy(words: &[Text]) {
    let Some((protocol, host, inside)) = internals::docker_proxy(words) else { return };
    let mut pairs =
        vec![("container-ip", inside.ip().to_string()), ("container-port", inside.port().to_string())];
    if let Some(protocol) = protocol {
        pairs.push(("proto", protocol.as_str().to_owned()));
    }
    if let Some(host) = host {
        pairs.push(("host-ip", host.ip().to_string()));
        pairs.push(("host-port", host.port().to_string()));
    }
    // Go's flags: one hyphen or two, the value behind an equals sign or as the next argument.
    for hyphens in ["-", "--"] {
        let joined =
            pairs.iter().map(|(name, value)| Text::from(format!("{hyphens}{name}={value}").as_str()));
        let apart = pairs.iter().flat_map(|(name, value)| {
            [Text::from(format!("{hyphens}{name}").as_str()), Text::from(value.as_str())]
        });
        for arguments in [joined.collect::<Vec<Text>>(), apart.collect()] {
            let command: Vec<Text> = std::iter::once("docker-proxy".into()).chain(arguments).collect();
            assert_eq!(internals::docker_proxy(&command), Some((protocol, host, inside)));
        }
    }
}

fn conmon(words: &[Text]) {
    let Some((id, name)) = internals::conmon(words) else { return };
    assert!(id.as_bytes().len() == 64 && id.as_bytes().iter().all(u8::is_ascii_hexdigit));
    assert!(words.iter().any(|word| word.as_bytes().ends_with(id.as_bytes())));
    let mut command = vec![Text::from("conmon"), "-c".into(), id.clone()];
    if let Some(name) = &name {
        assert!(words.iter().any(|word| word.as_bytes().ends_with(name.as_bytes())));
        command.extend([Text::from("-n"), name.clone()]);
    }
    assert_eq!(internals::conmon(&command), Some((id, name)));
}

fn script(which: usize, words: &[Text]) {
    let name = Text::from(INTERPRETERS[which % INTERPRETERS.len()]);
    let command: Vec<Text> = std::iter::once(name.clone()).chain(words.iter().cloned()).collect();
    for executable in [None, Some(&name), words.first()] {
        for parent in [None, Some(&Text::from("cargo"))] {
            let Some(shown) = internals::script(&name, executable, &command, parent) else { continue };
            assert!(!shown.is_empty());
            // Only a path's last part is shown whatever its length, and no more of the line than its words.
            let longest = words.iter().map(|word| word.as_bytes().len()).max().unwrap_or_default();
            assert!(shown.as_bytes().len() <= longest + 3 * 65 + 32, "{shown:?}");
            // An option may carry a password; it is no part of a name. A file's name may look like one behind a space.
            assert!(!shown.as_bytes().starts_with(b"-"), "{shown:?}");
            let is_option =
                |word: &&Text| word.as_bytes().starts_with(b"--") && word.as_bytes().contains(&b'=');
            let has = |word: &Text| {
                shown.as_bytes().split(|byte| *byte == b' ').any(|part| part == word.as_bytes())
            };
            let has_space = words.iter().any(|word| word.as_bytes().contains(&b' '));
            assert!(has_space || !words.iter().filter(is_option).any(has), "{shown:?}");
        }
    }
}

fn supervisor(words: &[Text]) {
    let Some((name, rest)) = words.split_first() else { return };
    let kind = internals::supervisor_kind(name, rest);
    let upper = Text::from(name.as_bytes().to_ascii_uppercase());
    assert_eq!(internals::supervisor_kind(&upper, rest), kind, "case does not matter");
    if name.is_empty() {
        assert_eq!(kind, None);
    }
}
