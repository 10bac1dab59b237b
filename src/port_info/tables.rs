//! The rows that the build script (`build/main.rs`) made of `data/`: nothing here is written by hand.

use super::common_uses::Common;
use super::registry::Row;

include!(concat!(env!("OUT_DIR"), "/tables.rs"));
