//! Streams that a monitor hands over, and the connection on which it tells of the end.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use cri_streaming::{Ended, Failure, ProcessControl, ProcessStreams, TerminalSize, Wanted};
use engine::pods::connection::wait_readable;
use pod::control::{Request, Response, WindowSize};
use pod::exit::Outcome;
use pod::seqpacket::SeqPacket;

/// The descriptors of a command, or of an attachment, by what they are: one terminal for all, or input (if there is one),
/// output and errors.
///
/// # Errors
/// If so many don't fit.
pub(super) fn streams(
    descriptors: Vec<OwnedFd>,
    is_terminal: bool,
    has_input: bool,
    wanted: Wanted,
) -> Result<ProcessStreams, Failure> {
    let count = descriptors.len();
    let mut descriptors = descriptors.into_iter();
    if is_terminal && count == 1 && has_input {
        let terminal = descriptors.next().ok_or("no terminal came")?;
        return Ok(ProcessStreams::Terminal(terminal));
    }
    let stdin = match has_input {
        true => descriptors.next(),
        false => None,
    };
    let (stdout, stderr) = (descriptors.next(), descriptors.next());
    if stdout.is_none() || descriptors.next().is_some() {
        return Err(format!("{count} descriptors came").into());
    }
    Ok(ProcessStreams::Pipes {
        stdin: stdin.filter(|_| wanted.stdin()),
        stdout,
        stderr,
    })
}

/// Closes outputs of an app that nobody asked for: what is written to them can't be too much then. A command's stay open,
/// or writing would end it.
pub(super) fn only_wanted(streams: ProcessStreams, wanted: Wanted) -> ProcessStreams {
    match streams {
        ProcessStreams::Pipes {
            stdin,
            stdout,
            stderr,
        } => ProcessStreams::Pipes {
            stdin,
            stdout: stdout.filter(|_| wanted.stdout()),
            stderr: stderr.filter(|_| wanted.stderr()),
        },
        terminal @ ProcessStreams::Terminal(_) => terminal,
    }
}

/// A command that was begun.
pub(super) struct Executed(SeqPacket);

/// An app that is attached to.
pub(super) struct Attached(SeqPacket);

impl Executed {
    pub(super) fn new(connection: SeqPacket) -> Self {
        Self(connection)
    }
}

impl Attached {
    pub(super) fn new(connection: SeqPacket) -> Self {
        Self(connection)
    }
}

impl ProcessControl for Executed {
    fn resize(&mut self, size: TerminalSize) -> io::Result<()> {
        resize(&self.0, size)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }

    fn ended(&mut self) -> Option<Ended> {
        Some(match said(&self.0)? {
            Said::Word(Response::ExecExited { outcome, .. }) => exited(outcome),
            Said::Word(other) => Ended::Failed(format!("the monitor says {other:?}")),
            Said::Nothing => Ended::Failed("the pod has ended".to_owned()),
        })
    }
}

impl ProcessControl for Attached {
    fn resize(&mut self, size: TerminalSize) -> io::Result<()> {
        resize(&self.0, size)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }

    fn ended(&mut self) -> Option<Ended> {
        Some(match said(&self.0)? {
            // It has not read what the app writes, and is told so.
            Said::Word(Response::Refused { message, .. }) => Ended::Failed(message),
            // How an app has ended is told by its status; who attached to it has seen its output.
            Said::Word(_) | Said::Nothing => Ended::Detached,
        })
    }
}

enum Said {
    Word(Response),
    /// It has hung up.
    Nothing,
}

/// What a monitor says, if it does so now.
fn said(connection: &SeqPacket) -> Option<Said> {
    if !wait_readable(connection, Some(Duration::ZERO)).unwrap_or(true) {
        return None;
    }
    Some(match connection.recv::<Response>() {
        Ok(Some((response, _))) => Said::Word(response),
        Ok(None) | Err(_) => Said::Nothing,
    })
}

fn exited(outcome: Outcome) -> Ended {
    match u8::try_from(outcome.exit_code()) {
        Ok(code) => Ended::Exited(code),
        Err(_) => Ended::Failed(format!("it ended with {}", outcome.exit_code())),
    }
}

fn resize(connection: &SeqPacket, size: TerminalSize) -> io::Result<()> {
    let size = WindowSize {
        rows: size.rows,
        cols: size.columns,
    };
    let sent = connection.send(&Request::Resize(size), &[]);
    sent.map_err(io::Error::other)
}
