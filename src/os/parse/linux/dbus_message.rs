//! The part of the D-Bus wire format that requests to a service manager need: method calls and their replies. It is
//! small enough to need no crate.
//!
//! Pure. Parsing ends for every reply: lengths are checked against the bytes that are left, and nothing is recursive.

/// The longest reply that is read. A unit in a list takes some 200 bytes.
pub(in crate::os) const LONGEST_REPLY: usize = 4 << 20;
/// The bytes before the fields of a message's header.
pub(in crate::os) const PREFIX: usize = 16;

const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;
/// The flag NO_AUTO_START: a request must start no service.
const NO_AUTO_START: u8 = 2;

/// The codes of header fields.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

/// A method call.
#[derive(Debug, Clone, Copy)]
pub(in crate::os) struct Call<'a> {
    pub(in crate::os) destination: &'a str,
    pub(in crate::os) path: &'a str,
    pub(in crate::os) interface: &'a str,
    pub(in crate::os) member: &'a str,
    pub(in crate::os) arguments: &'a [Argument<'a>],
}

/// An argument of a call.
#[derive(Debug, Clone, Copy)]
pub(in crate::os) enum Argument<'a> {
    Text(&'a str),
    Texts(&'a [&'a str]),
}

impl Call<'_> {
    /// Returns the message, little-endian.
    pub(in crate::os) fn message(&self, serial: u32) -> Vec<u8> {
        let mut body = Writer(Vec::new());
        let mut signature = String::new();
        for argument in self.arguments {
            match argument {
                Argument::Text(text) => {
                    signature.push('s');
                    body.text(text);
                }
                Argument::Texts(texts) => {
                    signature.push_str("as");
                    body.array(4, |body| texts.iter().for_each(|text| body.text(text)));
                }
            }
        }
        let mut message = Writer(vec![b'l', METHOD_CALL, NO_AUTO_START, 1]);
        message.number(length(&body.0));
        message.number(serial);
        message.array(8, |fields| {
            for (code, kind, value) in [
                (PATH, "o", self.path),
                (INTERFACE, "s", self.interface),
                (MEMBER, "s", self.member),
                (DESTINATION, "s", self.destination),
            ] {
                fields.align(8);
                fields.0.push(code);
                fields.signature(kind);
                fields.text(value);
            }
            if !signature.is_empty() {
                fields.align(8);
                fields.0.push(SIGNATURE);
                fields.signature("g");
                fields.signature(&signature);
            }
        });
        message.align(8);
        message.0.append(&mut body.0);
        message.0
    }
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

struct Writer(Vec<u8>);

impl Writer {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn number(&mut self, number: u32) {
        self.align(4);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(length(text.as_bytes()));
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
    }

    /// Appends a signature; all of them are a few letters long.
    fn signature(&mut self, signature: &str) {
        self.0.push(u8::try_from(signature.len()).unwrap_or(u8::MAX));
        self.0.extend_from_slice(signature.as_bytes());
        self.0.push(0);
    }

    /// Appends an array whose elements begin at multiples of `alignment`; the padding before the first is not counted.
    fn array(&mut self, alignment: usize, write: impl FnOnce(&mut Writer)) {
        self.number(0);
        let at = self.0.len();
        self.align(alignment);
        let first = self.0.len();
        write(self);
        let size = u32::try_from(self.0.len() - first).unwrap_or(u32::MAX);
        if let Some(place) = self.0.get_mut(at - 4..at) {
            place.copy_from_slice(&size.to_le_bytes());
        }
    }
}

/// Returns the length of a message, from its first 16 bytes. `None` if it is no message, or longer than the limit.
pub(in crate::os) fn message_length(prefix: &[u8]) -> Option<usize> {
    let mut reader = Reader::new(prefix)?;
    reader.at = 4;
    let body = usize::try_from(reader.number()?).ok()?;
    reader.at = 12;
    let fields = usize::try_from(reader.number()?).ok()?;
    let whole = PREFIX.checked_add(fields)?.checked_next_multiple_of(8)?.checked_add(body)?;
    (whole <= LONGEST_REPLY).then_some(whole)
}

/// A reply to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct Reply<'a> {
    /// The serial of the call; `None` for a message that is no reply.
    pub(in crate::os) to: Option<u32>,
    /// Whether the call was refused.
    pub(in crate::os) refused: bool,
    signature: &'a [u8],
    body: Reader<'a>,
}

/// A unit in a list of units.
#[derive(Debug, Clone, Copy)]
pub(in crate::os) struct UnitState<'a> {
    pub(in crate::os) name: &'a [u8],
    /// The path of its object.
    pub(in crate::os) path: &'a [u8],
    /// Its sub state: `running`, `dead`.
    pub(in crate::os) state: &'a [u8],
}

/// Parses a whole message.
pub(in crate::os) fn reply(message: &[u8]) -> Option<Reply<'_>> {
    let whole = message_length(message)?;
    let message = message.get(..whole)?;
    let mut reader = Reader::new(message)?;
    let kind = *message.get(1)?;
    reader.at = 12;
    let end = usize::try_from(reader.number()?).ok()? + PREFIX;
    let (mut to, mut signature) = (None, &b""[..]);
    while reader.at < end {
        reader.align(8)?;
        let code = reader.byte()?;
        match (code, reader.signature()?) {
            (REPLY_SERIAL, b"u") => to = Some(reader.number()?),
            (SIGNATURE, b"g") => signature = reader.signature()?,
            (_, b"s" | b"o") => {
                reader.text()?;
            }
            (_, b"g") => {
                reader.signature()?;
            }
            (_, b"u") => {
                reader.number()?;
            }
            _ => return None,
        }
    }
    reader.at = end.checked_next_multiple_of(8)?;
    let to = to.filter(|_| matches!(kind, METHOD_RETURN | ERROR));
    Some(Reply { to, refused: kind == ERROR, signature, body: reader })
}

