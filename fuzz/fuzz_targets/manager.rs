//! Messages of a service manager, in the wire format of D-Bus: any bytes.
#![no_main]

use allears::internals::system;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (length, read) = system::manager_message(bytes);
    // Nothing is read of a message that is not there as a whole.
    assert!(!read || length.is_some_and(|length| length <= bytes.len()));
});
