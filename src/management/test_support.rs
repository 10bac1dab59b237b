//! Services, containers and command lines for tests.

use crate::model::{Container, Service, Text};

/// The id of [`container`].
pub(crate) const CONTAINER_ID: &str = "4f1d5a0c9b7e83264f1d5a0c9b7e83264f1d5a0c9b7e83264f1d5a0c9b7e8326";

/// Returns a unit of the system's systemd.
pub(crate) fn system_unit(name: &str) -> Service {
    Service {
        manager: "systemd".into(),
        name: name.into(),
        scope: "system".into(),
        uid: None,
        activates: None,
    }
}

/// Returns a unit of a user's systemd.
pub(crate) fn user_unit(name: &str, uid: u32) -> Service {
    Service { scope: "user".into(), uid: Some(uid), ..system_unit(name) }
}

/// Returns a container of the system's engine.
pub(crate) fn container(runtime: &str, name: &str) -> Container {
    Container {
        runtime: runtime.into(),
        id: CONTAINER_ID.into(),
        uid: None,
        name: Some(name.into()),
        image: None,
        port: None,
        compose: None,
    }
}

/// Returns the words of a command with blanks between them. Empty without a command.
pub(crate) fn line(words: Option<Vec<Text>>) -> String {
    let words = words.unwrap_or_default();
    words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
