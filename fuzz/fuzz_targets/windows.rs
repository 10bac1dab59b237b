//! Text that netsh prints, in any language, and the buffer of Windows' service manager. The first byte selects the parser.
#![no_main]

use allears::Family;
use allears::internals::system;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 4 {
        0 => excluded(bytes),
        1 => dynamic(bytes),
        2 => http(bytes),
        _ => services(bytes),
    }
});

fn excluded(bytes: &[u8]) {
    let ranges = system::excluded_ranges(bytes, Family::Ipv6);
    assert!(ranges.len() <= bytes.split(|byte| *byte == b'\n').count());
    let mut written =
        String::from("Protokoll tcp-Portausschlussbereiche\r\n\r\nStartport    Endport\r\n---- ----\r\n");
    for (ports, administered) in &ranges {
        assert!(ports.start() <= ports.end());
        let star = if *administered { "     *" } else { "" };
        written.push_str(&format!("{:>10}  {:>10}{star}\r\n", ports.start(), ports.end()));
    }
    written.push_str("\r\n* - Verwaltete Portausschlüsse.\r\n");
    assert_eq!(system::excluded_ranges(written.as_bytes(), Family::Ipv6), ranges);
}

fn dynamic(bytes: &[u8]) {
    let Some(range) = system::dynamic_range(bytes) else { return };
    assert!(range.start() <= range.end());
    let count = u32::from(*range.end()) - u32::from(*range.start()) + 1;
    let written = format!(
        "\r\nProtocole tcp\r\n-----\r\nPort de début : {}\r\nNombre de ports : {count}\r\n",
        range.start()
    );
    assert_eq!(system::dynamic_range(written.as_bytes()), Some(range));
}

fn http(bytes: &[u8]) {
    let Some((port, bytes)) = bytes.split_first_chunk() else { return };
    let port = u16::from_be_bytes(*port);
    let queues = system::http_queues(bytes, port);
    let mut written = String::from("Snapshot of HTTP service state (Request Queue View):\r\n-----\r\n\r\n");
    for (pids, urls) in &queues {
        assert!(!urls.is_empty() && pids.iter().all(|pid| *pid != 0));
        written.push_str("Request queue name: q\r\n    Processes:\r\n");
        for pid in pids {
            written.push_str(&format!("        ID: {pid}, image: C:\\x.exe\r\n"));
        }
        written.push_str("    Registered URLs:\r\n");
        for url in urls {
            let Some(url) = url.as_str() else { return };
            assert!(url.contains(&port.to_string()) || url.contains(":0"), "{url}");
            written.push_str(&format!("        {url}\r\n"));
        }
        written.push_str("\r\n");
    }
    assert_eq!(system::http_queues(written.as_bytes(), port), queues);
}

/// The first bytes say where the buffer begins and how many entries it has.
fn services(bytes: &[u8]) {
    let Some(([begins, count], bytes)) = bytes.split_first_chunk() else { return };
    let (begins, count) = (usize::from(*begins) << 8, usize::from(*count));
    let found = system::services_by_pid(bytes, begins, count);
    assert!(found.values().map(Vec::len).sum::<usize>() <= count);
    assert!(found.iter().all(|(pid, names)| *pid != 0 && !names.is_empty()));
}
