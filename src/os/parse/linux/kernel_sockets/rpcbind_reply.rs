//! The reply of rpcbind to a request for its registrations (RFC 1833, RPCBPROC_DUMP of version 4). Pure.

use super::service_files::number;
use super::{KernelSocketReport, reported};
use crate::model::{Family, KernelSocketKind, Protocol};

/// The bit of a fragment's mark that the last fragment of a message has (RFC 5531, "Record Marking Standard").
pub(in crate::os) const LAST_FRAGMENT: u32 = 1 << 31;

/// Returns the length of the fragment with this mark, and whether it is the last one.
pub(in crate::os) fn fragment(mark: &[u8]) -> Option<(usize, bool)> {
    let mark = word(mark, 0)?;
    let length = usize::try_from(mark & !LAST_FRAGMENT).unwrap_or(usize::MAX);
    Some((length, mark & LAST_FRAGMENT != 0))
}

/// Reads the lock manager's registrations in rpcbind's answer: only those of root, because every user may register.
pub(in crate::os) fn lock_manager(answer: &[u8]) -> Vec<KernelSocketReport> {
    const LOCK_MANAGER: u32 = 100_021;
    let mut claims = Vec::new();
    // xid, reply, accepted, a verifier of no bytes, success.
    let accepted = [(4, 1), (8, 0), (16, 0), (20, 0)];
    if accepted.iter().any(|(at, value)| word(answer, *at) != Some(*value)) {
        return claims;
    }
    let mut at = 24;
    while word(answer, at) == Some(1) {
        let Some(program) = word(answer, at + 4) else { break };
        at += 12;
        let Some(strings) = (0..3).map(|_| string(answer, &mut at)).collect::<Option<Vec<_>>>() else {
            break;
        };
        let [network, address, owner] = strings.as_slice() else { break };
        if program != LOCK_MANAGER || *owner != b"superuser" {
            continue;
        }
        let (protocol, family) = match *network {
            b"tcp" => (Protocol::Tcp, Family::Ipv4),
            b"tcp6" => (Protocol::Tcp, Family::Ipv6),
            b"udp" => (Protocol::Udp, Family::Ipv4),
            b"udp6" => (Protocol::Udp, Family::Ipv6),
            _ => continue,
        };
        // A universal address ends in the two bytes of its port: `0.0.0.0.8.1`.
        let mut parts =
            address.rsplit(|byte| *byte == b'.').map(|part| number(part).filter(|part| *part < 256));
        let (low, high) = (parts.next().flatten(), parts.next().flatten());
        if let (Some(low), Some(high)) = (low, high) {
            let claim = reported(protocol, high << 8 | low, Some(family), KernelSocketKind::Lockd);
            if !claims.contains(&claim) {
                claims.push(claim);
            }
        }
    }
    claims
}

/// Reads a number of XDR (RFC 4506).
pub(in crate::os) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// Reads a string of XDR (RFC 4506), padded to four bytes.
fn string<'a>(bytes: &'a [u8], at: &mut usize) -> Option<&'a [u8]> {
    let length = usize::try_from(word(bytes, *at)?).ok()?;
    let start = *at + 4;
    let found = bytes.get(start..start.checked_add(length)?)?;
    *at = start + length.checked_next_multiple_of(4)?;
    Some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn marks_of_fragments() {
        assert_eq!(fragment(&[0x80, 0, 1, 2]), Some((258, true)));
        assert_eq!(fragment(&[0, 0, 0, 9]), Some((9, false)));
        assert_eq!(fragment(&[0x80, 0, 0]), None);
    }

    fn answer(registrations: &[(u32, &str, &str, &str)]) -> Vec<u8> {
        let mut bytes: Vec<u8> = [1_u32, 1, 0, 0, 0, 0].iter().flat_map(|word| word.to_be_bytes()).collect();
        for (program, network, address, owner) in registrations {
            for number in [1, *program, 4] {
                bytes.extend(u32::to_be_bytes(number));
            }
            for text in [network, address, owner] {
                bytes.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
                bytes.extend(text.as_bytes());
                bytes.resize(bytes.len().next_multiple_of(4), 0);
            }
        }
        bytes.extend([0; 4]);
        bytes
    }

    #[test]
    fn registrations_of_the_lock_manager() {
        let listed = answer(&[
            (100_000, "local", "/run/rpcbind.sock", "superuser"),
            (100_003, "tcp", "0.0.0.0.8.1", "superuser"),
            (100_021, "udp", "0.0.0.0.159.67", "superuser"),
            (100_021, "tcp6", "::.174.175", "superuser"),
            (100_021, "tcp6", "::.174.175", "superuser"),
            (100_021, "tcp", "0.0.0.0.8.2", "1000"),
            (100_021, "tcp", "0.0.0.0.256.1", "superuser"),
            (100_021, "udp6", "::.3.255", "superuser"),
            (100_021, "tcp", "0.0.0.0.4.0", "superuser"),
        ]);
        let parsed: Vec<_> = lock_manager(&listed)
            .into_iter()
            .map(|claim| (claim.protocol, claim.port, claim.family))
            .collect();
        assert_eq!(
            parsed,
            [
                (Protocol::Udp, Some(40771), Some(Family::Ipv4)),
                (Protocol::Tcp, Some(44719), Some(Family::Ipv6)),
                (Protocol::Udp, Some(1023), Some(Family::Ipv6)),
                (Protocol::Tcp, Some(1024), Some(Family::Ipv4))
            ]
        );
        let mut refused = listed;
        refused[11] = 1;
        assert_eq!(lock_manager(&refused), []);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = lock_manager(&bytes);
            let _ = lock_manager(&[&answer(&[(100_021, "tcp", "a", "b")])[..24], &bytes].concat());
        }
    }
}
