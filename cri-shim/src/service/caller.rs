//! Callers who may go away while they are waited on.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd};

/// Somebody who waits for what a call does, as it is seen by the thread that carries it out.
#[derive(Debug)]
pub(crate) struct Caller(PipeReader);

impl Caller {
    /// One, and what has to be kept for as long as they wait.
    ///
    /// # Errors
    /// If there can't be more descriptors.
    pub(crate) fn waiting() -> io::Result<(Self, PipeWriter)> {
        let (reader, writer) = io::pipe()?;
        Ok((Self(reader), writer))
    }
}

/// What can be read, or polled, once they have gone.
impl AsFd for Caller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
