//! The syntax of unit files (systemd.syntax(7), systemd.time(7)). Pure.

use std::time::Duration;

/// One assignment in a unit file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct Setting {
    pub(in crate::os) section: Vec<u8>,
    pub(in crate::os) key: Vec<u8>,
    /// Empty for an assignment that resets a list.
    pub(in crate::os) value: Vec<u8>,
}

/// Returns the assignments of a file in their order. A line that ends in a backslash goes on in the next one that is
/// no comment.
pub(in crate::os) fn settings(file: &[u8]) -> Vec<Setting> {
    let mut found = Vec::new();
    let mut section: &[u8] = b"";
    let mut whole: Vec<u8> = Vec::new();
    for line in file.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        if line.starts_with(b"#") || line.starts_with(b";") {
            continue;
        }
        if let Some(begun) = line.strip_suffix(b"\\") {
            whole.extend_from_slice(begun);
            whole.push(b' ');
            continue;
        }
        let joined = [std::mem::take(&mut whole).as_slice(), line].concat();
        if let Some(name) = line.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"))
            && joined.len() == line.len()
        {
            section = name;
            continue;
        }
        let Some(at) = joined.iter().position(|byte| *byte == b'=') else { continue };
        let (key, value) = joined.split_at(at);
        found.push(Setting {
            section: section.to_vec(),
            key: key.trim_ascii().to_vec(),
            value: value.get(1..).unwrap_or_default().trim_ascii().to_vec(),
        });
    }
    found
}

/// Returns whether a boolean is true (parse_boolean() in systemd's src/basic/parse-util.c also accepts one letter).
pub(in crate::os) fn is_true(value: &[u8]) -> bool {
    [&b"1"[..], b"y", b"yes", b"t", b"true", b"on"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}

/// Units of time in microseconds (systemd.time(7), "Parsing Time Spans").
const UNITS: [(&str, u64); 29] = [
    ("", 1_000_000),
    ("usec", 1),
    ("us", 1),
    ("µs", 1),
    ("μs", 1),
    ("msec", 1_000),
    ("ms", 1_000),
    ("seconds", 1_000_000),
    ("second", 1_000_000),
    ("sec", 1_000_000),
    ("s", 1_000_000),
    ("minutes", 60_000_000),
    ("minute", 60_000_000),
    ("min", 60_000_000),
    ("m", 60_000_000),
    ("hours", 3_600_000_000),
    ("hour", 3_600_000_000),
    ("hr", 3_600_000_000),
    ("h", 3_600_000_000),
    ("days", 86_400_000_000),
    ("day", 86_400_000_000),
    ("d", 86_400_000_000),
    ("weeks", 604_800_000_000),
    ("week", 604_800_000_000),
    ("w", 604_800_000_000),
    ("months", 2_629_800_000_000),
    ("month", 2_629_800_000_000),
    ("M", 2_629_800_000_000),
    ("y", 31_557_600_000_000),
];

/// Returns a time span: `5`, `1min 20s`, `1.5h`; `infinity` is `Duration::MAX`.
pub(in crate::os) fn time_span(value: &[u8]) -> Option<Duration> {
    let mut rest = std::str::from_utf8(value).ok()?.trim();
    if rest == "infinity" {
        return Some(Duration::MAX);
    }
    if rest.is_empty() {
        return None;
    }
    let mut whole: u64 = 0;
    while !rest.is_empty() {
        let number = rest.find(|character: char| !character.is_ascii_digit() && character != '.');
        let (number, after) = rest.split_at(number.unwrap_or(rest.len()));
        let after = after.trim_start();
        let unit = after.find(|character: char| character.is_ascii_digit() || character.is_whitespace());
        let (unit, left) = after.split_at(unit.unwrap_or(after.len()));
        let unit = if matches!(unit, "years" | "year") { "y" } else { unit };
        let (_, microseconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
        whole = whole.checked_add(scaled(number, *microseconds)?)?;
        rest = left.trim_start();
    }
    Some(Duration::from_micros(whole))
}

/// Returns a number such as `1.5`, multiplied by a unit.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().ok()?;
    let mut digit_is_worth = unit;
    let mut parts: u64 = 0;
    for digit in fraction.chars() {
        digit_is_worth /= 10;
        parts = parts.checked_add(u64::from(digit.to_digit(10)?) * digit_is_worth)?;
    }
    whole.checked_mul(unit)?.checked_add(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn assignments() {
        let file = b"outside=1\n[Section A]\nKeyOne=value 1\n  KeyTwo = value=2 \n# a=b\n; c=d\nnothing\n\
            [Section B]\nSetting=one \\\n# comment\n; too\n   two \\\n three\nEmpty=\nlast\\\n";
        let found = settings(file);
        let lines: Vec<String> = found
            .iter()
            .map(|it| {
                [&it.section, &it.key, &it.value]
                    .map(|part| String::from_utf8_lossy(part).into_owned())
                    .join("|")
            })
            .collect();
        assert_eq!(
            lines,
            [
                "|outside|1",
                "Section A|KeyOne|value 1",
                "Section A|KeyTwo|value=2",
                "Section B|Setting|one  two  three",
                "Section B|Empty|",
            ]
        );
    }

    #[test]
    fn a_continued_line_begins_no_section() {
        let found = settings(b"[Socket]\nListenStream=a \\\n[::1]\nAccept=no\n");
        let found: Vec<_> = found.iter().map(|it| (it.section.as_slice(), it.value.as_slice())).collect();
        assert_eq!(found, [(&b"Socket"[..], &b"a  [::1]"[..]), (b"Socket", b"no")]);
    }

    #[test]
    fn time_spans() {
        let milliseconds = |text: &str| time_span(text.as_bytes()).map(|span| span.as_millis());
        for (text, span) in [
            ("5", Some(5_000)),
            ("100ms", Some(100)),
            ("2min 200ms", Some(120_200)),
            ("55s500ms", Some(55_500)),
            ("300ms20s 5day", Some(432_020_300)),
            ("2 h", Some(7_200_000)),
            ("1.5s", Some(1_500)),
            ("0.5", Some(500)),
            ("1y 12month", Some(63_115_200_000)),
            ("1year", Some(31_557_600_000)),
            ("0", Some(0)),
            ("", None),
            ("s", None),
            ("-1", None),
            ("1parsec", None),
            ("1..5s", None),
            ("99999999999999999999", None),
            ("99999999999y", None),
        ] {
            assert_eq!(milliseconds(text), span, "{text}");
        }
        assert_eq!(time_span(b"infinity"), Some(Duration::MAX));
    }

    #[test]
    fn booleans() {
        assert!(["1", "yes", "True", "on", "Y"].iter().all(|text| is_true(text.as_bytes())));
        assert!(!["0", "no", "", "2"].iter().any(|text| is_true(text.as_bytes())));
    }

    proptest! {
        #[test]
        fn any_bytes(bytes: Vec<u8>) {
            let _ = (settings(&bytes), time_span(&bytes));
        }

        #[test]
        fn any_text(text in "[0-9.smhdy infit]{0,12}") {
            let _ = time_span(text.as_bytes());
        }

        #[test]
        fn what_is_written_is_read(key in "[A-Za-z]{1,8}", value in "[a-z0-9]{0,8}") {
            let file = format!("[Service]\n{key}={value}\n");
            let wanted = Setting { section: b"Service".to_vec(), key: key.into(), value: value.into() };
            prop_assert_eq!(settings(file.as_bytes()), [wanted]);
        }
    }
}
