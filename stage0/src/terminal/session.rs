//! A command inside of an app, from its start to its exit code, with our standard streams as its own.

use std::os::fd::OwnedFd;
use std::time::Duration;

use engine::Error;
use engine::error::MonitorError;
use engine::pods::connection::{START, await_answer, unexpected};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use pod::PodError;
use pod::control::{CommandUser, ExecRequest, Request, Response};
use pod::exit::Outcome;
use pod::seqpacket::SeqPacket;

use crate::console::output::Stream;
use crate::sys::outlive_closed_pipes;
use crate::terminal::pump::{Downstream, Upstream, code_unless_lost};
use crate::terminal::raw_mode::{RawMode, window_size};
use crate::terminal::waiting::{Role, Waiting, watch_signals};
use crate::wording::failure::Failure;

/// Signals that end the session, so that the terminal is put back first.
const ENDING: [Signal; 4] = [
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
];

/// How a session ended.
enum End {
    Command(Outcome),
    Signal(i32),
}

/// Runs a command to its end; gives its exit code as a shell would.
///
/// # Errors
/// If it can't be started, or does not start for long, or the pod ends before it.
pub(crate) fn run(
    connection: SeqPacket,
    request: ExecRequest,
    user: Option<CommandUser>,
    interactive: bool,
) -> Result<u8, Failure> {
    outlive_closed_pipes();
    let (tty, detach) = (request.tty, request.detach);
    let request = match user {
        None => Request::Exec(request),
        Some(user) => Request::ExecAs {
            command: request,
            user,
        },
    };
    match connection.send(&request, &[]) {
        Err(PodError::Ended) => return Err(ended_early()),
        other => other?,
    }
    // From its start on, a command may take as long as it likes.
    let descriptors = await_start(&connection, START)?;
    if detach {
        return Ok(0);
    }
    let (upstream, downstreams) = streams(descriptors, tty, interactive)?;
    // Blocked before the terminal is raw: no signal can come in between and leave it so.
    let signals = match tty {
        true => Some(watch_signals(&ENDING)?),
        false => None,
    };
    let raw = match tty && interactive {
        true => RawMode::enter()?,
        false => None,
    };
    let mut session = Session {
        connection,
        upstream,
        downstreams,
        signals,
        outcome: None,
    };
    let end = session.go_on();
    drop(raw);
    let code = match end? {
        End::Command(outcome) => outcome.exit_code(),
        End::Signal(signal) => 128 + signal,
    };
    code_unless_lost(code, &session.downstreams)
}

/// Waits until a command has started; gives its streams.
pub(crate) fn await_start(
    connection: &SeqPacket,
    patience: Duration,
) -> Result<Vec<OwnedFd>, Failure> {
    if !await_answer(connection, Some(patience))? {
        return Err(Error::Monitor(MonitorError::Mute(patience)).into());
    }
    match connection.recv::<Response>()? {
        Some((Response::ExecStarted { .. }, descriptors)) => Ok(descriptors),
        Some((Response::Refused { kind, message }, _)) => {
            Err(Error::Refusing { kind, message }.into())
        }
        Some((other, _)) => Err(unexpected(&other).into()),
        None => Err(ended_early()),
    }
}

fn ended_early() -> Failure {
    Failure::Other("the pod ended before the command".to_owned())
}

/// Three pipes (input, output, errors), or one terminal for all.
fn streams(
    descriptors: Vec<OwnedFd>,
    tty: bool,
    interactive: bool,
) -> Result<(Upstream, Vec<Downstream>), Failure> {
    let count = descriptors.len();
    let mut descriptors = descriptors.into_iter();
    match (
        tty,
        descriptors.next(),
        descriptors.next(),
        descriptors.next(),
    ) {
        (true, Some(terminal), None, None) => {
            let copy = terminal
                .try_clone()
                .map_err(Failure::io("use", "the terminal"))?;
            Ok((
                Upstream::new(copy, true, interactive)?,
                vec![Downstream::new(terminal, true, Stream::Stdout)?],
            ))
        }
        (false, Some(input), Some(output), Some(errors)) if count == 3 => Ok((
            Upstream::new(input, false, interactive)?,
            vec![
                Downstream::new(output, false, Stream::Stdout)?,
                Downstream::new(errors, false, Stream::Stderr)?,
            ],
        )),
        _ => Err(PodError::Protocol(format!("{count} descriptors came with a command")).into()),
    }
}

struct Session {
    connection: SeqPacket,
    upstream: Upstream,
    downstreams: Vec<Downstream>,
    signals: Option<SignalFd>,
    /// How the command has ended, once it has.
    outcome: Option<Outcome>,
}

