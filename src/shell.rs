//! Quotes commands so that they are safe to paste into a shell. Pure: the input is words, the output one line, or `None`
//! if no line is safe. Every printed command is quoted here.

use std::sync::OnceLock;

use crate::model::Text;
use crate::model::text::acts_on_terminal;

pub(crate) use crate::os::Shell;

/// Returns the path of this program, if its name is not enough to run it with full permissions.
type FindProgram = fn() -> Option<Text>;

static PROGRAM: OnceLock<(FindProgram, OnceLock<Option<Text>>)> = OnceLock::new();

/// Sets how [`allears_by_path`] finds the path of this program. The library, which does not know its program, uses the
/// name.
#[cfg(feature = "cli")]
pub(crate) fn set_program(find: FindProgram) {
    // The first call decides: there is one program.
    let _ = PROGRAM.set((find, OnceLock::new()));
}

/// Returns the command line that runs this program with these arguments.
pub(crate) fn allears<W: AsRef<[u8]>>(arguments: &[W]) -> Option<String> {
    call(&"allears".into(), arguments)
}

/// Returns the command line that runs this program with these arguments. It has the program's path if sudo would not find
/// the name.
pub(crate) fn allears_by_path<W: AsRef<[u8]>>(arguments: &[W]) -> Option<String> {
    let path = PROGRAM.get().and_then(|(find, found)| found.get_or_init(find).clone());
    call(&path.unwrap_or_else(|| "allears".into()), arguments)
}

fn call<W: AsRef<[u8]>>(program: &Text, arguments: &[W]) -> Option<String> {
    let words: Vec<&[u8]> =
        std::iter::once(program.as_bytes()).chain(arguments.iter().map(AsRef::as_ref)).collect();
    line(&words)
}

/// Returns one word quoted for the shell of this system. See [`quote_for`].
#[cfg(feature = "cli")]
pub(crate) fn quote(word: &Text) -> Option<String> {
    quote_for(crate::os::SHELL, word)
}

/// Returns a command line for the shell of this system, or `None` if one of its words cannot be quoted safely.
pub(crate) fn line<W: AsRef<[u8]>>(words: &[W]) -> Option<String> {
    line_for(crate::os::SHELL, words)
}

/// Returns a command line for a shell, or `None` if one of its words cannot be quoted safely.
pub(crate) fn line_for<W: AsRef<[u8]>>(shell: Shell, words: &[W]) -> Option<String> {
    let quoted: Option<Vec<String>> =
        words.iter().map(|word| quote_for(shell, &Text::from(word.as_ref()))).collect();
    quoted.map(|words| words.join(" "))
}

/// Returns a word quoted so that the shell reads exactly its bytes. `None` if that cannot be done in visible text: bytes
/// that are not UTF-8, control characters, invisible characters; for Windows, whose two shells have no quotes in
/// common, also every character that one of them acts on.
pub(crate) fn quote_for(shell: Shell, word: &Text) -> Option<String> {
    let text = word.as_str().filter(|text| !text.chars().any(acts_on_terminal))?;
    let plain = |character: char| character.is_ascii_alphanumeric() || "@%+=:,./_-".contains(character);
    match shell {
        // A word that begins with a hyphen is an option with or without quotes, and one that begins with `=` or `~` is
        // expanded by some shells.
        Shell::Posix if !text.is_empty() && !text.starts_with('=') && text.chars().all(plain) => {
            Some(text.to_owned())
        }
        Shell::Posix => Some(format!("'{}'", text.replace('\'', r"'\''"))),
        Shell::Windows => {
            let safe = |character: char| {
                character.is_alphanumeric()
                    || matches!(character, ':' | '.' | '\\' | '/' | '_' | '-' | '+' | '=')
            };
            match text {
                "" => None,
                _ if text.chars().all(|character| character.is_ascii() && safe(character)) => {
                    Some(text.to_owned())
                }
                // In quotes both take these as they are.
                _ if text
                    .chars()
                    .all(|character| safe(character) || matches!(character, ' ' | '@' | ',' | '(' | ')'))
                    && !text.ends_with('\\') =>
                {
                    Some(format!("\"{text}\""))
                }
                _ => None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn posix(word: &str) -> Option<String> {
        quote_for(Shell::Posix, &word.into())
    }

    #[test]
    fn words_for_sh() {
        for (word, quoted) in [
            ("nginx.service", "nginx.service"),
            ("web; echo x #", "'web; echo x #'"),
            ("it's", r"'it'\''s'"),
            (r"a\x2db@c.service", r"'a\x2db@c.service'"),
            ("", "''"),
            ("=ls", "'=ls'"),
            ("~", "'~'"),
            ("größe", "'größe'"),
            ("$HOME", "'$HOME'"),
            ("!!", "'!!'"),
        ] {
            assert_eq!(posix(word).as_deref(), Some(quoted), "{word}");
        }
        for word in ["a\nb", "\u{1b}[31m", "\u{202e}x", "\u{200b}"] {
            assert_eq!(posix(word), None, "{word:?}");
        }
        assert_eq!(quote_for(Shell::Posix, &Text::from(&b"\xff"[..])), None);
    }

    #[test]
    fn words_for_windows() {
        let windows = |word: &str| quote_for(Shell::Windows, &word.into());
        assert_eq!(windows("W32Time").as_deref(), Some("W32Time"));
        assert_eq!(windows("Print Spooler").as_deref(), Some("\"Print Spooler\""));
        for word in ["a&b", "a%b%", "$x", "a\"b", "a'b", "`x", "", "x;y", "a|b", "^", "C:\\x y\\"] {
            assert_eq!(windows(word), None, "{word}");
        }
    }

    #[test]
    fn this_program_is_called_by_a_path_that_is_quoted() {
        let call = |path: &str| call(&path.into(), &["free", "80"]);
        assert_eq!(call("allears").as_deref(), Some("allears free 80"));
        if crate::os::SHELL == Shell::Posix {
            assert_eq!(call("/home/a b/allears").as_deref(), Some("'/home/a b/allears' free 80"));
            assert_eq!(allears_by_path(&["80"]).as_deref(), Some("allears 80"));
            assert_eq!(allears_by_path(&["/tmp/a b.sock"]).as_deref(), Some("allears '/tmp/a b.sock'"));
        }
        assert_eq!(call("/home/\u{1b}/allears"), None);
    }

    #[test]
    fn lines() {
        assert_eq!(line(&["docker", "stop", "a\nb"]), None);
        assert_eq!(line(&["docker", "stop", "web-1"]).as_deref(), Some("docker stop web-1"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn sh_reads_back_exactly_the_word(word in "\\PC{0,20}") {
            // Another system has no sh to read it back.
            if let Some(quoted) = posix(&word).filter(|_| crate::os::SHELL == Shell::Posix) {
                let out = std::process::Command::new("sh")
                    .args(["-c", &format!("printf %s {quoted}")])
                    .output()
                    .unwrap();
                prop_assert_eq!(String::from_utf8(out.stdout).unwrap(), word);
            }
        }
    }
}
