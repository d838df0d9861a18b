//! The process in an app at the other end of a copy: what it sends, what it takes, and how it ends.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::time::{Duration, Instant};

use engine::Engine;
use engine::pods::connection::START;
use engine::pods::copy_at_rest::{CopyAtRest, copy};
use engine::pods::files::still_there;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pod::control::{CopyRequest, Request, Response};
use pod::exit::Outcome;
use pod::seqpacket::SeqPacket;
use pod::{LockedPod, PodEntry, PodError};

use crate::console::output;
use crate::terminal::session::await_start;
use crate::wording::failure::{Failure, one_line};

/// Most of what it tells that is kept, in bytes. The rest is read, so that it does not wait, and dropped.
const TOLD_MAX: usize = 64 << 10;

/// The process, and what it tells on its standard error, which is not believed.
pub(crate) struct CopyProcess {
    whose: Whose,
    /// The pod, as it was typed.
    pod: String,
    input: Option<File>,
    output: Option<File>,
    errors: Option<File>,
    told: Vec<u8>,
}

/// Whose the process is.
enum Whose {
    /// The pod's, which runs: the monitor tells of its end.
    Pods(SeqPacket),
    /// This command's own, through the isolator.
    Own(Box<OwnProcess>),
}

/// A child, which ends with this.
struct OwnProcess {
    child: Child,
    /// Whose files it copies.
    entry: PodEntry,
    /// Of a pod that was prepared.
    _lock: Option<LockedPod>,
}

impl Drop for OwnProcess {
    fn drop(&mut self) {
        // It has ended, as a rule; else nobody wants what it does.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl CopyProcess {
    /// Has the isolator of a pod that doesn't run start it.
    ///
    /// # Errors
    /// If it does not start.
    pub(crate) fn at_rest(
        engine: &Engine,
        pod: &str,
        entry: &PodEntry,
        request: &CopyRequest,
    ) -> Result<Self, Failure> {
        let CopyAtRest {
            mut child,
            pod: lock,
        } = copy(engine, entry, request)?;
        let streams = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let own = OwnProcess {
            child,
            entry: entry.clone(),
            _lock: lock,
        };
        let (Some(input), Some(output), Some(errors)) = streams else {
            return Err(Failure::Other(
                "a process was started without its streams".to_owned(),
            ));
        };
        Self::new(
            pod,
            Whose::Own(Box::new(own)),
            [input.into(), output.into(), errors.into()],
        )
    }

    /// Has the monitor start it.
    ///
    /// # Errors
    /// If it does not start.
    pub(crate) fn start(
        connection: SeqPacket,
        pod: &str,
        request: CopyRequest,
    ) -> Result<Self, Failure> {
        match connection.send(&Request::Copy(request), &[]) {
            Err(PodError::Ended) => return Err(ended_early()),
            other => other?,
        }
        let descriptors = await_start(&connection, START)?;
        let count = descriptors.len();
        let Ok(streams) = <[OwnedFd; 3]>::try_from(descriptors) else {
            return Err(PodError::Protocol(format!("{count} descriptors came with a copy")).into());
        };
        Self::new(pod, Whose::Pods(connection), streams)
    }

    fn new(
        pod: &str,
        whose: Whose,
        [input, output, errors]: [OwnedFd; 3],
    ) -> Result<Self, Failure> {
        for stream in [&input, &output, &errors] {
            set_nonblocking(stream)
                .map_err(|errno| Failure::Other(format!("cannot use a stream: {errno}")))?;
        }
        Ok(Self {
            whose,
            pod: pod.to_owned(),
            input: Some(File::from(input)),
            output: Some(File::from(output)),
            errors: Some(File::from(errors)),
            told: Vec::new(),
        })
    }

    /// Nothing more comes for it.
    pub(crate) fn end_input(&mut self) {
        self.input = None;
    }

    /// Nothing of what it sends is wanted any more.
    pub(crate) fn end_output(&mut self) {
        self.output = None;
    }

    /// Waits for its end. What it told is shown; that it failed is a failure, for the reason that it told last. One that tells
    /// none fails for `own`, what failed here, and so does one that does not fail.
    ///
    /// # Errors
    /// That, or if the pod ends before it, or if it takes longer than this.
    pub(crate) fn finish(
        mut self,
        patience: Option<Duration>,
        own: Option<Failure>,
    ) -> Result<(), Failure> {
        self.end_input();
        self.end_output();
        let deadline = patience.and_then(|patience| Instant::now().checked_add(patience));
        let outcome = loop {
            if self.wait_for_end(deadline)? {
                break self.whose.outcome()?;
            }
        };
        self.take_told();
        let told = String::from_utf8_lossy(&self.told).into_owned();
        // Both sides have paths.
        let told = told.lines().map(one_line);
        let mut lines: Vec<String> = told
            .map(|line| format!("in pod {}: {line}", self.pod))
            .collect();
        let told = match outcome {
            Outcome::Exited { code: 0 } => None,
            _ => lines.pop(),
        };
        for line in &lines {
            output::warn(line);
        }
        match (told, own, outcome) {
            (Some(told), ..) => Err(Failure::Other(told)),
            (None, Some(own), _) => Err(own),
            (None, None, Outcome::Exited { code: 0 }) => match &self.whose {
                Whose::Own(own) => Ok(still_there(&own.entry)?),
                Whose::Pods(_) => Ok(()),
            },
            (None, None, outcome) => {
                let code = outcome.exit_code();
                let message = format!("the process that copies ended early (exit code {code})");
                Err(Failure::Other(message))
            }
        }
    }

    /// Waits until there is word of its end; false if it was something else.
    fn wait_for_end(&mut self, deadline: Option<Instant>) -> Result<bool, Failure> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(Failure::Other(
                "the process that copies has sent all, and does not end".to_owned(),
            ));
        }
        let timeout = left.map_or(PollTimeout::NONE, |left| {
            let left = left.saturating_add(Duration::from_millis(1));
            left.try_into().unwrap_or(PollTimeout::MAX)
        });
        if let (Whose::Own(_), None) = (&self.whose, &self.errors) {
            // It has told all that it has to tell, and so it ends.
            return Ok(true);
        }
        let errors = self.errors.as_ref();
        let errors = errors.map(|errors| PollFd::new(errors.as_fd(), PollFlags::POLLIN));
        let mut waited: Vec<_> = errors.into_iter().collect();
        if let Whose::Pods(connection) = &self.whose {
            waited.insert(0, PollFd::new(connection.as_fd(), PollFlags::POLLIN));
        }
        wait(&mut waited, timeout)
            .map_err(|error| Failure::Other(format!("cannot wait: {error}")))?;
        let is_ready = waited.first().and_then(PollFd::any).unwrap_or(false);
        self.take_told();
        Ok(match &self.whose {
            Whose::Pods(_) => is_ready,
            Whose::Own(_) => false,
        })
    }

    /// Reads what it tells, as far as it is there.
    fn take_told(&mut self) {
        let mut buffer = [0; 4096];
        while let Some(errors) = &mut self.errors {
            match errors.read(&mut buffer) {
                Ok(0) => self.errors = None,
                Ok(length) => {
                    let room = TOLD_MAX.saturating_sub(self.told.len());
                    self.told.extend(buffer.iter().take(length.min(room)));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.errors = None,
            }
        }
    }
}

