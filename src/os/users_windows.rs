//! User names on Windows, where users are not numbers: names come with the process.

use crate::Text;

/// Users have no numbers here.
pub(super) fn name(_uid: u32) -> Option<Text> {
    None
}

/// Whether there is a local user of that name.
pub(super) fn exists(name: &str) -> bool {
    let users = sysinfo::Users::new_with_refreshed_list();
    users.is_ok_and(|users| users.iter().any(|user| user.name().eq_ignore_ascii_case(name)))
}

/// Users have no numbers here.
#[cfg(feature = "cli")]
pub(super) fn own() -> Option<u32> {
    None
}
