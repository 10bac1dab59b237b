//! The names of systemd's units. Pure. Every unit name that is printed or passed to systemctl is checked here.

/// The longest name, with its suffix (UNIT_NAME_MAX counts the NUL byte: src/basic/unit-name.h of systemd 252).
const LONGEST: usize = 255;

/// The suffixes of units (systemd.unit(5)), without the dot.
const SUFFIXES: [(&[u8], UnitKind); 11] = [
    (b"service", UnitKind::Service),
    (b"socket", UnitKind::Socket),
    (b"scope", UnitKind::Scope),
    (b"slice", UnitKind::Slice),
    (b"target", UnitKind::Other),
    (b"device", UnitKind::Other),
    (b"mount", UnitKind::Other),
    (b"automount", UnitKind::Other),
    (b"swap", UnitKind::Other),
    (b"timer", UnitKind::Other),
    (b"path", UnitKind::Other),
];

/// The kind of a unit, by its suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnitKind {
    Service,
    Socket,
    Scope,
    Slice,
    Other,
}

/// Returns the kind of a unit that can run: plain (`x.service`) or an instance (`x@1.service`). `None` for a template
/// (`x@.service`) and for what is not the name of a unit.
///
/// The rules are those of systemd's unit_name_is_valid() (src/basic/unit-name.c, alike in 252 and 257): at most 255
/// bytes; a known suffix after the last dot; before it at least one byte, only ASCII letters and digits and `:-_.\@`;
/// the first `@` begins the instance and is not the first byte. A hyphen may come first, so a name can look like an
/// option. No character of a glob (`*?[`) is valid, and a backslash is not one to systemctl.
pub(crate) fn runnable(name: &[u8]) -> Option<UnitKind> {
    let (kind, stem) = split(name)?;
    match stem.iter().position(|byte| *byte == b'@') {
        Some(0) => None,
        Some(at) if at + 1 == stem.len() => None,
        _ => Some(kind),
    }
}

fn split(name: &[u8]) -> Option<(UnitKind, &[u8])> {
    let dot = name.iter().rposition(|byte| *byte == b'.').filter(|_| name.len() <= LONGEST)?;
    let (stem, suffix) = (name.get(..dot)?, name.get(dot + 1..)?);
    let (_, kind) = SUFFIXES.iter().find(|(known, _)| *known == suffix)?;
    let valid = |byte: &u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(byte);
    (!stem.is_empty() && stem.iter().all(valid)).then_some((*kind, stem))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_by_systemds_grammar() {
        for (name, kind) in [
            ("nginx.service", Some(UnitKind::Service)),
            ("postgresql@15-main.service", Some(UnitKind::Service)),
            (r"a\x2db@c\x2fd.service", Some(UnitKind::Service)),
            ("org.gnome.Shell@wayland.service", Some(UnitKind::Service)),
            ("dbus-:1.2-org.x@0.service", Some(UnitKind::Service)),
            ("a@b@c.service", Some(UnitKind::Service)),
            ("--no-block.service", Some(UnitKind::Service)),
            ("-.slice", Some(UnitKind::Slice)),
            ("cups.socket", Some(UnitKind::Socket)),
            ("session-3.scope", Some(UnitKind::Scope)),
            ("x.timer", Some(UnitKind::Other)),
            ("getty@.service", None),
            ("@x.service", None),
            (".service", None),
            ("service", None),
            ("x.services", None),
            ("x.Service", None),
            ("web*.service", None),
            ("web?.service", None),
            ("[a].service", None),
            ("a;b.service", None),
            ("a b.service", None),
            ("a/b.service", None),
            ("a\n.service", None),
            ("größe.service", None),
            ("", None),
        ] {
            assert_eq!(runnable(name.as_bytes()), kind, "{name}");
        }
        let long = |length: usize| format!("{}.service", "x".repeat(length - ".service".len()));
        assert_eq!(runnable(long(255).as_bytes()), Some(UnitKind::Service));
        assert_eq!(runnable(long(256).as_bytes()), None);
    }

    proptest! {
        #[test]
        fn a_runnable_name_is_one_word_and_no_glob(name: Vec<u8>) {
            if runnable(&name).is_some() {
                prop_assert!(name.iter().all(|byte| byte.is_ascii_graphic() && !b"*?[]/'\"$`;&|<>".contains(byte)));
            }
        }

        #[test]
        fn what_is_made_of_valid_parts_is_valid(stem in "[a-zA-Z0-9:_.\\\\-]{1,40}", instance in "(@[a-zA-Z0-9:_.\\\\@-]{1,40})?") {
            let name = format!("{stem}{instance}.service");
            prop_assert_eq!(runnable(name.as_bytes()), Some(UnitKind::Service));
        }
    }
}
