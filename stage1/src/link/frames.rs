//! Frames over one byte stream: how they are written, and a parser that takes bytes as they come.
//!
//! | bytes | what |
//! |---|---|
//! | 0–2 | length of what follows the header, at most [`PAYLOAD_MAX`]; little endian, as all numbers |
//! | 3 | kind |
//! | 4–7 | stream; 0 is the connection itself |
//!
//! | kind | stream | payload |
//! |---|---|---|
//! | 1 hello | 0 | [`Hello`]: begins a connection |
//! | 2 message | 0 | a part of a control message, and more follows |
//! | 3 message end | 0 | the last part of a control message |
//! | 4 open | any | one byte: its [`StreamKind`] |
//! | 5 data | any | bytes of the stream, at least one |
//! | 6 finish | any | – : the sender will send no more data |
//! | 7 stop | any | – : the sender takes no more data |
//! | 8 credit | any | four bytes: how much more data the sender takes |
//! | 9 end | 0 | – : the sender says nothing more at all |

use std::num::NonZeroU32;

use super::stream::{StreamId, StreamKind};

/// Most bytes that follow a header.
pub const PAYLOAD_MAX: usize = 32 << 10;
/// Length of a header.
pub const HEADER: usize = 8;

/// What begins a [`Hello`]: bytes that nobody writes by chance, and the version of this format.
const MAGIC: [u8; 10] = *b"\xf1fairing\x01\x00";
/// Length of the payload of a hello.
const HELLO: usize = MAGIC.len() + 2 * NONCE;
/// Length of a nonce.
const NONCE: usize = 16;
/// What every hello begins with, whoever sends it.
pub(super) const HELLO_START: [u8; HEADER + MAGIC.len()] =
    *b"\x2a\0\0\x01\0\0\0\0\xf1fairing\x01\0";

/// The numbers of the kinds.
mod kind {
    pub(super) const HELLO: u8 = 1;
    pub(super) const MESSAGE: u8 = 2;
    pub(super) const MESSAGE_END: u8 = 3;
    pub(super) const OPEN: u8 = 4;
    pub(super) const DATA: u8 = 5;
    pub(super) const FINISH: u8 = 6;
    pub(super) const STOP: u8 = 7;
    pub(super) const CREDIT: u8 = 8;
    pub(super) const END: u8 = 9;
}

/// A number that names one end of one connection.
pub type Nonce = [u8; NONCE];

/// The first frame that each side sends, and again in answer to one that doesn't know it yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    /// The sender.
    pub own: Nonce,
    /// The other side as far as the sender has heard of it; zero if it has not.
    pub heard: Nonce,
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Begins a connection.
    Hello(Hello),
    /// A part of a control message.
    Message {
        /// The part.
        part: Vec<u8>,
        /// Whether it is the last one.
        last: bool,
    },
    /// A new stream.
    Open {
        /// Its number.
        stream: StreamId,
        /// Which way its bytes go.
        kind: StreamKind,
    },
    /// Bytes of a stream.
    Data {
        /// Which.
        stream: StreamId,
        /// At least one.
        bytes: Vec<u8>,
    },
    /// The sender will send no more data.
    Finish {
        /// On which stream.
        stream: StreamId,
    },
    /// The sender takes no more data.
    Stop {
        /// On which stream.
        stream: StreamId,
    },
    /// The sender takes more data.
    Credit {
        /// On which stream.
        stream: StreamId,
        /// How many bytes more.
        bytes: NonZeroU32,
    },
    /// The sender says nothing more at all.
    End,
}

/// Bytes that are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than any frame.
    #[error("a frame of {length} bytes is longer than {PAYLOAD_MAX} bytes")]
    TooLong {
        /// What the header says.
        length: usize,
    },
    /// A kind that there is not.
    #[error("frames of kind {0} are not known")]
    UnknownKind(u8),
    /// A kind with another length than it has.
    #[error("a frame of kind {kind} can't have {length} bytes")]
    WrongLength {
        /// Which kind.
        kind: u8,
        /// What the header says.
        length: usize,
    },
    /// A kind that speaks of streams without one, or of the connection with one.
    #[error("a frame of kind {kind} can't be about stream {stream}")]
    WrongStream {
        /// Which kind.
        kind: u8,
        /// What the header says.
        stream: u32,
    },
    /// A hello that doesn't begin as one.
    #[error("a hello doesn't begin as one of this version")]
    NoMagic,
    /// A kind of stream that there is not.
    #[error("streams of kind {0} are not known")]
    UnknownStreamKind(u8),
    /// Credit for nothing.
    #[error("credit for no bytes")]
    NoCredit,
}

