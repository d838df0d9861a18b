//! The standard streams of a pod's apps: pipes whose other ends the monitor serves.
//!
//! Apps never get the monitor's own descriptors: through those they could reach the user's terminal or
//! file.

use std::collections::BTreeMap;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::poll::PollFlags;
use pod::control::WindowSize;
use pod::manifest::{App, Bounds, PodManifest, Streams as Destination, app_dir};
use pod::{AppName, PodError};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;

use super::attachments::{Attachments, Output};
use super::budget::Budget;
use super::cri_log::LogPump;
use super::ended_input::EndedInput;
use super::line_names::LineNames;
use super::log_file::LogFile;
use super::pump::{End, Pump, Standard};
use super::terminal::{self, RawTerminal};
use crate::failure::StartFailure;
use crate::link::InitLink;
use crate::link::stream::StreamId;
use crate::protocol::ProcessStreams;

/// An output of an app on its way to the monitor's own.
#[derive(Debug)]
struct ShownOutput {
    app: AppName,
    output: Output,
    pump: Pump,
    budget: Budget,
    /// Whether its lines are named.
    named: bool,
}

impl ShownOutput {
    /// Whether its pump is to be asked: what has been read is written in any case.
    fn is_asked(&self) -> bool {
        !self.budget.rests() || self.pump.holds()
    }
}

/// Where an app's output is kept.
#[derive(Debug)]
struct AppLog {
    file: LogFile,
    budget: Budget,
}

/// Whether an app is one that the pod begins with, or joins it later. Only the former get the user's input and
/// terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joining {
    AtStart,
    Later,
}

/// All streams of a pod.
#[derive(Debug)]
pub(super) struct Streams {
    destination: Destination,
    pod_dir: PathBuf,
    bounds: Bounds,
    outputs: Vec<ShownOutput>,
    /// Names the lines of several apps.
    line_names: Option<LineNames>,
    input: Option<Pump>,
    /// The terminal whose input was the user's, which has ended.
    ended_input: Option<EndedInput>,
    /// The inputs of apps that only clients write to.
    held: BTreeMap<AppName, OwnedFd>,
    attachments: Attachments,
    logs: BTreeMap<AppName, AppLog>,
    logged: Vec<LogPump>,
    /// The terminal that the user's is led to.
    terminal: Option<(StreamId, Option<RawTerminal>)>,
    /// What was lost of the output, and why.
    lost: Option<StartFailure>,
}

impl Streams {
    pub(super) fn new(manifest: &PodManifest, pod_dir: &Path) -> Self {
        Self {
            destination: manifest.streams,
            pod_dir: pod_dir.to_path_buf(),
            bounds: manifest.bounds,
            outputs: Vec::new(),
            line_names: (manifest.apps.len() > 1).then(LineNames::default),
            input: None,
            ended_input: None,
            held: BTreeMap::new(),
            attachments: Attachments::default(),
            logs: BTreeMap::new(),
            logged: Vec::new(),
            terminal: None,
            lost: None,
        }
    }

    /// Why a part of the output could not be written, if it is not that its reader has gone.
    pub(super) fn take_lost(&mut self) -> Option<StartFailure> {
        self.lost.take()
    }

