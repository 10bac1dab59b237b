//! The names of network interfaces.

use std::collections::BTreeMap;
use std::io;

use rustix::net::{AddressFamily, SocketFlags, SocketType, netdevice, socket_with};

use crate::model::Text;

/// The names of the network interfaces in this thread's namespace.
#[derive(Default)]
pub(super) struct Interfaces(BTreeMap<u32, Text>);

impl Interfaces {
    /// Returns an interface's name, or its index if it is gone.
    pub(super) fn name(&mut self, index: u32) -> Text {
        self.0
            .entry(index)
            .or_insert_with(|| name(index).unwrap_or_else(|_| index.to_string().as_str().into()))
            .clone()
    }
}

/// Returns the name of an interface.
fn name(index: u32) -> io::Result<Text> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    Ok(netdevice::index_to_name(&socket, index)?.as_str().into())
}
