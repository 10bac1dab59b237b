//! Users: names, the user of this process, and its privileges.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod sys;

use std::collections::BTreeMap;

use crate::model::{Listener, Text};

#[cfg(any(target_os = "linux", target_os = "macos"))]
pub(in crate::os) use sys::home;
#[cfg(windows)]
pub(in crate::os) use sys::name_of_sid;
pub(crate) use sys::path_for_rights;
pub(crate) use sys::with_rights;
pub(in crate::os) use sys::{exists, name, own};

/// Gives users their names.
pub(crate) fn name_users(listeners: &mut [Listener]) {
    let mut names: BTreeMap<u32, Option<Text>> = BTreeMap::new();
    let mut name = |uid: Option<u32>, user: &mut Option<Text>| {
        if let (Some(uid), None) = (uid, &user) {
            *user = names.entry(uid).or_insert_with(|| name(uid)).clone();
        }
    };
    for listener in listeners {
        name(listener.socket.uid, &mut listener.socket.user);
        for holder in &mut listener.holders {
            name(holder.process.uid, &mut holder.process.user);
        }
    }
}

/// A user's name, where users are numbers.
pub(crate) fn user_name(uid: u32) -> Option<Text> {
    name(uid)
}

/// Whether this machine knows a user of that name.
pub(crate) fn user_exists(name: &str) -> bool {
    exists(name)
}

/// The user this process runs as, where users are numbers.
pub(crate) fn own_uid() -> Option<u32> {
    own()
}

/// Whether this process has full rights: root, or elevated on Windows.
pub(crate) fn privileged() -> bool {
    sys::privileged()
}
