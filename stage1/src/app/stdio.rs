//! The standard streams of a process: pipes, or a terminal that is made here.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use pod::control::WindowSize;
use rustix::fs::{Uid, fchown};

use crate::app::devices::Terminal;
use crate::failure::StartFailure;
use crate::link::StreamEnds;
use crate::link::stream::StreamId;
use crate::protocol::ProcessStreams;
use crate::sys;
use pod::accounts::Identity;

/// The terminal of a process that runs, to be given another size. Closed when that process has ended, so that who
/// reads what is written to it finds the end.
#[derive(Debug)]
pub(crate) struct OpenTerminal {
    pub(crate) stream: StreamId,
    slave: OwnedFd,
}

impl OpenTerminal {
    /// Gives it another size.
    pub(crate) fn resize(&self, size: WindowSize) {
        // A terminal that is gone has no size.
        let _ = sys::set_window_size(self.slave.as_fd(), size.rows, size.cols);
    }
}

/// The pod's ends of a process's standard streams.
#[derive(Debug)]
pub(crate) enum Stdio {
    Pipes {
        stdin: Option<OwnedFd>,
        stdout: OwnedFd,
        stderr: OwnedFd,
    },
    Nothing,
    Terminal {
        stream: StreamId,
        size: Option<WindowSize>,
    },
}

impl Stdio {
    /// Takes them from what came with a message.
    pub(crate) fn take(
        streams: ProcessStreams,
        ends: &mut StreamEnds,
    ) -> Result<Self, StartFailure> {
        Ok(match streams {
            ProcessStreams::Pipes {
                stdin,
                stdout,
                stderr,
            } => Self::Pipes {
                stdin: stdin.map(|id| ends.take(id)).transpose()?,
                stdout: ends.take(stdout)?,
                stderr: ends.take(stderr)?,
            },
            ProcessStreams::Nothing => Self::Nothing,
            ProcessStreams::Terminal { terminal, size } => Self::Terminal {
                stream: terminal,
                size,
            },
        })
    }

    /// The stream of the terminal, if that is what they are.
    pub(crate) fn terminal(&self) -> Option<StreamId> {
        match self {
            Self::Terminal { stream, .. } => Some(*stream),
            Self::Pipes { .. } | Self::Nothing => None,
        }
    }
}

/// What stays here of the terminal of a process that runs, and what goes to the monitor.
pub(crate) fn keep_terminal(
    stdio: &Stdio,
    terminal: Option<Terminal>,
) -> (Option<OpenTerminal>, Option<OwnedFd>) {
    match (stdio.terminal(), terminal) {
        (Some(stream), Some(Terminal { master, slave })) => {
            (Some(OpenTerminal { stream, slave }), Some(master))
        }
        _ => (None, None),
    }
}

/// The three standard streams of a process, which its user may open again through `/dev/stdout`. `null` stands for an
/// input that is empty.
pub(crate) fn choose_streams<'a>(
    terminal: Option<&'a Terminal>,
    stdio: &'a Stdio,
    null: &'a OwnedFd,
    identity: &Identity,
) -> Result<[BorrowedFd<'a>; 3], StartFailure> {
    let owner = Some(Uid::from_raw(identity.uid));
    match (stdio, terminal) {
        (Stdio::Terminal { size, .. }, Some(terminal)) => {
            fchown(&terminal.slave, owner, None).map_err(StartFailure::os("own the terminal"))?;
            if let Some(WindowSize { rows, cols }) = size {
                sys::set_window_size(terminal.slave.as_fd(), *rows, *cols)
                    .map_err(StartFailure::os("set the terminal's size"))?;
            }
            Ok([terminal.slave.as_fd(); 3])
        }
        (
            Stdio::Pipes {
                stdin,
                stdout,
                stderr,
            },
            _,
        ) => {
            for stream in stdin.iter().chain([stdout, stderr]) {
                fchown(stream, owner, None).map_err(StartFailure::os("own a standard stream"))?;
            }
            let stdin = stdin.as_ref().unwrap_or(null);
            Ok([stdin.as_fd(), stdout.as_fd(), stderr.as_fd()])
        }
        (Stdio::Nothing, _) => Ok([null.as_fd(); 3]),
        (Stdio::Terminal { .. }, None) => Err(StartFailure::other("the terminal is missing")),
    }
}