impl Whose {
    /// How it has ended, of which there is word.
    fn outcome(&mut self) -> Result<Outcome, Failure> {
        let connection = match self {
            Self::Pods(connection) => connection,
            Self::Own(process) => {
                let status = process.child.wait();
                let status = status.map_err(|error| {
                    Failure::Other(format!("cannot wait for a process: {error}"))
                })?;
                return Ok(match (status.code(), status.signal()) {
                    (Some(code), _) => Outcome::Exited { code },
                    (None, signal) => Outcome::Signaled {
                        signal: signal.unwrap_or_default(),
                        oom_killed: false,
                    },
                });
            }
        };
        match connection.recv::<Response>()? {
            Some((Response::ExecExited { outcome, .. }, _)) => Ok(outcome),
            Some((Response::Refused { kind, message }, _)) => {
                Err(engine::Error::Refusing { kind, message }.into())
            }
            Some((other, _)) => Err(engine::pods::connection::unexpected(&other).into()),
            None => Err(ended_early()),
        }
    }
}

/// What it sends.
impl Read for CopyProcess {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(output) = &mut self.output else {
                return Ok(0);
            };
            match output.read(room) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
            let mut waited = vec![PollFd::new(output.as_fd(), PollFlags::POLLIN)];
            let errors = self.errors.as_ref();
            waited.extend(errors.map(|errors| PollFd::new(errors.as_fd(), PollFlags::POLLIN)));
            wait(&mut waited, PollTimeout::NONE)?;
            self.take_told();
        }
    }
}

/// What it takes.
impl Write for CopyProcess {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let Some(input) = &mut self.input else {
                return Err(io::ErrorKind::BrokenPipe.into());
            };
            match input.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
            let mut waited = vec![PollFd::new(input.as_fd(), PollFlags::POLLOUT)];
            let errors = self.errors.as_ref();
            waited.extend(errors.map(|errors| PollFd::new(errors.as_fd(), PollFlags::POLLIN)));
            wait(&mut waited, PollTimeout::NONE)?;
            self.take_told();
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn wait(waited: &mut [PollFd<'_>], timeout: PollTimeout) -> io::Result<()> {
    match poll(waited, timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn set_nonblocking(stream: &OwnedFd) -> Result<(), Errno> {
    let flags = OFlag::from_bits_retain(fcntl(stream, FcntlArg::F_GETFL)?);
    fcntl(stream, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map(drop)
}

fn ended_early() -> Failure {
    Failure::Other("the pod ended before all was copied".to_owned())
}
