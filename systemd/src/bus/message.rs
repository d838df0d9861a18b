//! Messages of D-Bus: bytes, and back (D-Bus Specification, "Message Protocol").

/// Kinds of messages.
const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;
const SIGNAL: u8 = 4;
/// Fields of a header.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;
const LITTLE_ENDIAN: u8 = b'l';
const VERSION: u8 = 1;
/// Bytes that tell how long a message is.
pub(super) const FIXED: usize = 16;
/// Longest message that is read, in bytes. Systemd's answers are shorter by far.
const LONGEST: usize = 1 << 20;

/// Bytes in the order of the wire, each value where its type has to begin.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    fn align(&mut self, to: usize) {
        while !self.0.len().is_multiple_of(to) {
            self.0.push(0);
        }
    }

    pub(super) fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.align(4);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn bool(&mut self, value: bool) {
        self.u32(u32::from(value));
    }

    /// A string, or an object path.
    pub(super) fn string(&mut self, value: &str) {
        self.u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(0);
    }

    pub(super) fn signature(&mut self, value: &str) {
        self.0.push(u8::try_from(value.len()).unwrap_or(u8::MAX));
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(0);
    }

    /// An array whose elements begin at multiples of `alignment`.
    pub(super) fn array(&mut self, alignment: usize, elements: impl FnOnce(&mut Self)) {
        self.u32(0);
        let length_at = self.0.len().saturating_sub(4);
        self.align(alignment);
        let begin = self.0.len();
        elements(self);
        let length = u32::try_from(self.0.len().saturating_sub(begin)).unwrap_or(u32::MAX);
        if let Some(place) = self.0.get_mut(length_at..length_at.saturating_add(4)) {
            place.copy_from_slice(&length.to_le_bytes());
        }
    }

    pub(super) fn structure(&mut self) {
        self.align(8);
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// A call of a method, as bytes.
pub(super) fn call(
    serial: u32,
    [destination, path, interface, member]: [&str; 4],
    signature: &str,
    body: &[u8],
) -> Vec<u8> {
    let mut message = Writer::default();
    for byte in [LITTLE_ENDIAN, METHOD_CALL, 0, VERSION] {
        message.byte(byte);
    }
    message.u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
    message.u32(serial);
    message.array(8, |fields| {
        let mut field = |number: u8, kind: &str, value: &str| {
            fields.structure();
            fields.byte(number);
            fields.signature(kind);
            match kind {
                "g" => fields.signature(value),
                _ => fields.string(value),
            }
        };
        field(PATH, "o", path);
        field(INTERFACE, "s", interface);
        field(MEMBER, "s", member);
        field(DESTINATION, "s", destination);
        if !signature.is_empty() {
            field(SIGNATURE, "g", signature);
        }
    });
    message.structure();
    let mut bytes = message.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// A message that came, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Received {
    /// A method has returned, and what.
    Returned { to: u32, values: Vec<Value> },
    /// A method has failed: the error's name, and what it says.
    Failed { to: u32, name: String, text: String },
    /// A signal.
    Signal { member: String, values: Vec<Value> },
    /// Something else.
    Other,
}

/// A value of a body that is read: the values of others are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Number(u32),
    Text(String),
}

/// How long a message is that begins so, in bytes. `None` if nothing sensible begins so.
pub(super) fn length(begin: &[u8; FIXED]) -> Option<usize> {
    let mut reader = Reader::new(begin);
    if reader.byte()? != LITTLE_ENDIAN {
        return None;
    }
    reader.at = 4;
    let body = usize::try_from(reader.u32()?).ok()?;
    reader.u32()?;
    let fields = usize::try_from(reader.u32()?).ok()?;
    let header = FIXED.checked_add(fields)?.checked_next_multiple_of(8)?;
    let whole = header.checked_add(body)?;
    (whole <= LONGEST).then_some(whole)
}

/// Reads a whole message. `None` if it is none.
pub(super) fn parse(bytes: &[u8]) -> Option<Received> {
    let mut reader = Reader::new(bytes);
    reader.byte()?;
    let kind = reader.byte()?;
    reader.at = 12;
    let fields = usize::try_from(reader.u32()?).ok()?;
    let end = FIXED.checked_add(fields)?;
    let mut texts = [const { None::<String> }; 9];
    let mut to = 0;
    while reader.at < end {
        reader.align(8);
        let field = reader.byte()?;
        match reader.signature()?.as_str() {
            "s" | "o" => {
                let text = reader.string()?;
                if let Some(place) = texts.get_mut(usize::from(field)) {
                    *place = Some(text);
                }
            }
            "g" => {
                let text = reader.signature()?;
                if let Some(place) = texts.get_mut(usize::from(field)) {
                    *place = Some(text);
                }
            }
            "u" if field == REPLY_SERIAL => to = reader.u32()?,
            "u" => {
                reader.u32()?;
            }
            _ => return None,
        }
    }
    let mut text_of = |field: u8| {
        let place = texts.get_mut(usize::from(field))?;
        place.take()
    };
    let signature = text_of(SIGNATURE).unwrap_or_default();
    reader.at = end.checked_next_multiple_of(8)?;
    let values = reader.values(&signature);
    Some(match kind {
        METHOD_RETURN => Received::Returned { to, values },
        ERROR => Received::Failed {
            to,
            name: text_of(ERROR_NAME).unwrap_or_default(),
            text: match values.into_iter().next() {
                Some(Value::Text(text)) => text,
                _ => String::new(),
            },
        },
        SIGNAL => Received::Signal {
            member: text_of(MEMBER).unwrap_or_default(),
            values,
        },
        _ => Received::Other,
    })
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u32(&mut self) -> Option<u32> {
        self.align(4);
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn string(&mut self) -> Option<String> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.text(length)
    }

    fn signature(&mut self) -> Option<String> {
        let length = usize::from(self.byte()?);
        self.text(length)
    }

    fn text(&mut self, length: usize) -> Option<String> {
        let text = String::from_utf8(self.take(length)?.to_vec()).ok()?;
        (self.byte()? == 0).then_some(text)
    }

    /// The values of a body up to the first of a type that isn't read here.
    fn values(&mut self, signature: &str) -> Vec<Value> {
        let mut values = Vec::new();
        for kind in signature.chars() {
            let value = match kind {
                'u' => self.u32().map(Value::Number),
                's' | 'o' => self.string().map(Value::Text),
                _ => None,
            };
            let Some(value) = value else { break };
            values.push(value);
        }
        values
    }
}
