//! Commands inside of apps, and the clients that asked for them.

use std::os::fd::{AsFd, OwnedFd};

use pod::control::{ExecRequest, Response, WindowSize};
use pod::exit::{FailureKind, Outcome};
use pod::seqpacket::SeqPacket;

use super::streams::{command_pipes, pid_of};
use super::terminal;
use crate::failure::StartFailure;
use crate::protocol::ToInit;

/// A connection to the control socket.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) socket: SeqPacket,
    /// The command that this connection started.
    command: Option<Command>,
    left: bool,
}

#[derive(Debug)]
struct Command {
    id: u64,
    /// The client's ends of its streams, until it has them.
    streams: Vec<OwnedFd>,
    /// Its terminal, to be resized.
    terminal: Option<OwnedFd>,
}

impl Client {
    pub(super) fn new(socket: SeqPacket) -> Self {
        Self {
            socket,
            command: None,
            left: false,
        }
    }

    /// The connection is over. It stays in its place until nobody counts by places any more.
    pub(super) fn leave(&mut self) {
        self.left = true;
    }

    /// Whether the connection is over.
    pub(super) fn has_left(&self) -> bool {
        self.left
    }

    /// Whether this connection started the command with this number.
    pub(super) fn waits_for(&self, id: u64) -> bool {
        self.command
            .as_ref()
            .is_some_and(|command| command.id == id)
    }

    /// Passes a command on to pod init.
    pub(super) fn execute(
        &mut self,
        init: &SeqPacket,
        id: u64,
        request: ExecRequest,
    ) -> Result<(), StartFailure> {
        if self.command.is_some() {
            return Err(StartFailure::other(
                "this connection has started a command already",
            ));
        }
        let tty = request.tty;
        let message = ToInit::Exec { id, request };
        let streams = if tty {
            init.send(&message, &[])?;
            Vec::new()
        } else {
            let (theirs, ours) = command_pipes()?;
            let borrowed: Vec<_> = theirs.iter().map(AsFd::as_fd).collect();
            init.send(&message, &borrowed)?;
            ours.into()
        };
        self.command = Some(Command {
            id,
            streams,
            terminal: None,
        });
        Ok(())
    }

    /// The command runs: the client gets its streams. `fds` came from pod init.
    pub(super) fn started(&mut self, fds: Vec<OwnedFd>) -> Result<(), pod::PodError> {
        let Some(command) = &mut self.command else {
            return Ok(());
        };
        let mut fds = fds.into_iter();
        let pid = fds.next().as_ref().and_then(pid_of).unwrap_or_default();
        let mut streams = std::mem::take(&mut command.streams);
        if let Some(master) = fds.next() {
            command.terminal = master.try_clone().ok();
            streams.push(master);
        }
        let borrowed: Vec<_> = streams.iter().map(AsFd::as_fd).collect();
        self.socket.send(&Response::ExecStarted { pid }, &borrowed)
    }

    /// The command could not be started.
    pub(super) fn failed(&mut self, failure: &StartFailure) -> Result<(), pod::PodError> {
        self.command = None;
        self.refuse(failure.kind, failure.message.clone())
    }

    /// The command has ended.
    pub(super) fn ended(&mut self, outcome: Outcome) -> Result<(), pod::PodError> {
        self.command = None;
        self.socket.send(&Response::ExecExited { outcome }, &[])
    }

    /// The client's terminal has a new size.
    pub(super) fn resize(&self, size: WindowSize) {
        if let Some(Command {
            terminal: Some(master),
            ..
        }) = &self.command
        {
            terminal::resize(master, size);
        }
    }

    pub(super) fn refuse(&self, kind: FailureKind, message: String) -> Result<(), pod::PodError> {
        self.socket.send(&Response::Refused { kind, message }, &[])
    }
}