/// A header that is worth reading on for.
#[derive(Debug, Clone, Copy)]
struct Header {
    length: usize,
    kind: u8,
    stream: Option<StreamId>,
}

impl Header {
    fn parse(bytes: [u8; HEADER]) -> Result<Self, FrameError> {
        let [l0, l1, l2, kind, s0, s1, s2, s3] = bytes;
        let length = u32::from_le_bytes([l0, l1, l2, 0]) as usize;
        let stream = u32::from_le_bytes([s0, s1, s2, s3]);
        let on_stream = match kind {
            kind::HELLO | kind::MESSAGE | kind::MESSAGE_END | kind::END => false,
            kind::OPEN..=kind::CREDIT => true,
            unknown => return Err(FrameError::UnknownKind(unknown)),
        };
        if on_stream != (stream != 0) {
            return Err(FrameError::WrongStream { kind, stream });
        }
        if length > PAYLOAD_MAX {
            return Err(FrameError::TooLong { length });
        }
        let fits = match kind {
            kind::HELLO => length == HELLO,
            kind::OPEN => length == 1,
            kind::CREDIT => length == 4,
            kind::FINISH | kind::STOP | kind::END => length == 0,
            kind::MESSAGE | kind::DATA => length > 0,
            _ => true,
        };
        if !fits {
            return Err(FrameError::WrongLength { kind, length });
        }
        Ok(Self {
            length,
            kind,
            stream: NonZeroU32::new(stream).map(StreamId::new),
        })
    }

    fn frame(self, payload: &[u8]) -> Result<Frame, FrameError> {
        let Some(stream) = self.stream else {
            return match self.kind {
                kind::HELLO => Hello::parse(payload).map(Frame::Hello),
                kind::END => Ok(Frame::End),
                kind => Ok(Frame::Message {
                    part: payload.to_vec(),
                    last: kind == kind::MESSAGE_END,
                }),
            };
        };
        match (self.kind, payload) {
            (kind::OPEN, [kind]) => Ok(Frame::Open {
                stream,
                kind: stream_kind(*kind)?,
            }),
            (kind::CREDIT, [a, b, c, d]) => {
                let bytes = u32::from_le_bytes([*a, *b, *c, *d]);
                let bytes = NonZeroU32::new(bytes).ok_or(FrameError::NoCredit)?;
                Ok(Frame::Credit { stream, bytes })
            }
            (kind::FINISH, _) => Ok(Frame::Finish { stream }),
            (kind::STOP, _) => Ok(Frame::Stop { stream }),
            _ => Ok(Frame::Data {
                stream,
                bytes: payload.to_vec(),
            }),
        }
    }
}

impl Hello {
    /// Reads the payload of a hello.
    fn parse(payload: &[u8]) -> Result<Self, FrameError> {
        let rest = payload.strip_prefix(&MAGIC).ok_or(FrameError::NoMagic)?;
        let (length, kind) = (payload.len(), kind::HELLO);
        let wrong = FrameError::WrongLength { kind, length };
        let (own, rest) = rest.split_first_chunk().ok_or(wrong)?;
        let (heard, _) = rest.split_first_chunk().ok_or(wrong)?;
        Ok(Self {
            own: *own,
            heard: *heard,
        })
    }

    /// Reads a frame that begins with [`HELLO_START`]; `None` if there are not enough bytes yet.
    pub(super) fn read(frame: &[u8]) -> Option<Self> {
        Self::parse(frame.get(HEADER..HEADER + HELLO)?).ok()
    }
}

/// The numbers of the kinds of streams.
fn stream_kind_byte(kind: StreamKind) -> u8 {
    match kind {
        StreamKind::ToPod => 1,
        StreamKind::FromPod => 2,
        StreamKind::Terminal => 3,
    }
}

