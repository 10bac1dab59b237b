//! The rows that the build script (`build/main.rs`) made of `data/`: nothing here is written by hand.

use super::conventional::Common;
use super::registry::Row;

include!(concat!(env!("OUT_DIR"), "/tables.rs"));
