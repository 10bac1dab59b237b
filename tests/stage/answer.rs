//! The JSON document as tests ask it: listeners, holders, pids, with the whole run shown on failure.

use super::look::Seen;
use serde_json::Value;

/// A document and the run that gave it.
pub(crate) struct Answer {
    pub(crate) seen: Seen,
    pub(crate) document: Value,
}

impl Answer {
    /// Reads standard output of a run.
    #[track_caller]
    pub(crate) fn of(seen: Seen) -> Self {
        match serde_json::from_slice(&seen.stdout) {
            Ok(document) => Self { seen, document },
            Err(error) => seen.fail(&format!("standard output is not one JSON document: {error}")),
        }
    }

    /// All listeners, in the order given.
    #[track_caller]
    pub(crate) fn listeners(&self) -> &[Value] {
        match self.document.get("listeners").and_then(Value::as_array) {
            Some(listeners) => listeners,
            None => self.seen.fail("no array `listeners`"),
        }
    }

    /// The listener, where there must be exactly one.
    #[track_caller]
    pub(crate) fn only(&self) -> &Value {
        match self.listeners() {
            [one] => one,
            more => self.seen.fail(&format!("{} listeners where there is one", more.len())),
        }
    }

    /// The one listener with this inode.
    #[track_caller]
    pub(crate) fn by_inode(&self, inode: u64) -> &Value {
        let mut found = self.listeners().iter().filter(|listener| listener["inode"] == inode);
        match (found.next(), found.next()) {
            (Some(one), None) => one,
            _ => self.seen.fail(&format!("not one listener with inode {inode}")),
        }
    }

    /// Addresses of all listeners, in the order given.
    pub(crate) fn addresses(&self) -> Vec<&str> {
        self.listeners().iter().filter_map(|listener| listener["address"].as_str()).collect()
    }

    /// The one holder of a listener.
    #[track_caller]
    pub(crate) fn only_holder<'a>(&self, listener: &'a Value) -> &'a Value {
        match holders(listener) {
            [one] => one,
            more => self.seen.fail(&format!("{} holders where there is one", more.len())),
        }
    }
}

/// A listener's holders.
pub(crate) fn holders(listener: &Value) -> &[Value] {
    listener["holders"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Pids of a listener's holders, in the order given.
pub(crate) fn pids(listener: &Value) -> Vec<u32> {
    holders(listener).iter().filter_map(|holder| u32::try_from(holder["pid"].as_u64()?).ok()).collect()
}

/// What base64 stands for; nothing where it is none.
pub(crate) fn decoded(value: &Value) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap_or_default()).unwrap_or_default()
}
