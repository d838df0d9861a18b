//! Commands in containers, waited for.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use engine::error::MonitorError;
use engine::pods::connection::{START, await_answer, connect_when_up, unexpected};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pod::PodError;
use pod::control::{ExecRequest, Request, Response};
use pod::exit::Outcome;
use pod::seqpacket::SeqPacket;

use super::command::require_command;
use crate::api::{ExecSyncRequest, ExecSyncResponse};
use crate::error::CriError;
use crate::service::Caller;
use crate::shim::Shim;
use crate::state::{self, ContainerPhase};

/// Most of the output, and of the errors, that are told of; the rest is thrown away.
const OUTPUT_MAX: usize = 16 << 20;
/// What is read at once.
const CHUNK: usize = 64 << 10;
/// Most that a pipe holds: so much is left to be read when a command has ended, whatever its children write on.
const PIPE_MAX: usize = 1 << 20;

/// Runs a command in a container, and tells what it has written and how it has ended. When its time is up, it is killed with
/// all that it has started; so it is when the caller goes away.
pub(crate) fn exec_sync(
    shim: &Shim,
    request: ExecSyncRequest,
    caller: &Caller,
) -> Result<ExecSyncResponse, CriError> {
    let ExecSyncRequest {
        container_id,
        cmd,
        timeout,
    } = request;
    require_command("cmd", &cmd)?;
    let timeout = match u64::try_from(timeout) {
        Ok(0) => None,
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            return Err(CriError::invalid(
                "timeout",
                format!("{timeout} is negative"),
            ));
        }
    };
    let not_running = |id: String| CriError::State {
        what: "container",
        id,
        reason: "does not run".to_owned(),
    };
    let (sandbox, app) = state::container(shim, &container_id)?;
    let phase = sandbox.container(&app).and_then(|one| one.phase());
    if phase != Some(ContainerPhase::Running) {
        return Err(not_running(container_id));
    }
    let connection = connect_when_up(&sandbox.entry, &shim.engine.directories)?;
    let connection = connection.ok_or_else(|| not_running(container_id.clone()))?;
    let command = ExecRequest {
        app: Some(app),
        argv: cmd,
        timeout_ms: timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)),
        env: Vec::new(),
        workdir: None,
        detach: false,
        tty: false,
        size: None,
        outlives: false,
    };
    connection.send(&Request::Exec(command), &[])?;
    let mut run = Run::begin(&connection, &container_id)?;
    let (outcome, timed_out) = run.finish(&connection, &container_id, caller)?;
    match (timed_out, timeout) {
        (true, Some(after)) => Err(CriError::Deadline {
            what: "the command".to_owned(),
            after,
        }),
        _ => Ok(ExecSyncResponse {
            stdout: run.stdout.bytes,
            stderr: run.stderr.bytes,
            exit_code: outcome.exit_code(),
        }),
    }
}

/// A command that runs.
struct Run {
    stdout: Output,
    stderr: Output,
}

impl Run {
    /// Waits until it runs.
    fn begin(connection: &SeqPacket, id: &str) -> Result<Self, CriError> {
        if !await_answer(connection, Some(START))? {
            return Err(engine::Error::from(MonitorError::Mute(START)).into());
        }
        let descriptors = match connection.recv::<Response>()? {
            Some((Response::ExecStarted { .. }, descriptors)) => descriptors,
            Some((other, _)) => return Err(refused(other)),
            None => return Err(ended(id)),
        };
        let count = descriptors.len();
        // Its input is empty: nobody holds the other end.
        let mut outputs = descriptors.into_iter().skip(1);
        match (outputs.next(), outputs.next(), outputs.next()) {
            (Some(stdout), Some(stderr), None) => Ok(Self {
                stdout: Output::of(stdout),
                stderr: Output::of(stderr),
            }),
            _ => Err(PodError::Protocol(format!("{count} descriptors came with a command")).into()),
        }
    }

