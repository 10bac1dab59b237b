//! Parses the output of `netsh http show servicestate view=requestq`: the programs for which the kernel's web server
//! (HTTP.sys) listens. Any program may register URLs there, while the socket belongs to the kernel. The output is in
//! the user's language and differs between versions; this parser reads what is the same in all: a queue of requests
//! begins at the margin, followed by the pids of its processes and its URLs.

use crate::model::Text;

/// A queue of requests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::os) struct Queue {
    /// The processes that take requests from the queue.
    pub(in crate::os) pids: Vec<u32>,
    /// The URLs whose requests enter the queue.
    pub(in crate::os) urls: Vec<Text>,
}

/// Returns the queues that serve a port, each with its URLs at that port.
pub(in crate::os) fn at_port(text: &[u8], port: u16) -> Vec<Queue> {
    let mut queues = queues(text);
    for queue in &mut queues {
        queue.urls.retain(|url| port_of(url.as_bytes()) == Some(port));
    }
    queues.retain(|queue| !queue.urls.is_empty());
    queues
}

fn queues(text: &[u8]) -> Vec<Queue> {
    let mut queues: Vec<Queue> = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        let content = line.trim_ascii();
        if content.is_empty() {
            continue;
        }
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            queues.push(Queue::default());
        }
        let Some(queue) = queues.last_mut() else { continue };
        if port_of(content).is_some() {
            let url = Text::from(content);
            if !queue.urls.contains(&url) {
                queue.urls.push(url);
            }
        } else if let Some(pid) = pid(content)
            && !queue.pids.contains(&pid)
        {
            queue.pids.push(pid);
        }
    }
    queues
}

/// Returns the pid in a line that has nothing else, or in a line such as `ID: 1440, image:
/// C:\Windows\System32\svchost.exe`, which newer versions print. Every other line with a number ends in it, or in its
/// unit.
fn pid(line: &[u8]) -> Option<u32> {
    let (labelled, from) = match line.iter().position(|byte| *byte == b':') {
        Some(colon) => (true, line.get(colon + 1..)?.trim_ascii_start()),
        None => (false, line),
    };
    let digits = from.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(from.len());
    let (number, rest) = from.split_at_checked(digits)?;
    let fits = match labelled {
        true => !rest.starts_with(b".") && rest.contains(&b':'),
        false => rest.is_empty(),
    };
    let pid: u32 = std::str::from_utf8(number).ok()?.parse().ok()?;
    (fits && pid != 0).then_some(pid)
}

