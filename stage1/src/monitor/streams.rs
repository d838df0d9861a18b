//! The standard streams of a pod's apps: pipes whose other ends the monitor serves.
//!
//! Apps never get the monitor's own descriptors: through those they could reach the user's terminal or
//! file.

use std::collections::BTreeMap;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::poll::PollFlags;
use pod::AppName;
use pod::control::WindowSize;
use pod::manifest::{App, PodManifest, Streams as Destination, app_dir};
use rustix::fs::{OFlags, fcntl_setfl};

use super::cri_log::{LogFile, LogPump};
use super::pump::{End, Pump, Standard};
use super::terminal::{self, RawTerminal};
use crate::failure::StartFailure;
use crate::link::InitLink;
use crate::link::stream::StreamId;
use crate::protocol::ProcessStreams;

/// All streams of a pod.
#[derive(Debug)]
pub(super) struct Streams {
    destination: Destination,
    pod_dir: PathBuf,
    outputs: Vec<Pump>,
    input: Option<Pump>,
    logs: BTreeMap<AppName, LogFile>,
    logged: Vec<LogPump>,
    /// The terminal that the user's is led to.
    terminal: Option<(StreamId, Option<RawTerminal>)>,
}

impl Streams {
    pub(super) fn new(manifest: &PodManifest, pod_dir: &Path) -> Self {
        Self {
            destination: manifest.streams,
            pod_dir: pod_dir.to_path_buf(),
            outputs: Vec::new(),
            input: None,
            logs: BTreeMap::new(),
            logged: Vec::new(),
            terminal: None,
        }
    }

    /// Opens the streams of one app.
    pub(super) fn for_app(
        &mut self,
        app: &App,
        link: &mut dyn InitLink,
    ) -> Result<ProcessStreams, StartFailure> {
        if self.destination == Destination::Log {
            let directory = app_dir(&self.pod_dir, &app.name);
            let log = LogFile::create(&directory).map_err(StartFailure::os(format_args!(
                "create the log in {}",
                directory.display()
            )))?;
            self.logs.insert(app.name.clone(), log);
        }
        if app.execution.terminal {
            return Ok(ProcessStreams::Terminal {
                terminal: link.open_terminal()?,
                size: terminal::window_size(),
            });
        }
        let (stdout, output) = link.open_output()?;
        let (stderr, error) = link.open_output()?;
        match self.destination {
            Destination::Foreground => {
                self.outputs
                    .push(Pump::new(End::Own(output), End::standard(Standard::Output)));
                self.outputs
                    .push(Pump::new(End::Own(error), End::standard(Standard::Error)));
            }
            Destination::Log => {
                let name = || app.name.clone();
                self.logged.push(LogPump::new(output, name(), "stdout"));
                self.logged.push(LogPump::new(error, name(), "stderr"));
            }
        }
        let mut stdin = None;
        if app.execution.stdin {
            let (id, input) = link.open_input()?;
            fcntl_setfl(&input, OFlags::NONBLOCK)
                .map_err(StartFailure::os("set up standard input"))?;
            self.input = Some(Pump::new(End::standard(Standard::Input), End::Own(input)));
            stdin = Some(id);
        }
        Ok(ProcessStreams::Pipes {
            stdin,
            stdout,
            stderr,
        })
    }

    /// Takes over the terminal of an app, which doesn't block.
    pub(super) fn attach_terminal(
        &mut self,
        app: &App,
        stream: StreamId,
        terminal: OwnedFd,
    ) -> Result<(), StartFailure> {
        if self.destination == Destination::Log {
            let pump = LogPump::new(terminal, app.name.clone(), "stdout");
            self.logged.push(pump);
            return Ok(());
        }
        let mut raw = None;
        if app.execution.stdin {
            let copy = terminal
                .try_clone()
                .map_err(StartFailure::os("duplicate the terminal"))?;
            raw = RawTerminal::enter();
            self.input = Some(Pump::new(End::standard(Standard::Input), End::Own(copy)));
        }
        self.outputs.push(Pump::new(
            End::Own(terminal),
            End::standard(Standard::Output),
        ));
        self.terminal = Some((stream, raw));
        Ok(())
    }

    /// The size that the user's terminal has now, and the terminal that is to have it too.
    pub(super) fn new_size(&self) -> Option<(StreamId, WindowSize)> {
        let (stream, _) = self.terminal.as_ref()?;
        Some((*stream, terminal::window_size()?))
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
                && let Some(log) = self.logs.get_mut(&pump.app)
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