    /// Reads what it writes until it has ended; gives how, and whether its time was up.
    ///
    /// # Errors
    /// [`CriError::Cancelled`] if the caller goes away before; the command ends with its connection.
    fn finish(
        &mut self,
        connection: &SeqPacket,
        id: &str,
        caller: &Caller,
    ) -> Result<(Outcome, bool), CriError> {
        loop {
            let ready = self.wait(Some((connection, caller)), PollTimeout::NONE)?;
            if ready.caller {
                return Err(CriError::Cancelled("the command"));
            }
            self.read(ready)?;
            if !ready.connection {
                continue;
            }
            let end = match connection.recv::<Response>()? {
                Some((Response::ExecExited { outcome, timed_out }, _)) => (outcome, timed_out),
                Some((other, _)) => return Err(refused(other)),
                None => return Err(ended(id)),
            };
            self.rest()?;
            return Ok(end);
        }
    }

    /// Reads what it has written before it ended. What its children write on is not waited for.
    fn rest(&mut self) -> Result<(), CriError> {
        for _ in 0..PIPE_MAX / CHUNK {
            let ready = self.wait(None, PollTimeout::ZERO)?;
            if !ready.stdout && !ready.stderr {
                break;
            }
            self.read(ready)?;
        }
        Ok(())
    }

    fn read(&mut self, ready: Ready) -> Result<(), CriError> {
        for (output, is_ready) in [
            (&mut self.stdout, ready.stdout),
            (&mut self.stderr, ready.stderr),
        ] {
            if is_ready {
                output
                    .read()
                    .map_err(CriError::io("read what the command writes"))?;
            }
        }
        Ok(())
    }

    fn wait(
        &self,
        others: Option<(&SeqPacket, &Caller)>,
        timeout: PollTimeout,
    ) -> Result<Ready, CriError> {
        let sources = [
            others.map(|(connection, _)| connection.as_fd()),
            others.map(|(_, caller)| caller.as_fd()),
            self.stdout.file.as_ref().map(AsFd::as_fd),
            self.stderr.file.as_ref().map(AsFd::as_fd),
        ];
        let open = sources.iter().flatten();
        let mut polled: Vec<_> = open.map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
        match poll(&mut polled, timeout) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(Ready::default()),
            Err(errno) => return Err(CriError::io("wait for a command")(errno.into())),
        }
        let mut polled = polled.iter().map(|one| one.any() == Some(true));
        let [connection, caller, stdout, stderr] = sources.map(|source| {
            let asked = source.map(|_| polled.next());
            asked.flatten() == Some(true)
        });
        Ok(Ready {
            connection,
            caller,
            stdout,
            stderr,
        })
    }
}

/// What can be read, and whether the caller has gone.
#[derive(Debug, Clone, Copy, Default)]
struct Ready {
    connection: bool,
    caller: bool,
    stdout: bool,
    stderr: bool,
}

/// What a command writes, as much as is told of.
struct Output {
    /// Until it has been closed.
    file: Option<File>,
    bytes: Vec<u8>,
}

impl Output {
    fn of(descriptor: OwnedFd) -> Self {
        Self {
            file: Some(File::from(descriptor)),
            bytes: Vec::new(),
        }
    }

    /// Reads what is there. What is too much is read, too, so that the command goes on.
    fn read(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let mut chunk = [0; CHUNK];
        match file.read(&mut chunk) {
            Ok(0) => self.file = None,
            Ok(count) => {
                let room = OUTPUT_MAX - self.bytes.len();
                self.bytes.extend(chunk.iter().take(count.min(room)));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn refused(response: Response) -> CriError {
    match response {
        Response::Refused { kind, message } => engine::Error::Refusing { kind, message }.into(),
        other => unexpected(&other).into(),
    }
}

fn ended(container_id: &str) -> CriError {
    CriError::State {
        what: "container",
        id: container_id.to_owned(),
        reason: "has ended before the command".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn all_is_read_and_no_more_kept_than_is_told_of() {
        let (reader, writer) = io::pipe().unwrap();
        let mut output = Output::of(OwnedFd::from(reader));
        output.bytes = vec![b'a'; OUTPUT_MAX - 3];
        let mut writer = writer;
        writer.write_all(b"12345").unwrap();
        output.read().unwrap();
        assert_eq!(output.bytes.len(), OUTPUT_MAX);
        assert!(output.bytes.ends_with(b"123"));
        writer.write_all(b"more").unwrap();
        output.read().unwrap();
        assert_eq!(output.bytes.len(), OUTPUT_MAX);
        drop(writer);
        output.read().unwrap();
        assert!(output.file.is_none());
    }
}
