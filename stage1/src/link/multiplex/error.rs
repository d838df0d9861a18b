//! Why a connection can't go on.

use crate::link::frames::FrameError;
use crate::link::greeting::NoHello;

/// Why a connection can't go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MultiplexError {
    /// It did not begin.
    #[error(transparent)]
    NoHello(#[from] NoHello),
    /// What came is no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The connection has begun already.
    #[error("the other side began anew")]
    BeganAnew,
    /// Only the monitor opens streams.
    #[error("pod init can't open stream {0}")]
    NotTheOpener(u32),
    /// A number that is not above all before.
    #[error("stream {0} was opened before")]
    OpenedBefore(u32),
    /// More streams than there may be.
    #[error("there may be no more than {0} streams at a time")]
    TooManyStreams(usize),
    /// A stream that nobody opened.
    #[error("there is no stream {0}")]
    UnknownStream(u32),
    /// More data than was allowed.
    #[error("more data came on stream {0} than it may hold")]
    BeyondWindow(u32),
    /// Data where there was to be no more, or never any.
    #[error("data came on stream {0} after its end")]
    AfterFinish(u32),
    /// More credit than a window.
    #[error("more credit was given on stream {0} than it may have")]
    TooMuchCredit(u32),
    /// A control message that is too long.
    #[error("a control message is longer than {0} bytes")]
    MessageTooLong(usize),
    /// Something came after that.
    #[error("the other side goes on after it has said that it ends")]
    AfterEnd,
    /// The other side doesn't read.
    #[error("the other side doesn't read what it is told")]
    DoesNotRead,
}
