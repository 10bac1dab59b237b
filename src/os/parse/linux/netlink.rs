//! Netlink messages (netlink(7), linux/netlink.h). Pure: it reads only the bytes of a datagram.
//!
//! Custom code, because the answer decides whether a port is reported as free: an error must never pass for an empty list
//! (netstat2 0.11.2 takes one for it), and a socket table has too many messages to allocate for each.

const HEADER: usize = 16;
/// The sequence number of the first request of a socket.
pub(in crate::os) const SEQUENCE: u32 = 1;
const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLMSG_OVERRUN: u16 = 4;
pub(in crate::os) const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP_INTR: u16 = 0x10;
pub(in crate::os) const NLM_F_DUMP: u16 = 0x300;

/// Why a datagram is no answer to the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::os) enum DatagramError {
    /// The kernel answered with this error number.
    Refused(i32),
    /// The datagram is malformed, or belongs to another request.
    Malformed(&'static str),
}

/// The progress of a dump after one datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::os) struct Progress {
    /// Whether the dump has ended.
    pub(in crate::os) done: bool,
    /// Whether the kernel reported that the table changed during the dump.
    pub(in crate::os) interrupted: bool,
}

/// Returns a request with its header.
pub(in crate::os) fn frame(kind: u16, flags: u16, sequence: u32, request: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + request.len()).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(HEADER + request.len());
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend(sequence.to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    message.extend(request);
    message
}

