//! The kernel's type information: any bytes, and whole files with some of them changed (in the seeds).
#![no_main]

use allears::internals::system;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    system::type_information(bytes);
});
