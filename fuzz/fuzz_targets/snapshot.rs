//! Saved snapshots, as `--from` reads them. One that is read is written and read again with nothing lost, and no
//! rendering of it does anything to a terminal.
#![no_main]

use allears::render::json;
use allears::{Query, Snapshot, internals};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let read = json::read(bytes).ok();
    // Long files are read a listener at a time, with the same result.
    assert_eq!(internals::read_long_document(bytes), read);
    let Some(snapshot) = read else { return };
    let written = rendered(&snapshot, |snapshot, out| json::write(snapshot, out));
    let again = json::read(written.as_bytes()).expect("what was written can be read");
    assert_eq!(again, snapshot);
    rendered(&snapshot, |snapshot, out| json::write_lines(snapshot, out));
    rendered(&snapshot, |snapshot, out| internals::csv(snapshot, out));
    for width in [None, Some(1), Some(20), Some(100)] {
        rendered(&snapshot, |snapshot, out| internals::table(snapshot, width, out));
        rendered(&snapshot, |snapshot, out| internals::card(snapshot, width, out));
    }
    let compared = allears::compare(&snapshot, &again);
    assert!(compared.changes.is_empty() && compared.same_machine && compared.same_query);
    let mut none = snapshot.clone();
    none.listeners.clear();
    for (old, new) in [(&snapshot, &none), (&none, &snapshot)] {
        assert_eq!(allears::changes(old, new).len(), snapshot.listeners.len());
        rendered(old, |old, out| internals::changes(old, new, out));
    }
    for query in [Query::new().all(true), Query::new().exposed(true).pid(1), Query::new().command("a")] {
        let selected = query.selection().apply(snapshot.clone());
        assert!(selected.listeners.len() <= snapshot.listeners.len());
    }
});

fn rendered(snapshot: &Snapshot, render: impl Fn(&Snapshot, &mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    render(snapshot, &mut out).expect("memory takes everything");
    let text = String::from_utf8(out).expect("every rendering is UTF-8");
    assert!(internals::is_inert(&text), "{text:?}");
    text
}
