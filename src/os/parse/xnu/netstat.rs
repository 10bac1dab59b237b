//! Parses the internet sockets in the output of `netstat -anv` of macOS: addresses, states, pids and numbers of control
//! blocks. Names of processes are skipped. Pure: nothing is run here.
//!
//! The header names the columns. Until macOS 15 a row has `pid` and `epid`, two numbers; later versions have one column
//! `process:pid`, whose name may contain spaces and colons (layouts: public reports, such as sindresorhus/pid-port
//! #14). A long address is cut to the width of its column; such a row is counted and not used.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::model::{Endpoint, Protocol, Socket, State, Text};

/// A socket as netstat prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct Row {
    pub(in crate::os) socket: Socket,
    /// The process that used it last; 0 is the kernel.
    pub(in crate::os) pid: Option<u32>,
    /// The number of its control block. `None` in layouts without the column `gencnt`.
    pub(in crate::os) generation: Option<u64>,
}

/// The parsed output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::os) struct NetstatOutput {
    pub(in crate::os) rows: Vec<Row>,
    /// The number of rows of internet sockets that could not be read.
    pub(in crate::os) unread: usize,
}

/// The positions of the columns that are read, counted in words.
#[derive(Debug, Clone, Copy)]
struct Columns {
    /// The number of words between the state and the process.
    before: usize,
    /// The position of the number of the control block, counted from the process.
    generation: Option<usize>,
}

/// Parses the rows of internet sockets. Other sections are skipped.
pub(in crate::os) fn parse(text: &[u8]) -> NetstatOutput {
    let mut printed = NetstatOutput::default();
    let mut columns = None;
    for line in text.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words.first() {
            Some(&"Proto") => columns = header(&words),
            // The header of each section follows its title.
            Some(&"Active") => columns = None,
            Some(first) if line.starts_with(first) && family(first).is_some() => {
                match columns.map(|columns| row(&words, columns)) {
                    Some(Some(Some(row))) => printed.rows.push(row),
                    // A socket that has no port yet.
                    Some(Some(None)) => {}
                    _ => printed.unread += 1,
                }
            }
            _ => {}
        }
    }
    printed
}

fn header(words: &[&str]) -> Option<Columns> {
    let state = words.iter().position(|word| *word == "(state)")?;
    let process = words.iter().position(|word| matches!(*word, "process:pid" | "pid"))?;
    // Versions have been reported that print the header `pid epid` above rows with the merged column.
    let last = if words.get(process + 1) == Some(&"epid") { process + 1 } else { process };
    let generation = words.iter().position(|word| *word == "gencnt");
    Some(Columns {
        before: process.checked_sub(state + 1)?,
        generation: generation.and_then(|at| at.checked_sub(last)),
    })
}

/// Returns the protocol and the families of `tcp46`.
fn family(word: &str) -> Option<(Protocol, bool, bool)> {
    let (protocol, families) = match word.split_at_checked(3)? {
        ("tcp", families) => (Protocol::Tcp, families),
        ("udp", families) => (Protocol::Udp, families),
        _ => return None,
    };
    match families {
        "4" => Some((protocol, true, false)),
        "6" => Some((protocol, false, true)),
        "46" => Some((protocol, true, true)),
        _ => None,
    }
}

/// Parses a row. `None` if it cannot be read, `Some(None)` for a socket without a port.
fn row(words: &[&str], columns: Columns) -> Option<Option<Row>> {
    let (protocol, ipv4, ipv6) = family(words.first()?)?;
    let (local, foreign) = (words.get(3)?, words.get(4)?);
    let state = words.get(5).filter(|word| word.starts_with(|first: char| first.is_ascii_uppercase()));
    let rest = words.get(if state.is_some() { 6 } else { 5 }..)?;
    let (before, rest) = rest.split_at_checked(columns.before)?;
    if !before.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    let (pid, last) = process(rest)?;
    let generation = columns.generation.and_then(|after| rest.get(last + after));
    let generation = match generation {
        Some(number) => Some(u64::from_str_radix(number, 16).ok()?),
        None => None,
    };
    let (Some((address, interface)), Some(port)) = endpoint(local, ipv6)? else { return Some(None) };
    let peer = match endpoint(foreign, ipv6)? {
        (Some((address, _)), Some(port)) => Some(SocketAddr::new(address, port)),
        _ => None,
    };
    let state = match (protocol, state) {
        (Protocol::Udp, _) if peer.is_some() => State::Established,
        (Protocol::Udp, _) => State::Bound,
        (_, Some(name)) => state_of(name, peer.is_some()),
        (_, None) => State::Unknown,
    };
    let mut socket = Socket::new(protocol, Endpoint::Ip { address, port, interface }, state);
    socket.peer = peer;
    if address.is_ipv6() {
        socket.dual_stack = Some(ipv4 && ipv6);
    }
    Some(Some(Row { socket, pid: Some(pid), generation }))
}

