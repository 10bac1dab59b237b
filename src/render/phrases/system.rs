//! Operating systems.

use std::borrow::Cow;

use crate::model::System;
use crate::render::escape::escape;

/// Returns the name of a system as its maker writes it: `macOS`.
pub(crate) fn system(system: &System) -> Cow<'static, str> {
    Cow::Borrowed(match system {
        System::Linux => "Linux",
        System::Macos => "macOS",
        System::Windows => "Windows",
        System::Other(name) => return Cow::Owned(escape(name)),
    })
}
