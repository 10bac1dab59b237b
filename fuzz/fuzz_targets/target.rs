//! Targets as users write them: a list, and the form of `lsof -i`. A snapshot keeps every target that is understood, and
//! an error is text that a terminal only shows.
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
    assert_eq!(internals::target_of_its_parts(target).as_ref(), Some(target));
}

fn refused(error: &TargetError) {
    for shown in [error.to_string(), error.help().to_owned()] {
        assert!(!shown.is_empty() && internals::is_inert(&shown), "{shown:?}");
    }
}