/// Returns the port in a URL: `HTTP://+:5985/WSMAN/`, `HTTP://LOCALHOST:8000:127.0.0.1/`, `HTTPS://[::1]:443/`.
fn port_of(url: &[u8]) -> Option<u16> {
    let scheme = url.iter().position(|byte| *byte == b':')?;
    let known = url
        .get(..scheme)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https"));
    let place = url.get(scheme..)?.strip_prefix(b"://").filter(|_| known)?;
    let host = match place.first()? {
        b'[' => place.iter().position(|byte| *byte == b']')? + 1,
        _ => place.iter().position(|byte| matches!(byte, b':' | b'/'))?,
    };
    let behind = place.get(host..)?.strip_prefix(b":")?;
    let digits = behind.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(behind.len());
    std::str::from_utf8(behind.get(..digits)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As Windows 11 and Server 2022 print it.
    const NEW: &str = "\r\nSnapshot of HTTP service state (Request Queue View):\r\n\
        -----------------------------------------------------\r\n\r\n\
        Request queue name: Request queue is unnamed.\r\n    Version: 2.0\r\n    State: Active\r\n    \
        Request queue 503 verbosity level: Basic\r\n    Max requests: 1000\r\n    Active requests: 0\r\n    \
        Max queued request age: 0s\r\n    Number of active processes attached: 1\r\n    Processes:\r\n        \
        ID: 2688, image: C:\\Windows\\System32\\svchost.exe\r\n        Services: NcHostAgent\r\n        \
        Tagged Service: NcHostAgent\r\n    Registered URLs:\r\n        HTTPS://+:443/HOSTAGENT/VSWITCH/\r\n\r\n\
        Request queue name: DefaultAppPool\r\n    Version: 2.0\r\n    State: Active\r\n    \
        Number of active processes attached: 2\r\n    Controller process ID: 3408\r\n    Processes:\r\n        \
        ID: 4012, image: <?>\r\n        ID: 4013, image: C:\\1\\w3wp.exe\r\n    Registered URLs:\r\n        \
        HTTP://*:80/\r\n        HTTP://*:443:10.0.0.1/\r\n\r\n";

    /// As Windows 7 and Server 2008 print it.
    const OLD: &str = "\nSnapshot of HTTP service state (Request Queue View):\n---------------\n\n\
        Request queue name: Request queue is unnamed.\n    Version: 1.0\n    State: Active\n    \
        Max requests: 1000\n    Number of active processes attached: 1\n    Process IDs:\n        944\n\n    \
        URL groups:\n    URL group ID: FE00000040000001\n        State: Active\n        \
        Request queue name: Request queue is unnamed.\n        Properties:\n            \
        Max bandwidth: 4294967295\n            Timeouts:\n                Entity body timeout (secs): 120\n            \
        Number of registered URLs: 2\n            Registered URLs:\n                HTTP://+:5985/WSMAN/\n                \
        HTTP://+:47001/WSMAN/\n        Server session ID: FF00000020000001\n            Version: 1.0\n";

    fn queues_for_port(text: &[u8], port: u16) -> Vec<(Vec<u32>, Vec<String>)> {
        let shown = |queue: Queue| {
            (queue.pids, queue.urls.iter().map(|url| url.to_string_lossy().into_owned()).collect())
        };
        at_port(text, port).into_iter().map(shown).collect()
    }

    #[test]
    fn programs_and_their_addresses_in_both_forms() {
        let of = |pids: &[u32], url: &str| (pids.to_vec(), vec![url.to_owned()]);
        let both =
            [of(&[2688], "HTTPS://+:443/HOSTAGENT/VSWITCH/"), of(&[4012, 4013], "HTTP://*:443:10.0.0.1/")];
        assert_eq!(queues_for_port(NEW.as_bytes(), 443), both);
        assert_eq!(queues_for_port(NEW.as_bytes(), 80), [of(&[4012, 4013], "HTTP://*:80/")]);
        assert_eq!(queues_for_port(OLD.as_bytes(), 47001), [of(&[944], "HTTP://+:47001/WSMAN/")]);
        for (text, port) in [(NEW, 44), (NEW, 8080), (NEW, 1000), (OLD, 944), (OLD, 120), ("", 80)] {
            assert_eq!(queues_for_port(text.as_bytes(), port), []);
        }
    }

    #[test]
    fn no_word_of_a_language_is_read() {
        let german = "\r\nMomentaufnahme des HTTP-Dienststatus (Anforderungswarteschlangenansicht):\r\n-----\r\n\r\n\
            Anforderungswarteschlangenname: Unbenannt\r\n    Version: 2.0\r\n    \
            Maximale Anzahl von Anforderungen: 1000\r\n    Prozesse:\r\n        \
            ID: 1440, Abbild: C:\\Windows\\System32\\svchost.exe\r\n    Registrierte URLs:\r\n        \
            HTTP://+:5357/ABC/\r\n";
        assert_eq!(
            queues_for_port(german.as_bytes(), 5357),
            [(vec![1440], vec!["HTTP://+:5357/ABC/".to_owned()])]
        );
        // Letters that are none in UTF-8, and a space before the colon, as a French console has it.
        let french = b"Nom de la file d'attente de requ\x88tes : sans nom\n    Processus :\n        \
            ID : 77, image : C:\\\x90.exe\n    URL inscrites :\n        http://[::1]:8080/\n";
        assert_eq!(queues_for_port(french, 8080), [(vec![77], vec!["http://[::1]:8080/".to_owned()])]);
    }

    #[test]
    fn text_that_is_no_pid_and_repeated_pids() {
        let text = b"Queue: q\n    Processes:\n        ID: 0, image: C:\\a.exe\n        ID: 7, image: C:\\a.exe\n        \
            ID: 7, image: C:\\a.exe\n        10 more\n        0\n    Peer: 10.0.0.1:443\n    URLs:\n        \
            HTTP://+:80/A/\n        HTTP://+:80/A/\n";
        assert_eq!(queues_for_port(text, 80), [(vec![7], vec!["HTTP://+:80/A/".to_owned()])]);
    }

    #[test]
    fn ports_of_addresses() {
        for (url, port) in [
            ("HTTP://+:80/", Some(80)),
            ("https://a.example:8443/x:1/", Some(8443)),
            ("HTTP://LOCALHOST:8000:127.0.0.1/", Some(8000)),
            ("HTTP://[FE80::1]:81:[FE80::1]/", Some(81)),
            ("HTTP://+:65536/", None),
            ("HTTP://+/80", None),
            ("FTP://+:80/", None),
            ("HTTP:+:80/", None),
            ("HTTP://[::1/", None),
            ("HTTP://", None),
            ("", None),
        ] {
            assert_eq!(port_of(url.as_bytes()), port, "{url}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200), port: u16) {
            let _ = at_port(&bytes, port);
        }

        #[test]
        fn any_lines_are_read(text in "(HTTP://|[ :\\[\\]0-9/,+\n]|ID: ){0,60}", port: u16) {
            let _ = at_port(text.as_bytes(), port);
        }
    }
}
