//! The standard streams of a pod's apps: pipes whose other ends the monitor serves.
//!
//! Apps never get the monitor's own descriptors: through those they could reach the user's terminal or
//! file.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::poll::PollFlags;
use pod::control::WindowSize;
use pod::manifest::{App, PodManifest, Streams as Destination, app_dir};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};

use super::cri_log::{LogFile, LogPump};
use super::pump::{End, Pump};
use super::terminal::{self, RawTerminal};
use crate::failure::StartFailure;
use crate::protocol::StreamFds;

/// All streams of a pod.
#[derive(Debug)]
pub(super) struct Streams {
    destination: Destination,
    outputs: Vec<Pump>,
    input: Option<Pump>,
    logs: Vec<LogFile>,
    logged: Vec<LogPump>,
    log_folders: Vec<std::path::PathBuf>,
    terminal: Option<(OwnedFd, Option<RawTerminal>)>,
    wants_input: bool,
}

impl Streams {
    pub(super) fn new(manifest: &PodManifest, pod_dir: &Path) -> Result<Self, StartFailure> {
        let log_folders = manifest
            .apps
            .iter()
            .map(|app| app_dir(pod_dir, &app.name))
            .collect();
        Ok(Self {
            destination: manifest.streams,
            outputs: Vec::new(),
            input: None,
            logs: Vec::new(),
            logged: Vec::new(),
            log_folders,
            terminal: None,
            wants_input: manifest.apps.iter().any(|app| app.execution.stdin),
        })
    }

    /// Makes the pipes of one app, to be called in the manifest's order. Returns the app's ends.
    pub(super) fn for_app(&mut self, app: &App) -> Result<(StreamFds, Vec<OwnedFd>), StartFailure> {
        let index = self.logs.len();
        if self.destination == Destination::Log {
            let folder = self.log_folders.get(index).cloned().unwrap_or_default();
            let log = LogFile::create(&folder).map_err(StartFailure::os(format_args!(
                "create the log in {}",
                folder.display()
            )))?;
            self.logs.push(log);
        }
        if app.execution.terminal {
            return Ok((StreamFds::Terminal, Vec::new()));
        }
        let (output, app_output) = make_pipe()?;
        let (error, app_error) = make_pipe()?;
        match self.destination {
            Destination::Foreground => {
                self.outputs
                    .push(Pump::new(End::Own(output), End::standard(1)));
                self.outputs
                    .push(Pump::new(End::Own(error), End::standard(2)));
            }
            Destination::Log => {
                self.logged.push(LogPump::new(output, index, "stdout"));
                self.logged.push(LogPump::new(error, index, "stderr"));
            }
        }
        if !app.execution.stdin {
            return Ok((StreamFds::Output, vec![app_output, app_error]));
        }
        let (app_input, input) = make_pipe()?;
        fcntl_setfl(&input, OFlags::NONBLOCK).map_err(StartFailure::os("set up standard input"))?;
        self.input = Some(Pump::new(End::standard(0), End::Own(input)));
        Ok((StreamFds::All, vec![app_input, app_output, app_error]))
    }

    /// Takes over the terminal of the pod's app.
    pub(super) fn attach_terminal(&mut self, master: OwnedFd) -> Result<(), StartFailure> {
        fcntl_setfl(&master, OFlags::RDWR | OFlags::NONBLOCK)
            .map_err(StartFailure::os("set up the terminal"))?;
        let duplicate = || {
            master
                .try_clone()
                .map_err(StartFailure::os("duplicate the terminal"))
        };
        match self.destination {
            Destination::Foreground => {
                let sink = End::standard(1);
                self.outputs.push(Pump::new(End::Own(duplicate()?), sink));
            }
            Destination::Log => self.logged.push(LogPump::new(duplicate()?, 0, "stdout")),
        }
        let mut raw = None;
        if self.wants_input && self.destination == Destination::Foreground {
            raw = RawTerminal::enter();
            let source = End::standard(0);
            self.input = Some(Pump::new(source, End::Own(duplicate()?)));
        }
        self.terminal = Some((master, raw));
        Ok(())
    }

    /// The user's terminal has a new size.
    pub(super) fn follow_size(&self) {
        if let Some((master, _)) = &self.terminal
            && let Some(WindowSize { rows, cols }) = terminal::window_size()
        {
            terminal::resize(master, WindowSize { rows, cols });
        }
    }

    /// The events that the streams wait for.
    pub(super) fn interests(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let pumps = self.outputs.iter().chain(&self.input).map(Pump::interest);
        pumps
            .chain(
                self.logged
                    .iter()
                    .map(|log| (log.source(), PollFlags::POLLIN)),
            )
            .collect()
    }

    /// Moves what can be moved: `ready` answers [`Streams::interests`] one by one.
    pub(super) fn advance(&mut self, ready: &[bool]) {
        let mut ready = ready.iter().copied();
        for pump in self.outputs.iter_mut().chain(&mut self.input) {
            if ready.next().unwrap_or(false) {
                pump.advance();
            }
        }
        for pump in &mut self.logged {
            if ready.next().unwrap_or(false)
                && let Some(log) = self.logs.get_mut(pump.log)
            {
                pump.advance(log);
            }
        }
        self.outputs.retain(|pump| !pump.is_done());
        self.logged.retain(|pump| !pump.is_done());
        if self.terminal.is_some() && self.are_drained() {
            // Nobody takes what the app writes: it is told by a hangup.
            self.terminal = None;
            self.input = None;
        }
        if self.input.as_ref().is_some_and(Pump::is_done) {
            // Closes the app's standard input.
            self.input = None;
        }
    }

    /// The pod has ended: nobody reads its input any more. The user's terminal stays raw until the output that
    /// is on the way has been written to it.
    pub(super) fn close_input(&mut self) {
        self.input = None;
    }

    /// Whether all output has been delivered.
    pub(super) fn are_drained(&self) -> bool {
        self.outputs.is_empty() && self.logged.is_empty()
    }
}

fn make_pipe() -> Result<(OwnedFd, OwnedFd), StartFailure> {
    pipe_with(PipeFlags::CLOEXEC).map_err(StartFailure::os("make a pipe"))
}

/// The two ends of a pipe for each standard stream of a command: the command's and the client's.
pub(super) fn command_pipes() -> Result<([OwnedFd; 3], [OwnedFd; 3]), StartFailure> {
    let (input, client_input) = make_pipe()?;
    let (client_output, output) = make_pipe()?;
    let (client_error, error) = make_pipe()?;
    Ok((
        [input, output, error],
        [client_input, client_output, client_error],
    ))
}

/// The process ID in the monitor's pid namespace that a pidfd stands for.
pub(super) fn pid_of(pidfd: &OwnedFd) -> Option<i32> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fdinfo/{}", pidfd.as_fd().as_raw_fd());
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pid:"))?;
    line.trim().parse().ok().filter(|&pid| pid > 0)
}
