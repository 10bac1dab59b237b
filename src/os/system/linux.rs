//! The identity of Linux.

use crate::model::System;

/// Linux.
pub(in crate::os) const SYSTEM: System = System::Linux;