/// Reads one datagram of an answer, and calls `each` with the payload of every message of the kind `answer`.
///
/// # Errors
/// If the kernel answered with an error, and if a message is malformed or has another sequence number or kind than the
/// request expects: a socket that was just opened receives nothing else.
pub(in crate::os) fn read_datagram(
    bytes: &[u8],
    sequence: u32,
    answer: u16,
    each: &mut dyn FnMut(&[u8]),
) -> Result<Progress, DatagramError> {
    if bytes.is_empty() {
        return Err(DatagramError::Malformed("an empty datagram"));
    }
    let mut progress = Progress { done: false, interrupted: false };
    let mut rest = bytes;
    while !rest.is_empty() {
        let short = DatagramError::Malformed("a message without a whole header");
        let length = u32_at(rest, 0).ok_or(short)?;
        let kind = u16_at(rest, 4).ok_or(short)?;
        let flags = u16_at(rest, 6).ok_or(short)?;
        let number = u32_at(rest, 8).ok_or(short)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let payload =
            rest.get(HEADER..length).ok_or(DatagramError::Malformed("a message of an impossible length"))?;
        if number != sequence {
            return Err(DatagramError::Malformed("a message that belongs to another request"));
        }
        progress.interrupted |= flags & NLM_F_DUMP_INTR != 0;
        match kind {
            NLMSG_NOOP => {}
            NLMSG_ERROR => {
                let errno =
                    u32_at(payload, 0).ok_or(DatagramError::Malformed("an error without a number"))?;
                refused(errno.cast_signed())?;
            }
            NLMSG_DONE => {
                // The end may carry the error that ended it.
                refused(u32_at(payload, 0).map_or(0, u32::cast_signed))?;
                progress.done = true;
                return Ok(progress);
            }
            NLMSG_OVERRUN => return Err(DatagramError::Malformed("lost messages")),
            kind if kind == answer => each(payload),
            _ => return Err(DatagramError::Malformed("a message of another kind")),
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(progress)
}

/// Calls `each` with the payload of every message of a datagram that answers no request. A truncated message ends it.
#[cfg(feature = "cli")]
pub(in crate::os) fn each_message(mut bytes: &[u8], mut each: impl FnMut(&[u8])) {
    while let Some(length) = u32_at(bytes, 0).and_then(|length| usize::try_from(length).ok()) {
        let Some(payload) = bytes.get(HEADER..length) else { return };
        each(payload);
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
}

fn refused(errno: i32) -> Result<(), DatagramError> {
    // MAX_ERRNO of the kernel's err.h.
    match errno {
        0 => Ok(()),
        -4095..=-1 => Err(DatagramError::Refused(-errno)),
        _ => Err(DatagramError::Malformed("an error that has no such number")),
    }
}

/// Calls `each` for every attribute with its type, without the flag bits, and its bytes. A truncated attribute ends the
/// list.
pub(in crate::os) fn attributes<'a>(mut bytes: &'a [u8], mut each: impl FnMut(u16, &'a [u8])) {
    const TYPE_MASK: u16 = 0x3fff;
    while let (Some(length), Some(kind)) = (u16_at(bytes, 0), u16_at(bytes, 2)) {
        let length = usize::from(length);
        let Some(value) = bytes.get(4..length) else { return };
        each(kind & TYPE_MASK, value);
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
}

/// Appends an attribute with a text, which ends in NUL.
pub(in crate::os) fn text_attribute(request: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(value.len() + 5).unwrap_or(u16::MAX);
    request.extend(length.to_ne_bytes());
    request.extend(kind.to_ne_bytes());
    request.extend(value);
    request.push(0);
    request.resize(request.len().next_multiple_of(4), 0);
}

/// Returns the u16 at an offset, in the machine's byte order.
pub(in crate::os) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Returns the u32 at an offset, in the machine's byte order.
pub(in crate::os) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Returns the u64 at an offset, in the machine's byte order.
pub(in crate::os) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KIND: u16 = 20;

    fn message(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let mut message = frame(kind, NLM_F_REQUEST, sequence, payload);
        message[6..8].copy_from_slice(&flags.to_ne_bytes());
        message.resize(message.len().next_multiple_of(4), 0);
        message
    }

    fn read(bytes: &[u8]) -> (Result<Progress, DatagramError>, Vec<Vec<u8>>) {
        let mut payloads = Vec::new();
        let progress = read_datagram(bytes, 1, KIND, &mut |payload| payloads.push(payload.to_vec()));
        (progress, payloads)
    }

    #[test]
    fn messages_until_the_end() {
        let bytes =
            [message(KIND, 0, 1, b"abcd"), message(1, 0, 1, b""), message(KIND, 0, 1, b"ef")].concat();
        let (progress, payloads) = read(&bytes);
        assert_eq!(progress, Ok(Progress { done: false, interrupted: false }));
        assert_eq!(payloads, [b"abcd".to_vec(), b"ef".to_vec()]);
        let (progress, _) = read(&message(NLMSG_DONE, NLM_F_DUMP_INTR, 1, &0_i32.to_ne_bytes()));
        assert_eq!(progress, Ok(Progress { done: true, interrupted: true }));
    }

    #[test]
    fn an_error_is_never_the_end_of_an_empty_list() {
        let permission = (-1_i32).to_ne_bytes();
        for (bytes, fault) in [
            (message(NLMSG_ERROR, 0, 1, &permission), DatagramError::Refused(1)),
            (message(NLMSG_DONE, 0, 1, &permission), DatagramError::Refused(1)),
            (message(NLMSG_ERROR, 0, 1, b""), DatagramError::Malformed("an error without a number")),
            (
                message(NLMSG_ERROR, 0, 1, &(-5000_i32).to_ne_bytes()),
                DatagramError::Malformed("an error that has no such number"),
            ),
            (message(NLMSG_OVERRUN, 0, 1, b""), DatagramError::Malformed("lost messages")),
            (message(KIND, 0, 2, b""), DatagramError::Malformed("a message that belongs to another request")),
            (message(99, 0, 1, b""), DatagramError::Malformed("a message of another kind")),
            (Vec::new(), DatagramError::Malformed("an empty datagram")),
            (vec![0; 16], DatagramError::Malformed("a message of an impossible length")),
            (vec![1; 3], DatagramError::Malformed("a message without a whole header")),
        ] {
            assert_eq!(read(&bytes).0, Err(fault));
        }
        let mut torn = message(KIND, 0, 1, b"abcd");
        torn.pop();
        assert!(read(&torn).0.is_err());
    }

    #[cfg(feature = "cli")]
    #[test]
    fn messages_that_answer_no_request() {
        let mut payloads = Vec::new();
        let mut bytes = [message(KIND, 0, 0, b"abcde"), message(KIND, 0, 0, b"ef")].concat();
        each_message(&bytes, |payload| payloads.push(payload.to_vec()));
        assert_eq!(payloads, [b"abcde".to_vec(), b"ef".to_vec()]);
        // The second message says that it is longer than what follows.
        bytes.truncate(bytes.len() - 4);
        payloads.clear();
        each_message(&bytes, |payload| payloads.push(payload.to_vec()));
        assert_eq!(payloads, [b"abcde".to_vec()]);
    }

    #[test]
    fn attributes_end_where_they_are_torn() {
        let mut list = Vec::new();
        let bytes =
            [&8_u16.to_ne_bytes()[..], &0x8005_u16.to_ne_bytes(), b"abcd", &99_u16.to_ne_bytes(), b"xx"];
        attributes(&bytes.concat(), |kind, value| list.push((kind, value.to_vec())));
        assert_eq!(list, [(5, b"abcd".to_vec())]);
        attributes(&[0; 8], |_, _| panic!("an attribute of no length"));
    }

    #[test]
    fn text_attributes_end_in_nul() {
        let mut request = vec![2, 0, 0, 0];
        text_attribute(&mut request, 1, b"nat");
        let attribute = [&8_u16.to_ne_bytes()[..], &1_u16.to_ne_bytes(), b"nat\0"].concat();
        assert_eq!(request, [&[2, 0, 0, 0][..], &attribute].concat());
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            attributes(&bytes, |_, _| {});
        }
    }
}
