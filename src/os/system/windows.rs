//! The identity of Windows.

use crate::model::System;

/// Windows.
pub(in crate::os) const SYSTEM: System = System::Windows;