/// Returns the pid, and the place of the last word of its column: both numbers of the older layout, or all words of a
/// name of the newer one. What follows the name has no colon.
fn process(words: &[&str]) -> Option<(u32, usize)> {
    let merged = |word: &&str| word.rsplit_once(':').and_then(|(_, pid)| pid.parse().ok());
    if let Some(at) = words.iter().rposition(|word| merged(word).is_some()) {
        return Some((merged(words.get(at)?)?, at));
    }
    Some((words.first()?.parse().ok()?, 1))
}

type PrintedAddress = (Option<(IpAddr, Option<Text>)>, Option<u16>);

/// Parses an address: `127.0.0.1.631`, `fe80::1%lo0.1024`, `*.80`, `*.*`. `None` if it is cut.
fn endpoint(text: &str, ipv6: bool) -> Option<PrintedAddress> {
    let (host, port) = text.rsplit_once('.')?;
    let port = match port {
        "*" => None,
        port => Some(port.parse().ok().filter(|port| *port != 0)?),
    };
    if host == "*" {
        let any = if ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        return Some((Some((any, None)), port));
    }
    let (address, interface) = match host.split_once('%') {
        Some((address, interface)) => (address, Some(interface)),
        None => (host, None),
    };
    let address: IpAddr = address.parse().ok()?;
    // Only IPv6 addresses have a scope.
    if interface.is_some() && address.is_ipv4() {
        return None;
    }
    Some((Some((address, interface.map(Text::from))), port))
}

