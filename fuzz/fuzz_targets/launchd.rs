//! The table that launchctl prints, and property lists of jobs.
#![no_main]

use std::net::IpAddr;

use allears::internals::system::{self, LaunchdJob};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    table(bytes);
    job(bytes);
});

fn table(bytes: &[u8]) {
    let labels = system::launchd_labels(bytes);
    assert!(labels.len() <= bytes.split(|byte| *byte == b'\n').count());
    let mut written = b"PID\tStatus\tLabel\n-\t0\tcom.example.waits\n".to_vec();
    for (pid, label) in &labels {
        assert!(!label.is_empty() && !label.as_bytes().contains(&b'\n'));
        written.extend([format!("{pid}\t0\t").as_bytes(), label.as_bytes(), b"\n"].concat());
    }
    assert_eq!(system::launchd_labels(&written), labels);
}

fn job(bytes: &[u8]) {
    let Some(job) = LaunchdJob::read(bytes) else { return };
    assert!(!job.label().is_empty());
    let jobs = [job.clone(), job.clone()];
    for address in ["0.0.0.0", "::", "127.0.0.1", "::1", "10.0.0.1"] {
        let address: IpAddr = address.parse().expect("an address");
        for port in [22, 80, 443, 631, 5900, 8080] {
            let sockets = system::sockets_at(address, port);
            for socket in &sockets {
                // One job is the answer however often it asks, and none where another asks for the same.
                let label = LaunchdJob::label_of(socket, &jobs);
                assert!(label.is_none_or(|label| label == job.label()));
                assert_eq!(label, LaunchdJob::label_of(socket, &jobs[..1]));
            }
            // A declared socket is of one protocol.
            assert_eq!(sockets.len(), 2);
        }
    }
}
