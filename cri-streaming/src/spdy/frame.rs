//! Frames as bytes (SPDY/3.1, 2.2 and 2.6).

use super::error::Violation;

/// The number of a stream: odd if the client began it.
pub type StreamId = u32;

/// The largest control frame that is read. Those of Kubernetes' clients have a hundred bytes; the
/// specification asks for 8 KiB at least.
pub(super) const LARGEST_CONTROL: usize = 32 << 10;
/// The most bytes of data that are put into one frame.
pub(super) const LARGEST_DATA: usize = 32 << 10;

/// This side sends nothing more on the stream.
pub(super) const FLAG_FIN: u8 = 0x01;
/// The other side can send nothing on the stream.
pub(super) const FLAG_UNIDIRECTIONAL: u8 = 0x02;

/// Length of what every frame begins with.
pub(super) const HEAD: usize = 8;

pub(super) const SYN_STREAM: u16 = 1;
pub(super) const SYN_REPLY: u16 = 2;
pub(super) const RST_STREAM: u16 = 3;
pub(super) const PING: u16 = 6;
pub(super) const GOAWAY: u16 = 7;
pub(super) const HEADERS: u16 = 8;

/// Why a stream ends at once (2.6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum ResetReason {
    /// What was sent on it breaks the protocol.
    ProtocolError = 1,
    /// This side takes no such stream.
    Refused = 3,
    /// Nobody needs it any more.
    Cancel = 5,
}

/// What a frame begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    Data {
        stream: StreamId,
        flags: u8,
        length: usize,
    },
    Control {
        kind: u16,
        flags: u8,
        length: usize,
    },
}

impl Head {
    pub(super) fn parse(bytes: [u8; HEAD]) -> Result<Self, Violation> {
        let [a, b, c, d, flags, rest @ ..] = bytes;
        let [x, y, z] = rest;
        let length = u32::from_be_bytes([0, x, y, z]) as usize;
        let first = u32::from_be_bytes([a, b, c, d]);
        if first >> 31 == 0 {
            let stream = first;
            return Ok(Self::Data {
                stream,
                flags,
                length,
            });
        }
        let version = u16::from_be_bytes([a & 0x7f, b]);
        if version != 3 {
            return Err(Violation::Version(version));
        }
        let kind = u16::from_be_bytes([c, d]);
        Ok(Self::Control {
            kind,
            flags,
            length,
        })
    }
}

/// What a control frame says, its headers still compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control<'a> {
    SynStream {
        stream: StreamId,
        flags: u8,
        block: &'a [u8],
    },
    SynReply {
        stream: StreamId,
        flags: u8,
        block: &'a [u8],
    },
    Headers {
        stream: StreamId,
        flags: u8,
        block: &'a [u8],
    },
    RstStream {
        stream: StreamId,
        status: u32,
    },
    Ping(u32),
    GoAway,
    /// SETTINGS, WINDOW_UPDATE, CREDENTIAL, and what is not known: nothing follows from them.
    Other,
}

impl<'a> Control<'a> {
    pub(super) fn parse(kind: u16, flags: u8, body: &'a [u8]) -> Result<Self, Violation> {
        let short = Violation::Truncated(kind);
        let number = |at: usize| {
            let bytes = body.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            bytes.map(u32::from_be_bytes).ok_or_else(|| short.clone())
        };
        let stream = || match number(0)? & 0x7fff_ffff {
            0 => Err(Violation::StreamZero(kind)),
            stream => Ok(stream),
        };
        let after = |at: usize| body.get(at..).ok_or_else(|| short.clone());
        Ok(match kind {
            SYN_STREAM => Self::SynStream {
                stream: stream()?,
                flags,
                block: after(10)?,
            },
            SYN_REPLY => Self::SynReply {
                stream: stream()?,
                flags,
                block: after(4)?,
            },
            HEADERS => Self::Headers {
                stream: stream()?,
                flags,
                block: after(4)?,
            },
            RST_STREAM => Self::RstStream {
                stream: stream()?,
                status: number(4)?,
            },
            PING => Self::Ping(number(0)?),
            GOAWAY => Self::GoAway,
            _ => Self::Other,
        })
    }
}

/// Appends a control frame.
pub(super) fn put_control(out: &mut Vec<u8>, kind: u16, flags: u8, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    out.extend_from_slice(&[0x80, 3]);
    out.extend_from_slice(&kind.to_be_bytes());
    put_flags_and_length(out, flags, length);
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// Appends a data frame.
pub(super) fn put_data(out: &mut Vec<u8>, stream: StreamId, flags: u8, data: &[u8]) {
    out.extend_from_slice(&stream.to_be_bytes());
    put_flags_and_length(out, flags, data.len());
    out.extend_from_slice(data);
}

fn put_flags_and_length(out: &mut Vec<u8>, flags: u8, length: usize) {
    let length = u32::try_from(length).unwrap_or(u32::MAX) & 0x00ff_ffff;
    out.extend_from_slice(&(u32::from(flags) << 24 | length).to_be_bytes());
}