fn stream_kind(byte: u8) -> Result<StreamKind, FrameError> {
    let all = [StreamKind::ToPod, StreamKind::FromPod, StreamKind::Terminal];
    all.into_iter()
        .find(|kind| stream_kind_byte(*kind) == byte)
        .ok_or(FrameError::UnknownStreamKind(byte))
}

impl Frame {
    /// Appends the frame as bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Hello(hello) => {
                header(out, HELLO, kind::HELLO, 0);
                out.extend_from_slice(&MAGIC);
                out.extend_from_slice(&hello.own);
                out.extend_from_slice(&hello.heard);
            }
            Self::Message { part, last } => {
                let kind = match last {
                    true => kind::MESSAGE_END,
                    false => kind::MESSAGE,
                };
                header(out, part.len(), kind, 0);
                out.extend_from_slice(part);
            }
            Self::Open { stream, kind } => {
                header(out, 1, kind::OPEN, stream.number());
                out.push(stream_kind_byte(*kind));
            }
            Self::Data { stream, bytes } => write_data(out, *stream, bytes),
            Self::Finish { stream } => header(out, 0, kind::FINISH, stream.number()),
            Self::Stop { stream } => header(out, 0, kind::STOP, stream.number()),
            Self::Credit { stream, bytes } => {
                header(out, 4, kind::CREDIT, stream.number());
                out.extend_from_slice(&bytes.get().to_le_bytes());
            }
            Self::End => header(out, 0, kind::END, 0),
        }
    }
}

/// Appends a data frame. `bytes` are one to [`PAYLOAD_MAX`].
pub(super) fn write_data(out: &mut Vec<u8>, stream: StreamId, bytes: &[u8]) {
    header(out, bytes.len(), kind::DATA, stream.number());
    out.extend_from_slice(bytes);
}

/// Appends a control message, in as many parts as it takes.
pub(super) fn write_message(out: &mut Vec<u8>, message: &[u8]) {
    let mut rest = message;
    while let Some((part, more)) = rest.split_at_checked(PAYLOAD_MAX) {
        if more.is_empty() {
            break;
        }
        header(out, part.len(), kind::MESSAGE, 0);
        out.extend_from_slice(part);
        rest = more;
    }
    header(out, rest.len(), kind::MESSAGE_END, 0);
    out.extend_from_slice(rest);
}

fn header(out: &mut Vec<u8>, length: usize, kind: u8, stream: u32) {
    let [l0, l1, l2, ..] = length.to_le_bytes();
    let [s0, s1, s2, s3] = stream.to_le_bytes();
    out.extend_from_slice(&[l0, l1, l2, kind, s0, s1, s2, s3]);
}

/// Takes bytes in any pieces and gives frames. Holds one frame at most.
#[derive(Debug, Default)]
pub struct Parser {
    partial: Vec<u8>,
}

impl Parser {
    /// Takes bytes from the front of `bytes`, up to the end of the next frame.
    ///
    /// # Errors
    /// If they are no frame. Nothing that comes after can be trusted then.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Frame>, FrameError> {
        if !self.fill(bytes, HEADER) {
            return Ok(None);
        }
        let Some((start, _)) = self.partial.split_first_chunk() else {
            return Ok(None);
        };
        let header = Header::parse(*start)?;
        if !self.fill(bytes, HEADER + header.length) {
            return Ok(None);
        }
        let payload = self.partial.get(HEADER..).unwrap_or_default();
        let frame = header.frame(payload)?;
        // Gives the memory back: most connections are quiet most of the time.
        self.partial = Vec::new();
        Ok(Some(frame))
    }

    /// Moves bytes until there are `wanted`. `false` if there are too few.
    fn fill(&mut self, bytes: &mut &[u8], wanted: usize) -> bool {
        let missing = wanted.saturating_sub(self.partial.len());
        let (now, later) = bytes.split_at(missing.min(bytes.len()));
        self.partial.extend_from_slice(now);
        *bytes = later;
        self.partial.len() >= wanted
    }

    /// How many bytes of an unfinished frame it holds.
    pub fn held(&self) -> usize {
        self.partial.len()
    }
}

#[cfg(test)]
mod tests;