fn state_of(name: &str, connected: bool) -> State {
    match name {
        "CLOSED" if connected => State::Closed,
        "CLOSED" => State::Bound,
        "LISTEN" => State::Listen,
        "SYN_SENT" => State::SynSent,
        "SYN_RCVD" => State::SynReceived,
        "ESTABLISHED" => State::Established,
        "CLOSE_WAIT" => State::CloseWait,
        "FIN_WAIT_1" => State::FinWait1,
        "CLOSING" => State::Closing,
        "LAST_ACK" => State::LastAck,
        "FIN_WAIT_2" => State::FinWait2,
        "TIME_WAIT" => State::TimeWait,
        _ => State::Unknown,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in crate::os) const MERGED: &str = "\
Active Internet connections (including servers)
Proto Recv-Q Send-Q  Local Address          Foreign Address        (state)          rxbytes      txbytes  rhiwat  shiwat          process:pid    state  options           gencnt    flags   flags1 usecnt rtncnt fltrs
tcp4       0      0  127.0.0.1.10309        *.*                    LISTEN                 0            0  131072  131072             node:4121   00100 00000106 000000000000a209 00000001 00000800      1      0 000000
tcp46      0      0  *.3283                 *.*                    LISTEN                 0            0  131072  131072 Some Helper (Plu:1039   00000 00000202 0000000000001319 00000040 00000800      2      0 000000
tcp6       0      0  *.22                   *.*                    LISTEN                 0            0  131072  131072          launchd:1      00180 00000006 0000000000000042 00000000 00000900      1      0 000000
tcp4       0      0  192.0.2.7.49515        198.51.100.7.443       ESTABLISHED       118268        40208  408008  146988        odd:7 x:9:22712  00002 00000000 000000000025c5ff 00000081 04000800      3      0 000000
tcp6       0      0  2001:db8:1700:5.50624  2001:db8:1900:4110:.80 SYN_SENT               0            0  131072  131072        browser:35474  00104 00000008 0000000000003e39 00000001 00000800      1      0 000000
tcp4       0      0  *.*                    *.*                    CLOSED                 0            0  131072  131072             node:4121   00100 00000106 000000000000a20a 00000001 00000800      1      0 000000
udp4       0      0  *.5353                 *.*                                           0            0  786896    9216    mDNSResponder:377    00100 00000000 0000000000000aaa 00000000 00000800      1      0 000000
udp6       0      0  fe80::1%lo0.123        *.*                                           0            0  786896    9216             timed:155    00100 00000000 0000000000000aab 00000000 00000800      1      0 000000
Active LOCAL (UNIX) domain sockets
Address          Type   Recv-Q Send-Q            Inode             Conn             Refs          Nextref Addr
tcp4 is not a row here
";
    pub(in crate::os) const SEPARATE: &str = "\
Active Internet connections (including servers)
Proto Recv-Q Send-Q  Local Address          Foreign Address        (state)     rhiwat shiwat    pid   epid  state    options
tcp4       0      0  127.0.0.1.8790         *.*                    LISTEN      131072 131072    512      0 0x0080 0x00000106
tcp6       0      0  ::1.3000               *.*                    LISTEN      131072 131072    777    888 0x0080 0x00000106
udp4       0      0  *.5353                 *.*                                786896   9216    377      0 0x0000 0x00000000
";

    fn facts_of(row: &Row) -> (String, State, Option<u32>, Option<u64>) {
        (row.socket.endpoint.to_string(), row.socket.state, row.pid, row.generation)
    }

    #[test]
    fn the_layout_with_a_merged_column() {
        let printed = parse(MERGED.as_bytes());
        let rows: Vec<_> = printed.rows.iter().map(facts_of).collect();
        let row =
            |place: &str, state, pid, generation| (place.to_owned(), state, Some(pid), Some(generation));
        let wanted = [
            row("127.0.0.1:10309", State::Listen, 4121, 0xa209),
            row("[::]:3283", State::Listen, 1039, 0x1319),
            row("[::]:22", State::Listen, 1, 0x42),
            row("192.0.2.7:49515", State::Established, 22712, 0x25_c5ff),
            row("0.0.0.0:5353", State::Bound, 377, 0xaaa),
            row("[fe80::1%lo0]:123", State::Bound, 155, 0xaab),
        ];
        assert_eq!(rows, wanted);
        // The address that was cut, and the line of another section that has no header of this form.
        assert_eq!(printed.unread, 2);
        assert_eq!(printed.rows[1].socket.dual_stack, Some(true));
        assert_eq!(printed.rows[2].socket.dual_stack, Some(false));
        assert_eq!(printed.rows[3].socket.peer, Some("198.51.100.7:443".parse().unwrap()));
    }

    #[test]
    fn the_layout_with_two_columns() {
        let printed = parse(SEPARATE.as_bytes());
        let rows: Vec<_> = printed.rows.iter().map(facts_of).collect();
        let wanted = [
            ("127.0.0.1:8790".to_owned(), State::Listen, Some(512), None),
            ("[::1]:3000".to_owned(), State::Listen, Some(777), None),
            ("0.0.0.0:5353".to_owned(), State::Bound, Some(377), None),
        ];
        assert_eq!((rows.as_slice(), printed.unread), (wanted.as_slice(), 0));
    }

    #[test]
    fn a_header_of_the_older_layout_above_rows_of_the_newer_one() {
        let old = "rhiwat  shiwat    pid   epid  state";
        let text = MERGED.replace("rhiwat  shiwat          process:pid    state", old);
        assert_ne!(text, MERGED);
        let numbers = |text: &str| -> Vec<_> {
            parse(text.as_bytes()).rows.iter().map(|row| (row.pid, row.generation)).collect()
        };
        assert_eq!(numbers(&text), numbers(MERGED));
    }

    #[test]
    fn a_header_counts_for_its_own_section() {
        let (header, row) = (MERGED.lines().nth(1).unwrap(), MERGED.lines().nth(2).unwrap());
        let printed = parse(format!("{header}\n{row}\nActive others\n{row}\n").as_bytes());
        assert_eq!((printed.rows.len(), printed.unread), (1, 1));
    }

    #[test]
    fn connected_datagram_sockets() {
        let row =
            SEPARATE.lines().last().unwrap().replace("*.*   ", "*.53  ").replace("*.5353", "127.0.0.1.5353");
        let row = row.replace("*.53 ", "127.0.0.1.53 ");
        let header = SEPARATE.lines().nth(1).unwrap();
        let printed = parse(format!("{header}\n{row}\n").as_bytes());
        let socket = &printed.rows[0].socket;
        assert_eq!((socket.state, socket.peer), (State::Established, Some("127.0.0.1:53".parse().unwrap())));
    }

    /// The names in tcpstates[] of netinet/tcp_fsm.h.
    #[test]
    fn every_state_by_its_name() {
        for (name, state) in [
            ("LISTEN", State::Listen),
            ("SYN_SENT", State::SynSent),
            ("SYN_RCVD", State::SynReceived),
            ("ESTABLISHED", State::Established),
            ("CLOSE_WAIT", State::CloseWait),
            ("FIN_WAIT_1", State::FinWait1),
            ("CLOSING", State::Closing),
            ("LAST_ACK", State::LastAck),
            ("FIN_WAIT_2", State::FinWait2),
            ("TIME_WAIT", State::TimeWait),
            ("NEW", State::Unknown),
        ] {
            assert_eq!(state_of(name, true), state);
        }
        assert_eq!((state_of("CLOSED", true), state_of("CLOSED", false)), (State::Closed, State::Bound));
    }

    #[test]
    fn nothing_printed_is_nothing_read() {
        for text in ["", "Active Internet connections (including servers)\n", "netstat: sysctl: denied\n"] {
            assert_eq!(parse(text.as_bytes()), NetstatOutput::default());
        }
        // Rows without a header cannot be understood.
        let rows = MERGED.lines().skip(2).take(3).collect::<Vec<_>>().join("\n");
        assert_eq!(parse(rows.as_bytes()), NetstatOutput { rows: Vec::new(), unread: 3 });
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(Proto|tcp4|udp46|Active| |\\(state\\)|pid|process:pid|gencnt|[*]\\.[0-9]{1,5}|[a-f0-9:.%]{1,12}|\n){0,60}") {
            for row in parse(text.as_bytes()).rows {
                prop_assert_ne!(row.socket.endpoint.port(), Some(0));
            }
        }

        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
