//! The standard streams of a pod's apps: pipes whose other ends the monitor serves.
//!
//! Apps never get the monitor's own descriptors: through those they could reach the user's terminal or
//! file.

use std::collections::BTreeMap;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Instant;

use nix::poll::PollFlags;
use pod::control::WindowSize;
use pod::manifest::{App, Bounds, LogDriver, PodManifest, Streams as Destination};
use pod::{AppName, PodError};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;

use super::attachments::{AttachmentId, Attachments, Output};
use super::budget::Budget;
use super::ended_input::EndedInput;
use super::joining::Joining;
use super::journal::leads_to_journal;
use super::line_names::LineNames;
use super::logs::Logs;
use super::pump::{End, Pump, Standard};
use super::terminal::{self, RawTerminal};
use crate::failure::StartFailure;
use crate::link::InitLink;
use crate::link::stream::StreamId;
use crate::protocol::ProcessStreams;

/// Whether the journal has an output of an app from its log, and would have it once more from the monitor's own.
fn is_there_already(app: &App, output: Output) -> bool {
    let driver = app.log.as_ref().and_then(|log| log.driver);
    driver == Some(LogDriver::Journald)
        && match output {
            Output::Stdout => leads_to_journal(std::io::stdout()),
            Output::Stderr => leads_to_journal(std::io::stderr()),
        }
}

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
    fn is_asked(&self, logs: &Logs) -> bool {
        self.pump.holds() || !(self.budget.rests() || logs.holds_back(&self.app))
    }
}

/// All streams of a pod.
#[derive(Debug)]
pub(super) struct Streams {
    destination: Destination,
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
    logs: Logs,
    /// The terminal that the user's is led to.
    terminal: Option<(StreamId, Option<RawTerminal>)>,
    /// What was lost of the output, and why.
    lost: Option<StartFailure>,
}

impl Streams {
    pub(super) fn new(manifest: &PodManifest, pod_dir: &Path) -> Self {
        Self {
            destination: manifest.streams,
            bounds: manifest.bounds,
            outputs: Vec::new(),
            line_names: (manifest.apps.len() > 1).then(LineNames::default),
            input: None,
            ended_input: None,
            held: BTreeMap::new(),
            attachments: Attachments::default(),
            logs: Logs::new(manifest, pod_dir),
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
        self.logs.open(app, self.destination, joining)?;
        if app.execution.terminal {
            return Ok(ProcessStreams::Terminal {
                terminal: link.open_terminal()?,
                size: terminal::window_size(),
            });
        }
        let (stdout, output) = link.open_output()?;
        let (stderr, error) = link.open_output()?;
        for (which, source) in [(Output::Stdout, output), (Output::Stderr, error)] {
            match self.destination == Destination::Log || is_there_already(app, which) {
                true => self.logs.follow(&app.name, which, source, false),
                false => self.show(app, which, source),
            }
        }
        let mut stdin = None;
        if app.execution.stdin {
            let (id, input) = link.open_input()?;
            fcntl_setfl(&input, OFlags::NONBLOCK)
                .map_err(StartFailure::os("set up standard input"))?;
            match (self.destination, joining) {
                (Destination::Foreground, Joining::AtStart | Joining::Again) => {
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
            self.logs.follow(&app.name, Output::Stdout, terminal, true);
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

    /// Attaches a client to an app's streams. Returns its number and the client's ends: the input first, if it is asked for.
    /// Where the client has started the app, the input is its alone: its end is that of the app's.
    pub(super) fn attach(
        &mut self,
        app: &App,
        wants_input: bool,
        is_alone: bool,
    ) -> Result<(AttachmentId, Vec<OwnedFd>), StartFailure> {
        let input = match (wants_input, self.held.get(&app.name)) {
            (false, _) => None,
            (true, Some(_)) if is_alone => self.held.remove(&app.name),
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
        // A terminal has no end but its own.
        let is_last = app.execution.stdin_once && !app.execution.terminal;
        self.attachments.add(&app.name, input, is_last, outputs)
    }

    /// The clients that have not read what their apps write, and are attached no more, since this was last asked.
    pub(super) fn take_cut_off(&mut self) -> Vec<AttachmentId> {
        self.attachments.take_cut_off()
    }

    /// An app has ended: nobody reads its input any more.
    pub(super) fn app_ended(&mut self, app: &AppName) {
        self.held.remove(app);
        self.attachments.end_input(app);
    }

    /// An app has left the pod.
    pub(super) fn forget(&mut self, app: &AppName) {
        self.app_ended(app);
        self.logs.forget(app);
    }

    /// Goes on in a new log file, of one app or of each.
    pub(super) fn reopen_logs(&mut self, app: Option<&AppName>) -> Result<(), StartFailure> {
        self.logs.reopen(app)
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
        shown
            .filter_map(Budget::rests_until)
            .chain(self.logs.due())
            .min()
    }

    /// Does what is due.
    pub(super) fn keep_time(&mut self, now: Instant) {
        for shown in &mut self.outputs {
            shown.budget.wake(now);
        }
        self.logs.keep_time(now);
    }

    /// The events that the streams wait for.
    pub(super) fn interests(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let outputs = self
            .outputs
            .iter()
            .filter(|shown| shown.is_asked(&self.logs));
        let pumps = outputs.map(|shown| &shown.pump).chain(&self.input);
        self.logs
            .interests()
            .chain(pumps.map(Pump::interest))
            .chain(self.attachments.interests())
            .collect()
    }

    /// Moves what can be moved: `ready` answers [`Streams::interests`] one by one.
    pub(super) fn advance(&mut self, ready: &[bool]) {
        let mut ready = ready.iter().copied();
        let logs = &self.logs;
        // Asked before anything is paid for: two streams may have one budget.
        let asked = self.outputs.iter().map(|shown| shown.is_asked(logs));
        let asked: Vec<bool> = asked.collect();
        let now = Instant::now();
        let (attached, logs) = (&mut self.attachments, &mut self.logs);
        logs.advance(ready.by_ref(), attached, now);
        let mut app_wrote = false;
        for (shown, asked) in self.outputs.iter_mut().zip(asked) {
            if asked && ready.next().unwrap_or(false) {
                shown.pump.advance(|bytes| {
                    attached.show(&shown.app, shown.output, bytes);
                    logs.keep(&shown.app, shown.output, bytes, now);
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
        for app in attached.advance(ready) {
            self.held.remove(&app);
        }
        let lost = &mut self.lost;
        self.outputs.retain(|shown| {
            let done = shown.pump.is_done();
            if done {
                attached.end(&shown.app, shown.output);
                logs.end(&shown.app, shown.output);
                if let Some(errno) = shown.pump.failure() {
                    lost.get_or_insert_with(|| not_written(shown.output, errno));
                }
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
        self.outputs.is_empty() && self.logs.are_drained()
    }

    /// What is missing in a log, where that is not told there.
    pub(super) fn missing_in_logs(&self) -> impl Iterator<Item = String> {
        self.logs.untold()
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
