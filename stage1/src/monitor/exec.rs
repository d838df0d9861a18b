//! Commands inside of apps, and the clients that asked for them.

use std::os::fd::{AsFd, OwnedFd};

use pod::control::{ExecRequest, Response};
use pod::exit::{FailureKind, Outcome};
use pod::seqpacket::SeqPacket;

use crate::failure::StartFailure;
use crate::link::stream::StreamId;
use crate::link::{HandedOver, InitLink, Process};
use crate::protocol::{ExecSpec, ProcessStreams, ToInit};

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
    terminal: Option<StreamId>,
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
        link: &mut dyn InitLink,
        id: u64,
        request: ExecRequest,
    ) -> Result<(), StartFailure> {
        if self.command.is_some() {
            return Err(StartFailure::other(
                "this connection has already started a command",
            ));
        }
        let (streams, ours) = match request.tty {
            true => {
                let terminal = link.open_terminal()?;
                let size = request.size;
                (ProcessStreams::Terminal { terminal, size }, Vec::new())
            }
            false => {
                let (stdin, input) = link.open_input()?;
                let (stdout, output) = link.open_output()?;
                let (stderr, error) = link.open_output()?;
                let streams = ProcessStreams::Pipes {
                    stdin: Some(stdin),
                    stdout,
                    stderr,
                };
                (streams, vec![input, output, error])
            }
        };
        let spec = ExecSpec {
            id,
            app: request.app,
            argv: request.argv,
            env: request.env,
            streams,
        };
        link.send(&ToInit::Exec(Box::new(spec)), HandedOver::Nothing)?;
        self.command = Some(Command {
            id,
            streams: ours,
            terminal: streams.terminal(),
        });
        Ok(())
    }

    /// The command runs: the client gets its streams.
    pub(super) fn started(
        &mut self,
        process: Option<Process>,
        terminal: Option<OwnedFd>,
    ) -> Result<(), pod::PodError> {
        let Some(command) = &mut self.command else {
            return Ok(());
        };
        let pid = process.as_ref().and_then(Process::pid).unwrap_or_default();
        let mut streams = std::mem::take(&mut command.streams);
        streams.extend(terminal);
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

    /// The terminal of its command.
    pub(super) fn terminal(&self) -> Option<StreamId> {
        self.command.as_ref().and_then(|command| command.terminal)
    }

    pub(super) fn refuse(&self, kind: FailureKind, message: String) -> Result<(), pod::PodError> {
        self.socket.send(&Response::Refused { kind, message }, &[])
    }
}
