//! The configuration format of supervisord: sections, expressions, patterns of files and addresses. Pure: compiled and
//! tested on every system.

use super::ANY;
use super::ini::{self, Comments, Section};

/// Parses a file of a configuration. `%(here)s` is the folder of the file.
pub(crate) fn sections(bytes: &[u8], here: &[u8]) -> Vec<Section> {
    let text = String::from_utf8_lossy(bytes).replace("%(here)s", &String::from_utf8_lossy(here));
    ini::parse(text.as_bytes(), Comments::Inline)
}

/// Returns the URL for `[inet_http_server] port=`: `9001`, `127.0.0.1:9001`, `*:9001`.
pub(crate) fn http_url(port: &str) -> Option<String> {
    let (host, port) = port.trim().rsplit_once(':').unwrap_or(("", port.trim()));
    let host = if matches!(host, "" | "*" | "0.0.0.0") { "127.0.0.1" } else { host };
    port.parse::<u16>().ok().map(|port| format!("http://{host}:{port}"))
}

/// Returns the port of `socket=tcp://127.0.0.1:9000`.
pub(crate) fn tcp_port(socket: &str) -> Option<u16> {
    socket.strip_prefix("tcp://")?.rsplit(':').next()?.trim().parse().ok()
}

/// Returns whether a name matches a pattern of `*` and `?`.
pub(crate) fn matches_pattern(pattern: &[u8], name: &[u8]) -> bool {
    // The position of the last star, and the length of the name that it matches.
    let (mut at, mut of_name) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = name.get(of_name) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, of_name));
                at += 1;
            }
            Some(known) if *known == b'?' || known == byte => {
                at += 1;
                of_name += 1;
            }
            _ => match star {
                Some((position, taken)) => {
                    star = Some((position, taken + 1));
                    at = position + 1;
                    of_name = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

/// A value of an expression in a configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    Number(i64),
}

/// Replaces `%(name)s` and `%(name)02d` with values, and with [`ANY`] if there is no value.
pub(crate) fn expand<'a>(text: &str, value: &dyn Fn(&str) -> Option<Value<'a>>) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        expanded.push_str(before);
        rest = after;
        if let Some(after) = after.strip_prefix('%') {
            expanded.push('%');
            rest = after;
            continue;
        }
        let Some((name, after)) = after.strip_prefix('(').and_then(|after| after.split_once(')')) else {
            expanded.push(ANY);
            continue;
        };
        let Some((flags, conversion, after)) = conversion(after) else {
            expanded.push(ANY);
            continue;
        };
        rest = after;
        match (value(name), conversion) {
            (Some(Value::Text(text)), 's') if flags.is_empty() => expanded.push_str(text),
            (Some(Value::Number(number)), 'd' | 's') => match (flags.strip_prefix('0'), width(flags)) {
                (Some(_), Some(width)) if conversion == 'd' => {
                    expanded.push_str(&format!("{number:0width$}"))
                }
                (None, Some(width)) => expanded.push_str(&format!("{number:width$}")),
                _ => expanded.push(ANY),
            },
            _ => expanded.push(ANY),
        }
    }
    expanded.push_str(rest);
    expanded
}

/// Returns the flags and the letter of a conversion, and the text after it.
fn conversion(text: &str) -> Option<(&str, char, &str)> {
    let at = text.find(|character: char| !character.is_ascii_digit())?;
    let (flags, rest) = text.split_at_checked(at)?;
    let mut rest = rest.chars();
    let letter = rest.next().filter(char::is_ascii_alphabetic)?;
    Some((flags, letter, rest.as_str()))
}

/// Returns the width of a number. `None` if it is unreasonable.
fn width(flags: &str) -> Option<usize> {
    if flags.is_empty() {
        return Some(0);
    }
    flags.parse().ok().filter(|width| *width <= 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (port, url) in [
            ("9001", Some("http://127.0.0.1:9001")),
            ("*:9001", Some("http://127.0.0.1:9001")),
            ("0.0.0.0:9001", Some("http://127.0.0.1:9001")),
            ("10.0.0.2:9001", Some("http://10.0.0.2:9001")),
            ("web", None),
        ] {
            assert_eq!(http_url(port).as_deref(), url);
        }
        assert_eq!(tcp_port("tcp://localhost:9000"), Some(9000));
        assert_eq!(tcp_port("unix:///run/x.sock"), None);
    }

    #[test]
    fn patterns() {
        assert!(matches_pattern(b"*.conf", b"web.conf"));
        assert!(matches_pattern(b"w?b*", b"web"));
        assert!(!matches_pattern(b"*.conf", b"web.ini"));
        assert!(matches_pattern(b"*.conf", b"a.conf.conf") && matches_pattern(b"a*b*c", b"axbybc"));
        assert!(matches_pattern(b"*", b"") && matches_pattern(b"", b"") && !matches_pattern(b"?", b""));
        assert!(!matches_pattern(b"web", b"we") && !matches_pattern(b"we", b"web"));
        assert!(!matches_pattern(b"a*b", b"axc"));
    }

    #[test]
    fn expressions() {
        let value = |name: &str| match name {
            "program_name" => Some(Value::Text("web")),
            "process_num" => Some(Value::Number(7)),
            _ => None,
        };
        let expand = |text| expand(text, &value);
        assert_eq!(expand("%(program_name)s-%(process_num)02d 100%%"), "web-07 100%");
        assert_eq!(expand("a %(ENV_X)s b"), format!("a {ANY} b"));
        assert_eq!(expand("%(process_num)d%(process_num)3d"), "7  7");
        assert_eq!(expand("%(process_num)32d"), format!("{:32}", 7), "the greatest width");
        for unknown in [
            "%(process_num)33d",
            "%(process_num)99d",
            "%(process_num)x",
            "%(program_name)5s",
            "%(program_name)d",
            "%(process_num)02s",
        ] {
            assert_eq!(expand(unknown), ANY.to_string(), "{unknown}");
        }
    }

    #[test]
    fn here_is_the_folder_of_the_file() {
        let sections = sections(b"[program:a]\ncommand=%(here)s/run\n", b"/srv");
        assert_eq!(sections.first().and_then(|one| one.get("command")), Some("/srv/run"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_expanded(text: String) {
            expand(&text, &|_| Some(Value::Number(1)));
            http_url(&text);
            tcp_port(&text);
        }
    }
}
