//! Unit files of systemd, time spans in them, and what is made of a unit's name.
#![no_main]

use std::time::Duration;

use allears::Text;
use allears::internals::system;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    file(bytes);
    span(bytes);
    name(bytes);
});

fn file(bytes: &[u8]) {
    // An empty line ends what a backslash at the end of the file would continue.
    let apart = [bytes, b"\n\n"].concat();
    let settings = system::unit_settings(&apart);
    let mut written = Vec::new();
    for (section, key, value) in &settings {
        assert_eq!((key.trim_ascii(), value.trim_ascii()), (&key[..], &value[..]));
        assert!(![section, key, value].iter().any(|part| part.contains(&b'\n')));
        assert!(!key.contains(&b'='));
        // Lines that mean something else if they are written alone: a continued one, a comment, a section, and an
        // assignment before the first section.
        let alone = [key, &b"="[..], value].concat();
        if alone.ends_with(b"\\")
            || alone.starts_with(b"#")
            || alone.starts_with(b";")
            || alone.starts_with(b"[")
        {
            return;
        }
        written.extend([b"[", &section[..], b"]\n# comment\n", &alone, b"\n"].concat());
    }
    assert_eq!(system::unit_settings(&written), settings);
    // What stands behind a file adds to it and changes nothing.
    let both = system::unit_settings(&[&apart[..], b"; comment\n[Install]\nAlias=a \\\n b\n"].concat());
    let (last, before) = both.split_last().expect("an assignment");
    assert_eq!(before, settings);
    assert_eq!(*last, (b"Install".to_vec(), b"Alias".to_vec(), b"a  b".to_vec()));
}

fn span(bytes: &[u8]) {
    let Some(span) = system::unit_time_span(bytes) else { return };
    if span == Duration::MAX {
        return;
    }
    assert_eq!(system::unit_time_span(format!("{}us", span.as_micros()).as_bytes()), Some(span));
    let (seconds, rest) = (span.as_secs(), span.subsec_micros());
    assert_eq!(system::unit_time_span(format!("{seconds}.{rest:06}").as_bytes()), Some(span));
    assert_eq!(system::unit_time_span(format!("{rest} us {seconds}s").as_bytes()), Some(span));
}

fn name(bytes: &[u8]) {
    let unit = Text::from(bytes);
    let object = system::unit_object(&unit);
    let own = object.strip_prefix("/org/freedesktop/systemd1/unit/").expect("a unit's object");
    assert!(own.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{object}");
    assert!(!own.starts_with(|first: char| first.is_ascii_digit()), "{object}");
    assert_eq!(undone(own), bytes, "two units have one object");
    if let Some(template) = system::socket_template(&unit) {
        let stem = template.as_bytes().strip_suffix(b"@.service").expect("a template of a service");
        assert!(bytes.ends_with(b".socket") && bytes.starts_with(stem) && !stem.contains(&b'@'));
    }
}

/// The name that an object's path was made of.
fn undone(path: &str) -> Vec<u8> {
    let mut name = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'_' {
            name.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).expect("two digits follow");
        rest = after;
        let digits = std::str::from_utf8(digits).expect("hexadecimal digits");
        name.push(u8::from_str_radix(digits, 16).expect("hexadecimal digits"));
    }
    name
}
