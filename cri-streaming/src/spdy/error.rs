//! What a peer can do that ends a connection.

/// What the other side sent that it must not send. The connection can't go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A control frame of another version.
    #[error("a frame of version {0} of SPDY, where 3 is spoken")]
    Version(u16),
    /// A control frame that is larger than any that is needed.
    #[error("a frame of type {kind} has {length} bytes, which is more than {most}")]
    FrameSize {
        /// Its type.
        kind: u16,
        /// Its length.
        length: usize,
        /// What is read.
        most: usize,
    },
    /// A control frame that is shorter than what its type has.
    #[error("a frame of type {0} is too short for what it holds")]
    Truncated(u16),
    /// Headers whose compression is broken. What follows can't be read either.
    #[error("the compression of headers is broken")]
    Compression,
    /// Headers that grow too large.
    #[error("a block of headers has more than {0} bytes")]
    HeaderSize(usize),
    /// A block of headers that isn't one.
    #[error("a block of headers is malformed")]
    HeaderBlock,
    /// A stream with a number that this side's peer can't give, or that it has given before.
    #[error("a stream begins with the number {0}, which is not its turn")]
    StreamNumber(u32),
    /// A frame about the stream 0, which never is.
    #[error("a frame of type {0} names the stream 0")]
    StreamZero(u16),
}
