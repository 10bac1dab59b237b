use proptest::prelude::*;

use super::*;

/// Returns a reply to call 1, written by the same writer as calls are.
fn answer(kind: u8, signature: &str, body: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut written = Writer(Vec::new());
    body(&mut written);
    let mut message = Writer(vec![b'l', kind, 1, 1]);
    message.number(length(&written.0));
    message.number(7);
    message.array(8, |fields| {
        fields.0.push(REPLY_SERIAL);
        fields.signature("u");
        fields.number(1);
        fields.align(8);
        fields.0.push(SIGNATURE);
        fields.signature("g");
        fields.signature(signature);
    });
    message.align(8);
    message.0.append(&mut written.0);
    message.0
}

#[test]
fn properties() {
    let texts = answer(METHOD_RETURN, "v", |body| {
        body.signature("as");
        body.array(4, |body| ["x.service", ""].iter().for_each(|text| body.text(text)));
    });
    let parsed = reply(&texts).unwrap();
    assert_eq!((parsed.to, parsed.refused), (Some(1), false));
    assert_eq!(parsed.property_texts().unwrap(), [&b"x.service"[..], b""]);
    assert_eq!((parsed.property_flag(), parsed.property_pairs(), parsed.units()), (None, None, None));
    let pairs = answer(METHOD_RETURN, "v", |body| {
        body.signature("a(ss)");
        body.array(8, |body| {
            for (kind, place) in [("Stream", "[::]:80"), ("Datagram", "/run/x")] {
                body.align(8);
                body.text(kind);
                body.text(place);
            }
        });
    });
    let pairs = reply(&pairs).unwrap().property_pairs().unwrap();
    assert_eq!(pairs, [(&b"Stream"[..], &b"[::]:80"[..]), (b"Datagram", b"/run/x")]);
    let one = answer(METHOD_RETURN, "v", |body| {
        body.signature("s");
        body.text("on-failure");
    });
    assert_eq!(reply(&one).unwrap().property_text(), Some(&b"on-failure"[..]));
    let long = answer(METHOD_RETURN, "v", |body| {
        body.signature("t");
        body.align(8);
        body.0.extend_from_slice(&5_000_000u64.to_le_bytes());
    });
    assert_eq!(reply(&long).unwrap().property_long(), Some(5_000_000));
    let statuses = answer(METHOD_RETURN, "v", |body| {
        body.signature("(aiai)");
        body.align(8);
        body.array(4, |body| body.number(143));
        body.array(4, |_| ());
    });
    assert_eq!(reply(&statuses).unwrap().property_statuses(), Some((vec![143], vec![])));
    assert_eq!(reply(&statuses).unwrap().property_number(), None);
    let flag = answer(METHOD_RETURN, "v", |body| {
        body.signature("b");
        body.number(1);
    });
    assert_eq!(reply(&flag).unwrap().property_flag(), Some(true));
    let refused = answer(ERROR, "s", |body| body.text("no such unit"));
    assert!(reply(&refused).unwrap().refused);
}

/// The D-Bus specification lets a receiver ignore fields that it does not know.
#[test]
fn other_fields_are_skipped() {
    const UNIX_FDS: u8 = 9;
    let mut message = Writer(vec![b'l', METHOD_RETURN, 1, 1]);
    message.number(0);
    message.number(7);
    message.array(8, |fields| {
        fields.0.push(UNIX_FDS);
        fields.signature("u");
        fields.number(2);
        fields.align(8);
        fields.0.push(200);
        fields.signature("g");
        fields.signature("as");
        fields.align(8);
        fields.0.push(REPLY_SERIAL);
        fields.signature("u");
        fields.number(1);
    });
    message.align(8);
    let parsed = reply(&message.0).unwrap();
    assert_eq!((parsed.to, parsed.signature), (Some(1), &b""[..]));
}

#[test]
fn an_error_or_a_value_of_another_type_is_no_answer() {
    for (kind, units, descriptors) in
        [(ERROR, "a(ssssssouso)", "a(suuutuusu)"), (METHOD_RETURN, "a(ss)", "a(ss)")]
    {
        let units = answer(kind, units, |body| body.array(8, |_| ()));
        assert_eq!(reply(&units).unwrap().units(), None);
        let descriptors = answer(kind, descriptors, |body| body.array(8, |_| ()));
        assert_eq!(reply(&descriptors).unwrap().stored_descriptors(), None);
    }
    for (kind, signature) in [(ERROR, "v"), (METHOD_RETURN, "gs")] {
        let text = answer(kind, signature, |body| {
            body.signature("s");
            body.text("on-failure");
        });
        assert_eq!(reply(&text).unwrap().property_text(), None);
    }
}

