//! The rows that the build script (`build/main.rs`) generates from `data/`.

/// A row of the registry: first port, a bit for each of [`PROTOCOLS`](super::PROTOCOLS), length of the name, and the offset in [`TEXT`] at which name and description
/// begin (24 bits) with the description's length (8 bits).
#[derive(Clone, Copy)]
pub(super) struct Row(pub(super) u16, pub(super) u8, pub(super) u8, pub(super) u32);

/// A row of the common uses.
pub(super) struct UseRow {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) protocols: u8,
    /// Tool, platform, category, note, status and programs, with tabs between.
    pub(super) text: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/tables.rs"));