impl<'a> Reply<'a> {
    /// Returns a property that is a list of texts.
    pub(in crate::os) fn property_texts(&self) -> Option<Vec<&'a [u8]>> {
        let mut body = self.property(b"as")?;
        body.array(4, Reader::text)
    }

    /// Returns a property that is a boolean.
    pub(in crate::os) fn property_flag(&self) -> Option<bool> {
        self.property(b"b")?.number().map(|number| number != 0)
    }

    /// Returns a property that is one text.
    pub(in crate::os) fn property_text(&self) -> Option<&'a [u8]> {
        self.property(b"s")?.text()
    }

    /// Returns a property that is a number of 32 bits.
    pub(in crate::os) fn property_number(&self) -> Option<u32> {
        self.property(b"u")?.number()
    }

    /// Returns a property that is a number of 64 bits.
    pub(in crate::os) fn property_long(&self) -> Option<u64> {
        self.property(b"t")?.long()
    }

    /// Returns a property that is a pair of lists of numbers: exit codes and signals.
    pub(in crate::os) fn property_statuses(&self) -> Option<(Vec<i32>, Vec<i32>)> {
        let mut body = self.property(b"(aiai)")?;
        body.align(8)?;
        let number = |body: &mut Reader<'a>| body.number().map(u32::cast_signed);
        Some((body.array(4, number)?, body.array(4, number)?))
    }

    /// Returns a property that is a list of pairs.
    pub(in crate::os) fn property_pairs(&self) -> Option<Vec<(&'a [u8], &'a [u8])>> {
        let mut body = self.property(b"a(ss)")?;
        body.array(8, |body| Some((body.text()?, body.text()?)))
    }

    /// Returns the names and object paths in a list of units. (name, description, load state, active state, sub state,
    /// followed unit, path, job id, job kind, job path: org.freedesktop.systemd1(5).)
    pub(in crate::os) fn units(&self) -> Option<Vec<(&'a [u8], &'a [u8])>> {
        Some(self.unit_states()?.into_iter().map(|unit| (unit.name, unit.path)).collect())
    }

    /// Returns the units in a list as [`Reply::units`] does, with the sub state of each.
    pub(in crate::os) fn unit_states(&self) -> Option<Vec<UnitState<'a>>> {
        if self.signature != b"a(ssssssouso)" || self.refused {
            return None;
        }
        self.body.clone().array(8, |body| {
            let name = body.text()?;
            for _ in 0..3 {
                body.text()?;
            }
            let state = body.text()?;
            body.text()?;
            let path = body.text()?;
            body.number()?;
            body.text()?;
            body.text()?;
            Some(UnitState { name, path, state })
        })
    }

    /// Returns the mode and the inode number of each descriptor in a unit's store. (name, mode, device, inode, device
    /// of a device, path, flags: DumpUnitFileDescriptorStore of org.freedesktop.systemd1(5), systemd 254.)
    pub(in crate::os) fn stored_descriptors(&self) -> Option<Vec<(u32, u64)>> {
        if self.signature != b"a(suuutuusu)" || self.refused {
            return None;
        }
        self.body.clone().array(8, |body| {
            body.text()?;
            let mode = body.number()?;
            body.number()?;
            body.number()?;
            let inode = body.long()?;
            body.number()?;
            body.number()?;
            body.text()?;
            body.number()?;
            Some((mode, inode))
        })
    }

    fn property(&self, kind: &[u8]) -> Option<Reader<'a>> {
        let mut body = self.body.clone();
        let is = self.signature == b"v" && !self.refused && body.signature()? == kind;
        is.then_some(body)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    little: bool,
}

impl<'a> Reader<'a> {
    fn new(message: &'a [u8]) -> Option<Reader<'a>> {
        let little = match message.first()? {
            b'l' => true,
            b'B' => false,
            _ => return None,
        };
        Some(Reader { bytes: message, at: 0, little })
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn align(&mut self, to: usize) -> Option<()> {
        self.take(self.at.checked_next_multiple_of(to)? - self.at).map(|_| ())
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<u32> {
        self.align(4)?;
        let bytes: [u8; 4] = self.take(4)?.try_into().ok()?;
        Some(if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn long(&mut self) -> Option<u64> {
        self.align(8)?;
        let bytes: [u8; 8] = self.take(8)?.try_into().ok()?;
        Some(if self.little { u64::from_le_bytes(bytes) } else { u64::from_be_bytes(bytes) })
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let text = self.take(length)?;
        self.take(1)?;
        Some(text)
    }

    fn signature(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.byte()?);
        let text = self.take(length)?;
        self.take(1)?;
        Some(text)
    }

    /// Returns the elements of an array. Every element takes bytes, so there are no more elements than bytes.
    fn array<T>(
        &mut self,
        alignment: usize,
        mut element: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let length = usize::try_from(self.number()?).ok()?;
        self.align(alignment)?;
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len())?;
        let mut elements = Vec::new();
        while self.at < end {
            self.align(alignment)?;
            elements.push(element(self)?);
        }
        Some(elements)
    }
}

#[cfg(test)]
mod tests;