#[test]
fn a_call_can_be_read_back() {
    let call = Call {
        destination: "org.freedesktop.systemd1",
        path: "/org/freedesktop/systemd1",
        interface: "org.freedesktop.systemd1.Manager",
        member: "ListUnitsByPatterns",
        arguments: &[Argument::Texts(&[]), Argument::Texts(&["*.socket"])],
    };
    let message = call.message(3);
    assert_eq!(message_length(&message), Some(message.len()));
    let read = reply(&message).unwrap();
    assert_eq!((read.to, read.signature), (None, &b"asas"[..]));
    let mut body = read.body;
    assert_eq!(body.array(4, Reader::text).unwrap(), [&b""[..]; 0]);
    assert_eq!(body.array(4, Reader::text).unwrap(), [b"*.socket"]);
    assert_eq!(body.at, message.len());
}

/// Replies of systemd 257 for a service that gave it a listening socket, and for one without a store.
#[test]
fn recorded_descriptor_stores() {
    let store = &include_bytes!("../../../../../tests/recorded/systemd-257/descriptor-store")[..];
    assert_eq!(message_length(store), Some(store.len()));
    let stored = reply(store).unwrap().stored_descriptors().unwrap();
    assert_eq!(stored, [(0o140_777, 1_478_254)]);
    let none = &include_bytes!("../../../../../tests/recorded/systemd-257/no-descriptor-store")[..];
    let none = reply(none).unwrap();
    assert!(none.refused);
    assert_eq!(none.stored_descriptors(), None);
}

/// Replies of systemd 252, over its private socket and over the bus.
#[test]
fn recorded_answers() {
    macro_rules! recorded {
        ($name:literal) => {
            &include_bytes!(concat!("../../../../../tests/recorded/systemd-252/", $name))[..]
        };
    }
    let whole = [
        recorded!("units"),
        recorded!("listen"),
        recorded!("triggers"),
        recorded!("accept"),
        recorded!("hello"),
        recorded!("name-acquired"),
        recorded!("restart"),
        recorded!("restart-usec"),
        recorded!("main-pid"),
        recorded!("success-exit-status"),
        recorded!("triggered-by"),
        recorded!("no-such-property"),
    ];
    for message in whole {
        assert_eq!(message_length(message), Some(message.len()));
    }
    let units = reply(recorded!("units")).unwrap().units().unwrap();
    let mut names: Vec<&[u8]> = units.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    assert_eq!(names, [&b"datagram.socket"[..], b"dbus.socket", b"each.socket", b"x.socket"]);
    assert!(units.contains(&(b"x.socket", b"/org/freedesktop/systemd1/unit/x_2esocket")));
    let listen = reply(recorded!("listen")).unwrap().property_pairs().unwrap();
    assert_eq!(listen, [(&b"Stream"[..], &b"127.0.0.1:4711"[..])]);
    let triggers = reply(recorded!("triggers")).unwrap();
    assert_eq!((triggers.to, triggers.property_texts().unwrap()), (Some(2), vec![&b"other.service"[..]]));
    assert_eq!(reply(recorded!("accept")).unwrap().property_flag(), Some(true));
    assert_eq!(reply(recorded!("restart")).unwrap().property_text(), Some(&b"on-failure"[..]));
    assert_eq!(reply(recorded!("restart-usec")).unwrap().property_long(), Some(2_500_000));
    assert_eq!(reply(recorded!("main-pid")).unwrap().property_number(), Some(133));
    let statuses = reply(recorded!("success-exit-status")).unwrap().property_statuses();
    assert_eq!(statuses, Some((vec![75, 143], vec![9])));
    let triggered_by = reply(recorded!("triggered-by")).unwrap().property_texts().unwrap();
    assert_eq!(triggered_by, [&b"plain.socket"[..]]);
    let unknown = reply(recorded!("no-such-property")).unwrap();
    assert_eq!((unknown.refused, unknown.property_number()), (true, None));
    assert_eq!(reply(recorded!("hello")).unwrap().to, Some(1));
    assert_eq!(reply(recorded!("name-acquired")).unwrap().to, None, "a signal answers nothing");
}

fn read_all(bytes: &[u8]) {
    if let Some(reply) = reply(bytes) {
        let _ = (reply.property_texts(), reply.property_flag(), reply.property_pairs(), reply.units());
        let _ = (reply.property_text(), reply.property_number(), reply.property_long());
        let _ = reply.property_statuses();
    }
}

proptest! {
    #[test]
    fn any_bytes(bytes: Vec<u8>) {
        read_all(&bytes);
    }

    #[test]
    fn a_reply_with_any_byte_changed(at in 0usize..200, to: u8, cut in 0usize..200) {
        let mut bytes = answer(METHOD_RETURN, "v", |body| {
            body.signature("a(ss)");
            body.array(8, |body| {
                body.text("Stream");
                body.text("[::]:80");
            });
        });
        read_all(bytes.get(..cut).unwrap_or(&bytes));
        if let Some(byte) = bytes.get_mut(at) {
            *byte = to;
        }
        read_all(&bytes);
    }
}
