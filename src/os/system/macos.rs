//! The identity of macOS.

use crate::model::System;

/// macOS.
pub(in crate::os) const SYSTEM: System = System::Macos;
