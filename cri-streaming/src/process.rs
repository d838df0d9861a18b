//! A process whose streams are served: what the caller of the server hands over.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

/// Which streams a client of exec or attach may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    stdin: bool,
    stdout: bool,
    stderr: bool,
    terminal: bool,
}

/// Streams that can't be asked for together. To be answered as INVALID_ARGUMENT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WantedError {
    /// None at all.
    #[error("one of stdin, stdout and stderr must be set")]
    Nothing,
    /// A terminal has one stream of output.
    #[error("tty and stderr cannot both be set: a terminal has one stream of output")]
    TerminalWithStderr,
}

impl Wanted {
    /// These streams, as an ExecRequest or AttachRequest of the CRI has them.
    ///
    /// # Errors
    /// [`WantedError`].
    pub fn new(
        stdin: bool,
        stdout: bool,
        stderr: bool,
        terminal: bool,
    ) -> Result<Self, WantedError> {
        if !(stdin || stdout || stderr) {
            return Err(WantedError::Nothing);
        }
        if terminal && stderr {
            return Err(WantedError::TerminalWithStderr);
        }
        Ok(Self {
            stdin,
            stdout,
            stderr,
            terminal,
        })
    }

    /// The client may write to it.
    #[must_use]
    pub fn stdin(self) -> bool {
        self.stdin
    }

    /// The client reads what it writes.
    #[must_use]
    pub fn stdout(self) -> bool {
        self.stdout
    }

    /// The client reads its errors by themselves.
    #[must_use]
    pub fn stderr(self) -> bool {
        self.stderr
    }

    /// Its streams are a terminal.
    #[must_use]
    pub fn terminal(self) -> bool {
        self.terminal
    }
}

/// A process that was started, or an app that was attached to.
///
/// All descriptors are made non-blocking, which those who share their open file descriptions see
/// too.
pub struct Process {
    /// Where it is written to and read from.
    pub streams: ProcessStreams,
    /// What else can be done with it.
    pub control: Box<dyn ProcessControl>,
}

/// The streams of a process, seen from outside.
#[derive(Debug)]
pub enum ProcessStreams {
    /// Pipes or sockets. What the client didn't ask for can be left out.
    Pipes {
        /// Its standard input is read from the other end.
        stdin: Option<OwnedFd>,
        /// Its standard output comes from here.
        stdout: Option<OwnedFd>,
        /// Its standard error comes from here.
        stderr: Option<OwnedFd>,
    },
    /// The primary side of its terminal, for both directions.
    Terminal(OwnedFd),
}

/// A handle on a process. Dropping it must not end the process.
pub trait ProcessControl: Send {
    /// Gives its terminal another size.
    ///
    /// # Errors
    /// It is not given; the session goes on.
    fn resize(&mut self, size: TerminalSize) -> io::Result<()>;

    /// A descriptor that becomes readable when [`Self::ended`] is to be asked, and stays so only
    /// if that has to be asked again. `None` if nothing tells of the end: then it is the end of
    /// all output.
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;

    /// How it ended, if it has. Doesn't wait.
    fn ended(&mut self) -> Option<Ended>;
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code; or by a signal, which shells call 128 and its number.
    Exited(u8),
    /// What was served of it is over without it having ended: the client is told of success.
    Detached,
    /// It can't be known, or it couldn't be served. The client is told why.
    Failed(String),
}

/// The size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalSize {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
}
