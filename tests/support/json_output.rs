//! The JSON document of a run: its listeners, holders and pids. A failing assertion shows the whole run.

use super::Output;
use serde_json::Value;
use std::fmt::Debug;

/// A JSON document, and the run that printed it.
pub(crate) struct JsonOutput {
    pub(crate) output: Output,
    pub(crate) document: Value,
}

impl JsonOutput {
    /// Parses the standard output of a run.
    #[track_caller]
    pub(crate) fn parse(output: Output) -> Self {
        match serde_json::from_slice(&output.stdout) {
            Ok(document) => Self { output, document },
            Err(error) => output.fail(&format!("standard output is not one JSON document: {error}")),
        }
    }

    /// Asserts that the two are equal. A failure shows the whole run.
    #[track_caller]
    pub(crate) fn assert_eq<A: Debug + PartialEq<B>, B: Debug>(&self, got: A, wanted: B, what: &str) {
        self.output.assert_eq(got, wanted, what);
    }

    /// Asserts that `holds` is true. A failure shows the whole run.
    #[track_caller]
    pub(crate) fn assert(&self, holds: bool, what: &str) {
        self.output.assert(holds, what);
    }

    /// Fails the test, and shows the whole run.
    #[track_caller]
    pub(crate) fn fail(&self, what: &str) -> ! {
        self.output.fail(what)
    }

    /// Returns all listeners in their order.
    #[track_caller]
    pub(crate) fn listeners(&self) -> &[Value] {
        match self.document.get("listeners").and_then(Value::as_array) {
            Some(listeners) => listeners,
            None => self.fail("no array `listeners`"),
        }
    }

    /// Returns the only listener; it fails if there are none or several.
    #[track_caller]
    pub(crate) fn only(&self) -> &Value {
        match self.listeners() {
            [one] => one,
            more => self.fail(&format!("{} listeners instead of one", more.len())),
        }
    }

    /// Returns the only listener with this inode.
    #[track_caller]
    pub(crate) fn by_inode(&self, inode: u64) -> &Value {
        let mut found = self.listeners().iter().filter(|listener| listener["inode"] == inode);
        match (found.next(), found.next()) {
            (Some(one), None) => one,
            _ => self.fail(&format!("not one listener with inode {inode}")),
        }
    }

    /// Returns the addresses of all listeners in their order.
    pub(crate) fn addresses(&self) -> Vec<&str> {
        self.listeners().iter().filter_map(|listener| listener["address"].as_str()).collect()
    }

    /// Returns the gaps about this topic.
    pub(crate) fn gaps(&self, what: &str) -> Vec<&Value> {
        let gaps = self.document["gaps"].as_array().map(Vec::as_slice).unwrap_or_default();
        gaps.iter().filter(|gap| gap["what"] == what).collect()
    }

    /// Returns the only holder of a listener.
    #[track_caller]
    pub(crate) fn only_holder<'a>(&self, listener: &'a Value) -> &'a Value {
        match holders(listener) {
            [one] => one,
            more => self.fail(&format!("{} holders instead of one", more.len())),
        }
    }
}

/// Returns the holders of a listener.
pub(crate) fn holders(listener: &Value) -> &[Value] {
    listener["holders"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Returns the pids of a listener's holders in their order.
pub(crate) fn pids(listener: &Value) -> Vec<u32> {
    holders(listener).iter().filter_map(|holder| u32::try_from(holder["pid"].as_u64()?).ok()).collect()
}

/// Decodes base64; empty if `value` is none.
pub(crate) fn decode_base64(value: &Value) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap_or_default()).unwrap_or_default()
}
