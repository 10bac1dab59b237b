//! What users write: a list of targets, and what `lsof -i` takes. A refusal names the part and fits on a line.
#![no_main]

use allears::{Target, TargetError, internals};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for read in [Target::parse_list(text), Target::parse_lsof(text)] {
        match read {
            Ok(targets) => targets.iter().for_each(check),
            Err(error) => refused(&error),
        }
    }
});

fn check(target: &Target) {
    let (first, last) = target.ports().into_inner();
    assert!(first > 0 && first <= last, "{target:?}");
    assert_eq!(target.single_port().is_some(), first == last && !target.is_unix(), "{target:?}");
    let shown = target.to_string();
    assert!(!shown.is_empty() && internals::is_inert(&shown), "{shown:?}");
}

fn refused(error: &TargetError) {
    for shown in [error.to_string(), error.help().to_owned()] {
        assert!(!shown.is_empty() && internals::is_inert(&shown), "{shown:?}");
    }
}