impl Session {
    fn go_on(&mut self) -> Result<End, Failure> {
        loop {
            if let Some(outcome) = self.outcome {
                // The rest of it is there now, or not at all.
                for downstream in &mut self.downstreams {
                    while downstream.moves() {}
                }
                if self.is_drained() {
                    return Ok(End::Command(outcome));
                }
            }
            let ready = self.wait()?;
            if ready.contains(&Role::Signals)
                && let Some(signal) = self.signal()?
            {
                return Ok(End::Signal(signal));
            }
            if ready.contains(&Role::Input) {
                self.upstream.read();
            }
            if ready.contains(&Role::ToApp) {
                self.upstream.write();
            }
            for (at, downstream) in self.downstreams.iter_mut().enumerate() {
                if ready.contains(&Role::ToUs(at)) {
                    downstream.write();
                }
                if ready.contains(&Role::FromApp(at)) && downstream.moves() {
                    self.upstream.command_wrote();
                }
            }
            if self.downstreams.iter().all(Downstream::is_done) {
                self.upstream.hang_up();
            }
            if ready.contains(&Role::Connection) {
                self.finish()?;
            }
        }
    }

    /// Whether all that is wanted of the output has been written.
    fn is_drained(&self) -> bool {
        self.downstreams.iter().all(Downstream::is_done)
    }

    fn wait(&self) -> Result<Vec<Role>, Failure> {
        let waiting = Waiting {
            connection: self.outcome.is_none().then_some(&self.connection),
            signals: self.signals.as_ref(),
            upstream: &self.upstream,
            downstreams: &self.downstreams,
            until: None,
        };
        waiting.wait()
    }

    /// Takes signals; gives the one that ends the session.
    fn signal(&mut self) -> Result<Option<i32>, Failure> {
        let Some(signals) = &self.signals else {
            return Ok(None);
        };
        while let Ok(Some(info)) = signals.read_signal() {
            let number = i32::try_from(info.ssi_signo).unwrap_or_default();
            if number != Signal::SIGWINCH as i32 {
                return Ok(Some(number));
            }
            if let Some(size) = window_size() {
                match self.connection.send(&Request::Resize(size), &[]) {
                    // What it said last is read next.
                    Err(PodError::Ended) => {}
                    other => other?,
                }
            }
        }
        Ok(None)
    }

    /// The monitor says something: the command has ended, or the pod has.
    fn finish(&mut self) -> Result<(), Failure> {
        let outcome = match self.connection.recv::<Response>()? {
            Some((Response::ExecExited { outcome, .. }, _)) => outcome,
            Some((Response::Refused { kind, message }, _)) => {
                return Err(Error::Refusing { kind, message }.into());
            }
            Some((other, _)) => return Err(unexpected(&other).into()),
            None => return Err(ended_early()),
        };
        // What the command wrote is in the pipes by now; what its children may still write is not
        // waited for.
        self.downstreams.iter_mut().for_each(Downstream::conclude);
        self.outcome = Some(outcome);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    fn request() -> ExecRequest {
        ExecRequest {
            app: None,
            argv: vec!["x".into()],
            env: Vec::new(),
            workdir: None,
            detach: false,
            tty: false,
            size: None,
            timeout_ms: None,
            outlives: false,
        }
    }

    /// A monitor that answers a request with `count` pipes, and then with `response`.
    fn session(count: usize, response: Option<Response>) -> Result<u8, Failure> {
        let (client, monitor) = SeqPacket::pair().unwrap();
        let answers = std::thread::spawn(move || {
            monitor.recv::<Request>().unwrap().unwrap();
            let pipes: Vec<_> = (0..count).map(|_| nix::unistd::pipe().unwrap()).collect();
            let ends: Vec<_> = pipes
                .iter()
                .enumerate()
                .map(|(at, (reader, writer))| match at {
                    0 => writer.as_fd(),
                    _ => reader.as_fd(),
                })
                .collect();
            let started = Response::ExecStarted { pid: 1 };
            monitor.send(&started, &ends).unwrap();
            if let Some(response) = response {
                monitor.send(&response, &[]).unwrap();
            }
        });
        let code = run(client, request(), None, false);
        answers.join().unwrap();
        code
    }

    #[test]
    fn the_commands_code_is_ours() {
        let exited = |outcome| {
            Some(Response::ExecExited {
                outcome,
                timed_out: false,
            })
        };
        let code = session(3, exited(Outcome::Exited { code: 3 })).unwrap();
        assert_eq!(code, 3);
        let killed = Outcome::Signaled {
            signal: 9,
            oom_killed: false,
        };
        assert_eq!(session(3, exited(killed)).unwrap(), 137);
    }

    #[test]
    fn a_monitor_that_starts_nothing_is_not_waited_for_without_end() {
        let (client, _monitor) = SeqPacket::pair().unwrap();
        let failure = await_start(&client, Duration::from_millis(1)).unwrap_err();
        assert!(failure.line().contains("did not answer"), "{failure}");
    }

    #[test]
    fn a_pod_that_is_gone_has_ended() {
        let (client, monitor) = SeqPacket::pair().unwrap();
        drop(monitor);
        let failure = run(client, request(), None, false).unwrap_err();
        assert!(failure.line().contains("the pod ended"), "{failure}");
    }

    #[test]
    fn a_pod_that_ends_first_is_an_error() {
        assert_eq!(session(3, None).unwrap_err().exit_code(), 125);
    }

    #[test]
    fn too_few_descriptors_are_an_error() {
        let error = session(1, None).unwrap_err().to_string();
        assert!(error.contains("descriptor"), "{error}");
    }
}
