//! The rows that the build script (`build/main.rs`) generates from `data/`.

use super::common_uses::Common;
use super::registry::Row;

include!(concat!(env!("OUT_DIR"), "/tables.rs"));