    /// Opens the streams of one app.
    pub(super) fn for_app(
        &mut self,
        app: &App,
        joining: Joining,
        link: &mut dyn InitLink,
    ) -> Result<ProcessStreams, StartFailure> {
        if self.destination == Destination::Log {
            let directory = app_dir(&self.pod_dir, &app.name);
            let log = match joining {
                Joining::AtStart => LogFile::create(&directory, self.bounds.log_size),
                Joining::Later => LogFile::go_on(&directory, self.bounds.log_size),
            };
            let log = log.map_err(StartFailure::os(format_args!(
                "create the log in {}",
                directory.display()
            )))?;
            let log = AppLog {
                file: log,
                budget: Budget::new(&self.bounds, Instant::now()),
            };
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
                self.show(app, Output::Stdout, output);
                self.show(app, Output::Stderr, error);
            }
            Destination::Log => {
                let name = || app.name.clone();
                let (stdout, stderr) = (Output::Stdout, Output::Stderr);
                self.logged.push(LogPump::new(output, name(), stdout));
                self.logged.push(LogPump::new(error, name(), stderr));
            }
        }
        let mut stdin = None;
        if app.execution.stdin {
            let (id, input) = link.open_input()?;
            fcntl_setfl(&input, OFlags::NONBLOCK)
                .map_err(StartFailure::os("set up standard input"))?;
            match (self.destination, joining) {
                (Destination::Foreground, Joining::AtStart) => {
                    self.input = Some(Pump::new(End::standard(Standard::Input), End::Own(input)));
                }
                _ => {
                    self.held.insert(app.name.clone(), input);
                }
            }
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
            if app.execution.stdin {
                let copy = terminal
                    .try_clone()
                    .map_err(StartFailure::os("duplicate the terminal"))?;
                self.held.insert(app.name.clone(), copy);
            }
            let pump = LogPump::new(terminal, app.name.clone(), Output::Stdout);
            self.logged.push(pump);
            return Ok(());
        }
        let mut raw = None;
        if app.execution.stdin {
            let copy = terminal
                .try_clone()
                .map_err(StartFailure::os("duplicate the terminal"))?;
            raw = RawTerminal::enter();
            let user = End::standard(Standard::Input);
            self.input = Some(Pump::to_terminal(user, End::Own(copy)));
        }
        self.show(app, Output::Stdout, terminal);
        self.terminal = Some((stream, raw));
        Ok(())
    }

    fn show(&mut self, app: &App, output: Output, source: OwnedFd) {
        let shown_on = match output {
            Output::Stdout => Standard::Output,
            Output::Stderr => Standard::Error,
        };
        self.outputs.push(ShownOutput {
            app: app.name.clone(),
            output,
            pump: Pump::new(End::Own(source), End::standard(shown_on)),
            budget: Budget::new(&self.bounds, Instant::now()),
            named: self.line_names.is_some() && shown_on.is_terminal(),
        });
    }

    /// Attaches a client to an app's streams. Returns the client's ends: the input first, if it is asked for.
    pub(super) fn attach(
        &mut self,
        app: &App,
        wants_input: bool,
    ) -> Result<Vec<OwnedFd>, StartFailure> {
        let input = match (wants_input, self.held.get(&app.name)) {
            (false, _) => None,
            (true, Some(held)) => Some(
                held.try_clone()
                    .map_err(StartFailure::os("duplicate an app's input"))?,
            ),
            (true, None) => {
                return Err(StartFailure::other(format!(
                    "app {} has no standard input that a client could write to",
                    app.name
                )));
            }
        };
        let outputs: &[Output] = match app.execution.terminal {
            true => &[Output::Stdout],
            false => &[Output::Stdout, Output::Stderr],
        };
        self.attachments.add(&app.name, input, outputs)
    }

    /// An app has ended: nobody reads its input any more.
    pub(super) fn app_ended(&mut self, app: &AppName) {
        self.held.remove(app);
        self.attachments.end_input(app);
    }

    /// An app has left the pod.
    pub(super) fn forget(&mut self, app: &AppName) {
        self.app_ended(app);
        self.logs.remove(app);
    }

    /// Goes on in a new log file, of one app or of each.
    pub(super) fn reopen_logs(&mut self, app: Option<&AppName>) -> Result<(), StartFailure> {
        let chosen = |name: &AppName| app.is_none_or(|app| app == name);
        for (name, log) in self.logs.iter_mut().filter(|(name, _)| chosen(name)) {
            log.file.reopen().map_err(StartFailure::os(format_args!(
                "open the log of app {name} anew"
            )))?;
        }
        Ok(())
    }

    /// The size that the user's terminal has now, and the terminal that is to have it too.
    pub(super) fn new_size(&self) -> Option<(StreamId, WindowSize)> {
        let (stream, _) = self.terminal.as_ref()?;
        Some((*stream, terminal::window_size()?))
    }

    /// Whether the user's terminal is led to an app's.
    pub(super) fn has_terminal(&self) -> bool {
        self.terminal.is_some()
    }

    /// Makes the user's terminal raw again, if it was.
    pub(super) fn take_terminal_again(&self) {
        if let Some((_, Some(raw))) = &self.terminal {
            raw.enter_again();
        }
    }

    /// When there is something to do though nothing happens.
    pub(super) fn due(&self) -> Option<Instant> {
        let shown = self.outputs.iter().map(|shown| &shown.budget);
        let budgets = shown.chain(self.logs.values().map(|log| &log.budget));
        let looks = self.logs.values().filter_map(|log| log.file.due());
        budgets.filter_map(Budget::rests_until).chain(looks).min()
    }

    /// Does what is due.
    pub(super) fn keep_time(&mut self, now: Instant) {
        for shown in &mut self.outputs {
            shown.budget.wake(now);
        }
        for log in self.logs.values_mut() {
            log.budget.wake(now);
            log.file.look(now);
        }
    }

    /// Whether the monitor rests from reading a stream that is logged.
    fn rests(&self, pump: &LogPump) -> bool {
        self.logs
            .get(&pump.app)
            .is_some_and(|log| log.budget.rests())
    }

    /// The events that the streams wait for.
    pub(super) fn interests(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let outputs = self.outputs.iter().filter(|shown| shown.is_asked());
        let pumps = outputs.map(|shown| &shown.pump).chain(&self.input);
        let logged = self.logged.iter().filter(|pump| !self.rests(pump));
        pumps
            .map(Pump::interest)
            .chain(logged.map(|log| (log.source(), PollFlags::POLLIN)))
            .chain(self.attachments.interests())
            .collect()
    }

    /// Moves what can be moved: `ready` answers [`Streams::interests`] one by one.
    pub(super) fn advance(&mut self, ready: &[bool]) {
        let mut ready = ready.iter().copied();
        // Asked before anything is paid for: two streams may have one budget.
        let asked: Vec<bool> = self.logged.iter().map(|pump| !self.rests(pump)).collect();
        let now = Instant::now();
        let attached = &mut self.attachments;
        let mut app_wrote = false;
        for shown in &mut self.outputs {
            if shown.is_asked() && ready.next().unwrap_or(false) {
                shown.pump.advance(|bytes| {
                    attached.show(&shown.app, shown.output, bytes);
                    shown.budget.pay_for_passing(bytes.len(), now);
                    app_wrote = true;
                    if let (true, Some(names)) = (shown.named, &mut self.line_names) {
                        names.name(&shown.app, shown.output, bytes);
                    }
                });
            }
        }
        if app_wrote && self.ended_input.as_ref().is_some_and(EndedInput::app_wrote) {
            self.ended_input = None;
        }
        if let Some(pump) = &mut self.input
            && ready.next().unwrap_or(false)
        {
            pump.advance(|_| {});
        }
        for (pump, asked) in self.logged.iter_mut().zip(asked) {
            if !asked || !ready.next().unwrap_or(false) {
                continue;
            }
            let (app, output) = (pump.app.clone(), pump.output);
            match self.logs.get_mut(&app) {
                Some(AppLog { file, budget }) => {
                    let logged = pump.advance(file, |bytes| attached.show(&app, output, bytes));
                    budget.pay_for_logging(logged, now);
                }
                // The app has left the pod, and nobody keeps what it still says.
                None => pump.give_up(),
            }
        }
        attached.advance(ready);
        let lost = &mut self.lost;
        self.outputs.retain(|shown| {
            let done = shown.pump.is_done();
            if done {
                attached.end(&shown.app, shown.output);
                if let Some(errno) = shown.pump.failure() {
                    lost.get_or_insert_with(|| not_written(shown.output, errno));
                }
            }
            !done
        });
        self.logged.retain(|pump| {
            let done = pump.is_done();
            if done {
                attached.end(&pump.app, pump.output);
            }
            !done
        });
        if self.terminal.is_some() && self.are_drained() {
            // Nobody takes what the app writes: it is told by a hangup.
            self.terminal = None;
            self.close_input();
        }
        if let Some(pump) = self.input.take_if(|pump| pump.is_done()) {
            // Closes the app's standard input, unless it is a terminal.
            self.ended_input = pump.into_ended_terminal().and_then(EndedInput::of);
        }
    }

    /// The pod has ended: nobody reads its input any more. The user's terminal stays raw until the output that
    /// is on the way has been written to it.
    pub(super) fn close_input(&mut self) {
        self.input = None;
        self.ended_input = None;
    }

    /// Whether all output has been delivered.
    pub(super) fn are_drained(&self) -> bool {
        self.outputs.is_empty() && self.logged.is_empty()
    }
}

fn not_written(output: Output, errno: Errno) -> StartFailure {
    let stream = match output {
        Output::Stdout => "standard output",
        Output::Stderr => "standard error",
    };
    let error = std::io::Error::from(errno);
    PodError::io("write to", Path::new(stream))(error).into()
}
