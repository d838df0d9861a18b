//! `fairing logs`: what the apps of a detached pod have written.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, IsTerminal};

use clap::Args;
use engine::Error;
use engine::error::AppError;
use engine::logs::follow::Follower;
use engine::logs::line::{LogLine, Stream};
use engine::logs::merge::LogMerge;
use pod::manifest::{LogDriver, PodManifest, Streams};
use pod::timestamp::Timestamp;
use pod::{AppName, PodEntry, State};

use crate::arguments::moment::moment;
use crate::command::subcommand::Subcommand;
use crate::console::harmless::push_harmless;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `logs`.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Name or UUID of the pod, or the beginning of its UUID
    #[arg(value_name = "POD")]
    pod: String,
    /// Keep showing what is written, until the pod ends
    #[arg(short, long)]
    follow: bool,
    /// Show only the log of this app
    #[arg(long, value_name = "NAME")]
    app: Option<AppName>,
    /// Show only the last lines: a number, or `all`
    #[arg(short = 'n', long, value_name = "NUMBER", value_parser = tail)]
    #[arg(allow_negative_numbers = true)]
    tail: Option<Tail>,
    /// Show when each line was written
    #[arg(short, long)]
    timestamps: bool,
    /// Show only what was written since then: 10m ago, or a date with or without a time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Timestamp>,
    /// Show only what was written before then
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Timestamp>,
}

/// How many lines of the end; all if none is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tail(Option<u64>);

/// A number of lines; `all`, or a negative number, is no limit.
fn tail(text: &str) -> Result<Tail, String> {
    match (text, text.parse::<i64>()) {
        ("all", _) => Ok(Tail(None)),
        (_, Ok(number)) => Ok(Tail(u64::try_from(number).ok())),
        (_, Err(_)) => Err("write a number of lines, or `all`".to_owned()),
    }
}

impl Subcommand for Logs {
    const NAME: &'static str = "logs";
    const ABOUT: &'static str = "Show what the apps of a detached pod have written";

    fn run(mut self, context: &Context) -> Result<u8, Failure> {
        let (entry, app) = context.pod_with_app(&self.pod, self.app.as_ref())?;
        self.app = app;
        let manifest = PodManifest::load(&entry.path)?;
        if matches!(entry.state()?, State::Prepared | State::Preparing) {
            return Err(Failure::Other(format!(
                "pod {} has no logs: it has not been started",
                entry.uuid
            )));
        }
        let names = self.names(&manifest)?;
        // Apps may yet join a pod that has none.
        let has_files = match names.is_empty() {
            true => manifest.streams == Streams::Log,
            false => names.iter().any(|name| has_file(&manifest, name)),
        };
        if !has_files {
            return Err(self.elsewhere(&manifest, &names));
        }
        let follower = match self.follow && entry.state()? == State::Running {
            true => Follower::new(&entry, &names, &context.engine.directories)?,
            false => None,
        };
        let mut logs = LogMerge::open(&entry.path, &names)?;
        let mut last = None;
        if let Some(Tail(Some(tail))) = self.tail {
            // The last lines of a span that ends are not the last lines.
            match self.until {
                Some(_) => last = Some(tail),
                None => logs.skip_to_tail(tail)?,
            }
        }
        let mut joined = Joined::of(&names);
        let mut printer = Printer {
            names,
            timestamps: self.timestamps,
            since: self.since.map(|time| time.to_string()),
            until: self.until.map(|time| time.to_string()),
            last,
            stream: Stream::Stdout,
            terminals: (io::stdout().is_terminal(), io::stderr().is_terminal()),
            pending: Vec::new(),
        };
        printer.print_all(&mut logs)?;
        let Some(mut follower) = follower else {
            return Ok(0);
        };
        loop {
            let left = self.until.map(|until| until.ahead());
            let ended = follower.wait(&entry, left)?;
            if self.app.is_none() {
                for app in joined.next(&entry) {
                    follower.watch(&entry, &app)?;
                    logs.add(&entry.path, &app)?;
                    printer.names.push(app);
                }
            }
            logs.read_on();
            printer.print_all(&mut logs)?;
            if ended || self.until.is_some_and(|until| Timestamp::now() >= until) {
                return Ok(0);
            }
        }
    }
}

impl Logs {
    /// Where the output of these apps is, which have no log files.
    fn elsewhere(&self, manifest: &PodManifest, names: &[AppName]) -> Failure {
        let uuid = manifest.uuid;
        let has = |driver| {
            let mut drivers = names.iter().map(|name| driver_of(manifest, name));
            drivers.any(|one| one == Some(driver))
        };
        Failure::Other(if has(LogDriver::Journald) {
            let app = self.app.as_ref();
            let app = app.map_or_else(String::new, |app| format!(" FAIRING_APP={app}"));
            format!(
                "pod {uuid} has no log files: its output is in the journal; \
                 `journalctl FAIRING_POD={uuid}{app}` shows it"
            )
        } else if has(LogDriver::None) {
            format!("pod {uuid} has no logs: it was run with --log-driver=none")
        } else {
            format!("pod {uuid} has no logs: it was run in the foreground; run it with --detach")
        })
    }

