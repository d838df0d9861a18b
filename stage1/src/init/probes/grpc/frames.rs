//! Frames of HTTP/2 (RFC 9113, sections 4 and 6), as far as one call needs them.

/// Longest frame that is taken, which is what every server has to expect.
pub(super) const PAYLOAD_MAX: usize = 16 << 10;
pub(super) const HEADER_LENGTH: usize = 9;
/// The only stream that is ever opened.
pub(super) const STREAM: u32 = 1;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const CONTINUATION: u8 = 9;

/// Of SETTINGS and PING.
pub(super) const ACK: u8 = 1;
/// Of DATA and HEADERS.
pub(super) const END_STREAM: u8 = 1;
/// Of HEADERS and CONTINUATION.
pub(super) const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 32;

/// One frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: &'a [u8],
}

/// A frame that is longer than any may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl<'a> Frame<'a> {
    /// The first frame of these bytes, and how many it takes, if all of it has come.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Option<(Self, usize)>, TooLong> {
        let Some((header, rest)) = bytes.split_at_checked(HEADER_LENGTH) else {
            return Ok(None);
        };
        let &[a, b, c, kind, flags, d, e, f, g] = header else {
            return Ok(None);
        };
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        if length > PAYLOAD_MAX {
            return Err(TooLong);
        }
        let Some(payload) = rest.get(..length) else {
            return Ok(None);
        };
        let frame = Self {
            kind,
            flags,
            // The first bit means nothing.
            stream: u32::from_be_bytes([d & 0x7f, e, f, g]),
            payload,
        };
        Ok(Some((frame, HEADER_LENGTH + length)))
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The payload of DATA or HEADERS without what only fills it; `None` where that is longer than the frame.
    pub(super) fn content(&self) -> Option<&'a [u8]> {
        let mut content = self.payload;
        let mut padding = 0;
        if self.has(PADDED) {
            let (length, rest) = content.split_first()?;
            padding = usize::from(*length);
            content = rest;
        }
        if self.kind == HEADERS && self.has(PRIORITY) {
            content = content.get(5..)?;
        }
        content.get(..content.len().checked_sub(padding)?)
    }
}

/// Adds a frame.
pub(super) fn write(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.extend(length.to_be_bytes().iter().skip(1));
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut bytes = Vec::new();
        write(&mut bytes, DATA, END_STREAM, 1, b"abc");
        let whole = bytes.len();
        for end in 0..whole {
            assert_eq!(Frame::read(&bytes[..end]), Ok(None), "{end}");
        }
        bytes.push(7);
        let (frame, length) = Frame::read(&bytes).unwrap().unwrap();
        assert_eq!((frame.kind, frame.stream, length), (DATA, 1, whole));
        assert!(frame.has(END_STREAM) && !frame.has(END_HEADERS));
        assert_eq!(frame.content(), Some(&b"abc"[..]));
    }

    #[test]
    fn a_frame_that_is_too_long_is_refused_before_it_has_come() {
        assert_eq!(Frame::read(b"HTTP/1.1 400 Bad"), Err(TooLong));
        assert_eq!(Frame::read(&[0, 0x40, 1, 0, 0, 0, 0, 0, 1]), Err(TooLong));
        assert_eq!(Frame::read(&[0, 0x40, 0, 0, 0, 0, 0, 0, 1]), Ok(None));
    }

    #[test]
    fn what_fills_a_frame_is_left_out() {
        let content = |kind, flags, payload| {
            let frame = Frame {
                kind,
                flags,
                stream: 1,
                payload,
            };
            frame.content()
        };
        assert_eq!(content(DATA, PADDED, b"\x02abcd"), Some(&b"ab"[..]));
        assert_eq!(content(HEADERS, PRIORITY, b"12345ab"), Some(&b"ab"[..]));
        let both = PADDED | PRIORITY;
        assert_eq!(content(HEADERS, both, b"\x0112345abc"), Some(&b"ab"[..]));
        assert_eq!(content(DATA, PADDED, b"\x05abcd"), None);
        assert_eq!(content(DATA, PADDED, b""), None);
        assert_eq!(content(HEADERS, PRIORITY, b"123"), None);
    }
}
