//! Command lines as they are met, and any other bytes.

use super::*;
use crate::os::internals_for_tests::process;