    fn names(&self, manifest: &PodManifest) -> Result<Vec<AppName>, Failure> {
        match &self.app {
            None => Ok(manifest.apps.iter().map(|app| app.name.clone()).collect()),
            Some(name) if manifest.app(name).is_some() => Ok(vec![name.clone()]),
            Some(name) => Err(Error::from(AppError::unknown(manifest, name)).into()),
        }
    }
}

/// Whether what an app writes is kept in its log file.
fn has_file(manifest: &PodManifest, name: &AppName) -> bool {
    match driver_of(manifest, name) {
        Some(driver) => driver == LogDriver::K8sFile,
        None => manifest.streams == Streams::Log,
    }
}

fn driver_of(manifest: &PodManifest, name: &AppName) -> Option<LogDriver> {
    let app = manifest.app(name)?;
    app.log.as_ref().and_then(|log| log.driver)
}

/// Which apps are in the pod, as far as is known.
struct Joined(BTreeSet<AppName>);

impl Joined {
    fn of(names: &[AppName]) -> Self {
        Self(names.iter().cloned().collect())
    }

    /// Those that are new since the last call. One that left and came again is new.
    fn next(&mut self, entry: &PodEntry) -> Vec<AppName> {
        // A pod that has been removed meanwhile has no more of them.
        let Ok(manifest) = PodManifest::load(&entry.path) else {
            return Vec::new();
        };
        let now: BTreeSet<AppName> = manifest.apps.iter().map(|app| app.name.clone()).collect();
        let new = now.difference(&self.0).cloned().collect();
        self.0 = now;
        new
    }
}

/// Bytes that are written at once.
const CHUNK: usize = 64 << 10;

struct Printer {
    /// Names of the apps, by their numbers in the merged log.
    names: Vec<AppName>,
    timestamps: bool,
    /// What was written before this is not shown; written as in logs, it sorts as text.
    since: Option<String>,
    /// What was written then or later is not shown.
    until: Option<String>,
    /// How many lines of that span are shown.
    last: Option<u64>,
    /// Where what is pending goes.
    stream: Stream,
    /// Whether standard output and standard error are terminals, which obey what they are shown.
    terminals: (bool, bool),
    pending: Vec<u8>,
}

impl Printer {
    /// Writes all that the logs have now, in order: both streams may go to the same terminal.
    fn print_all(&mut self, logs: &mut LogMerge) -> Result<(), Failure> {
        let mut kept = VecDeque::new();
        while let Some((app, line)) = logs.next_line()? {
            let early = self.since.as_ref().is_some_and(|since| line.time < *since);
            let late = self.until.as_ref().is_some_and(|until| line.time >= *until);
            if early || late {
                continue;
            }
            let Some(most) = self.last else {
                self.print(app, &line)?;
                continue;
            };
            kept.push_back((app, line));
            if kept.len() as u64 > most {
                kept.pop_front();
            }
        }
        for (app, line) in kept {
            self.print(app, &line)?;
        }
        self.flush()
    }

    fn print(&mut self, app: usize, line: &LogLine) -> Result<(), Failure> {
        if line.stream != self.stream || self.pending.len() >= CHUNK {
            self.flush()?;
            self.stream = line.stream;
        }
        self.append(app, line);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let stream = match self.stream {
            Stream::Stderr => output::Stream::Stderr,
            Stream::Stdout => output::Stream::Stdout,
        };
        output::write(stream, &self.pending).map_err(Failure::errno("write to", stream.name()))?;
        self.pending.clear();
        Ok(())
    }

    fn append(&mut self, app: usize, line: &LogLine) {
        let is_terminal = match line.stream {
            Stream::Stdout => self.terminals.0,
            Stream::Stderr => self.terminals.1,
        };
        let bytes = &mut self.pending;
        if self.timestamps {
            bytes.extend_from_slice(line.time.as_bytes());
            bytes.push(b' ');
        }
        // Where there are several to tell apart.
        let names = self.names.get(app).filter(|_| self.names.len() > 1);
        if let Some(name) = names {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
        }
        match is_terminal {
            true => push_harmless(bytes, &line.text),
            false => bytes.extend_from_slice(&line.text),
        }
        if !line.is_partial || self.timestamps || names.is_some() {
            bytes.push(b'\n');
        }
    }
}
