//! The application that a program belongs to, by the layout of macOS applications: `Contents` in a folder whose name ends
//! in `.app`. The process is often a helper deep inside, whose name is not well known.

use crate::model::{Process, Text};

/// Returns the outermost application in a program's path: `Visual Studio Code` of
/// `/Applications/Visual Studio Code.app/Contents/Frameworks/Code Helper.app/Contents/MacOS/Code Helper`.
fn application(program: &Text) -> Option<Text> {
    let folders: Vec<&[u8]> = program.as_bytes().split(|byte| *byte == b'/').collect();
    let application = folders.windows(2).find_map(|pair| match pair {
        [folder, b"Contents"] => folder.strip_suffix(b".app"),
        _ => None,
    });
    application.filter(|name| !name.is_empty()).map(Text::from)
}

/// Returns the application of a process, if its name differs from the process's.
pub(super) fn application_of(process: &Process) -> Option<Text> {
    let application = application(process.executable.as_ref()?)?;
    let letters = |text: &Text| -> Vec<u8> {
        text.as_bytes().iter().filter(|byte| **byte != b' ').map(u8::to_ascii_lowercase).collect()
    };
    (letters(&application) != letters(&process.name)).then_some(application)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn label(path: &str) -> Option<String> {
        application(&path.into()).map(|name| name.to_string_lossy().into_owned())
    }

    #[test]
    fn the_application_that_is_known_by_its_name() {
        for (path, name) in [
            (
                "/Applications/Visual Studio Code.app/Contents/Frameworks/Code Helper (Plugin).app/Contents/MacOS/x",
                Some("Visual Studio Code"),
            ),
            ("/Applications/Docker.app/Contents/MacOS/com.docker.backend", Some("Docker")),
            (
                "/System/Library/CoreServices/ControlCenter.app/Contents/MacOS/ControlCenter",
                Some("ControlCenter"),
            ),
            ("/Users/dev/Applications/Postgres.app/Contents/Versions/16/bin/postgres", Some("Postgres")),
            ("/opt/homebrew/bin/node", None),
            ("/srv/shop.app/bin/server", None),
            ("/Applications/.app/Contents/MacOS/x", None),
            ("", None),
        ] {
            assert_eq!(label(path).as_deref(), name, "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_path_is_read(path in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Some(name) = application(&path.as_slice().into()) {
                prop_assert!(!name.as_bytes().contains(&b'/'));
            }
        }
    }
}
