//! What keeps the output of a pod's apps: files, the journal, or nothing.

use std::collections::BTreeMap;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use nix::poll::PollFlags;
use pod::AppName;
use pod::manifest::{App, Bounds, LogDriver, PodManifest, Streams as Destination, app_dir};

use super::attachments::{Attachments, Output};
use super::budget::Budget;
use super::cri_log::Entries;
use super::joining::Joining;
use super::journal::{Author, Journal};
use super::lines::Lines;
use super::log_file::LogFile;
use super::log_pump::{Gulp, LogPump};
use crate::failure::StartFailure;

/// Where an app's output is kept.
#[derive(Debug)]
enum Keeper {
    File(LogFile),
    Journal(Rc<Author>),
    Nobody,
}

/// An app's log.
#[derive(Debug)]
struct AppLog {
    keeper: Keeper,
    budget: Budget,
    /// What of its outputs is seen on its way elsewhere.
    shown: [Lines; 2],
}

/// All logs of a pod.
#[derive(Debug)]
pub(super) struct Logs {
    pod_dir: PathBuf,
    bounds: Bounds,
    called: String,
    pod: String,
    short: String,
    is_of_one_app: bool,
    apps: BTreeMap<AppName, AppLog>,
    pumps: Vec<LogPump>,
    journal: Journal,
    /// Memory to read into, and to gather entries in.
    room: (Vec<u8>, Vec<u8>),
}

impl Logs {
    pub(super) fn new(manifest: &PodManifest, pod_dir: &Path) -> Self {
        Self {
            pod_dir: pod_dir.to_path_buf(),
            bounds: manifest.bounds,
            called: manifest.called(),
            pod: manifest.uuid.to_string(),
            short: manifest.uuid.short(),
            is_of_one_app: manifest.apps.len() == 1,
            apps: BTreeMap::new(),
            pumps: Vec::new(),
            journal: Journal::default(),
            room: (Vec::new(), Vec::new()),
        }
    }

    /// Begins the log of an app, if it has one.
    pub(super) fn open(
        &mut self,
        app: &App,
        destination: Destination,
        joining: Joining,
    ) -> Result<(), StartFailure> {
        let driver = app.log.as_ref().and_then(|log| log.driver);
        let keeper = match (driver, destination) {
            (None, Destination::Log) | (Some(LogDriver::K8sFile), _) => {
                Keeper::File(self.file(app, joining)?)
            }
            (Some(LogDriver::Journald), _) => Keeper::Journal(self.author(app)),
            (Some(LogDriver::None), Destination::Log) => Keeper::Nobody,
            (None | Some(LogDriver::None), Destination::Foreground) => return Ok(()),
        };
        let log = AppLog {
            keeper,
            budget: Budget::new(&self.bounds, Instant::now()),
            shown: Default::default(),
        };
        self.apps.insert(app.name.clone(), log);
        Ok(())
    }

    fn file(&self, app: &App, joining: Joining) -> Result<LogFile, StartFailure> {
        let directory = app_dir(&self.pod_dir, &app.name);
        if let Some(path) = app.log.as_ref().and_then(|log| log.path.as_deref()) {
            let what = format!("open the log {} of app {}", path.display(), app.name);
            return match path.is_absolute() {
                true => LogFile::at(path, &directory).map_err(StartFailure::os(what)),
                false => Err(StartFailure::other(format!(
                    "cannot {what}: the path is relative"
                ))),
            };
        }
        let size = app.log.as_ref().and_then(|log| log.max_size);
        let size = size.unwrap_or(self.bounds.log_size);
        let log = match joining {
            Joining::AtStart => LogFile::create(&directory, size),
            Joining::Later | Joining::Again => LogFile::go_on(&directory, size),
        };
        log.map_err(StartFailure::os(format_args!(
            "create the log in {}",
            directory.display()
        )))
    }

    /// The fields of an app's entries: as docker and podman call them, and fairing's own.
    fn author(&self, app: &App) -> Rc<Author> {
        // A pod of one app is what others call a container.
        let name = match self.is_of_one_app {
            true => self.called.clone(),
            false => format!("{}-{}", self.called, app.name),
        };
        let tag = app.log.as_ref().and_then(|log| log.tag.as_deref());
        let image = app.image.reference.to_string();
        let mut fields = vec![
            ("SYSLOG_IDENTIFIER", tag.unwrap_or(&name)),
            ("CONTAINER_ID", &self.short),
            ("CONTAINER_ID_FULL", &self.pod),
            ("CONTAINER_NAME", &name),
            ("IMAGE_NAME", &image),
            ("FAIRING_POD", &self.pod),
            ("FAIRING_APP", app.name.as_str()),
        ];
        fields.extend(tag.map(|tag| ("CONTAINER_TAG", tag)));
        Author::new(&fields)
    }

    /// Takes over an output that goes nowhere else.
    pub(super) fn follow(
        &mut self,
        app: &AppName,
        output: Output,
        source: OwnedFd,
        is_terminal: bool,
    ) {
        let pump = LogPump::new(source, app.clone(), output, is_terminal);
        self.pumps.push(pump);
    }

    /// Keeps what is seen of an output on its way elsewhere.
    pub(super) fn keep(&mut self, app: &AppName, output: Output, bytes: &[u8], now: Instant) {
        let Some(AppLog {
            keeper,
            budget,
            shown: [stdout, stderr],
        }) = self.apps.get_mut(app)
        else {
            return;
        };
        let lines = match output {
            Output::Stdout => stdout,
            Output::Stderr => stderr,
        };
        let room = &mut self.room.1;
        let logged = keeper.take(lines, output, bytes, &mut self.journal, room, now);
        budget.pay_for_logging(logged, now);
    }

    /// No more is seen of that output.
    pub(super) fn end(&mut self, app: &AppName, output: Output) {
        let Some(log) = self.apps.get_mut(app) else {
            return;
        };
        let [stdout, stderr] = &mut log.shown;
        let lines = match output {
            Output::Stdout => stdout,
            Output::Stderr => stderr,
        };
        let (journal, room) = (&mut self.journal, &mut self.room.1);
        log.keeper
            .finish(lines, output, journal, room, Instant::now());
    }

    /// An app has left the pod.
    pub(super) fn forget(&mut self, app: &AppName) {
        self.apps.remove(app);
    }

    /// Goes on in a new log file, of one app or of each.
    pub(super) fn reopen(&mut self, app: Option<&AppName>) -> Result<(), StartFailure> {
        let chosen = |name: &AppName| app.is_none_or(|app| app == name);
        for (name, log) in self.apps.iter_mut().filter(|(name, _)| chosen(name)) {
            if let Keeper::File(file) = &mut log.keeper {
                file.reopen().map_err(StartFailure::os(format_args!(
                    "open the log of app {name} anew"
                )))?;
            }
        }
        Ok(())
    }

    /// When there is something to do though nothing happens.
    pub(super) fn due(&self) -> Option<Instant> {
        let budgets = self.apps.values().map(|log| &log.budget);
        let looks = self.apps.values().filter_map(|log| match &log.keeper {
            Keeper::File(file) => file.due(),
            Keeper::Journal(author) => match author.has_lost() {
                true => self.journal.looks_at(),
                false => None,
            },
            Keeper::Nobody => None,
        });
        budgets
            .filter_map(Budget::rests_until)
            .chain(self.pumps.iter().filter_map(LogPump::rests_until))
            .chain(looks)
            .chain(self.journal.due())
            .min()
    }

    /// Does what is due.
    pub(super) fn keep_time(&mut self, now: Instant) {
        self.journal.keep_time(now);
        let mut gathers = false;
        for pump in &mut self.pumps {
            gathers |= pump.rests_until().is_some();
            pump.wake(now);
        }
        if !gathers {
            // Most apps are quiet most of the time.
            self.room = (Vec::new(), Vec::new());
        }
        for log in self.apps.values_mut() {
            log.budget.wake(now);
            match &mut log.keeper {
                Keeper::File(file) => file.look(now),
                Keeper::Journal(author) => self.journal.look(author, now),
                Keeper::Nobody => {}
            }
        }
    }

    /// Whether nothing is read of what this app writes, for the sake of its log.
    pub(super) fn holds_back(&self, app: &AppName) -> bool {
        self.apps.get(app).is_some_and(|log| {
            let is_full = || matches!(log.keeper, Keeper::Journal(_)) && self.journal.holds_back();
            log.budget.rests() || is_full()
        })
    }

    fn rests(&self, pump: &LogPump) -> bool {
        pump.rests_until().is_some() || self.holds_back(&pump.app)
    }

    /// The events that logs wait for.
    pub(super) fn interests(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        let pumps = self.pumps.iter().filter(|pump| !self.rests(pump));
        let journal = self.journal.interest();
        let sources = pumps.map(|pump| (pump.source(), PollFlags::POLLIN));
        journal.into_iter().chain(sources)
    }

    /// Moves what can be moved: `ready` answers [`Logs::interests`] one by one.
    pub(super) fn advance(
        &mut self,
        mut ready: impl Iterator<Item = bool>,
        attached: &mut Attachments,
        now: Instant,
    ) {
        // Asked before anything is paid for: two streams may have one budget.
        let asked: Vec<bool> = self.pumps.iter().map(|pump| !self.rests(pump)).collect();
        if self.journal.interest().is_some() && ready.next().unwrap_or(false) {
            self.journal.advance(now);
        }
        let Self {
            apps,
            pumps,
            journal,
            room: (read, gathered),
            ..
        } = self;
        for (pump, asked) in pumps.iter_mut().zip(asked) {
            if !asked || !ready.next().unwrap_or(false) {
                continue;
            }
            let Some(AppLog { keeper, budget, .. }) = apps.get_mut(&pump.app) else {
                // The app has left the pod, and nobody keeps what it still says.
                pump.give_up();
                attached.end(&pump.app, pump.output);
                continue;
            };
            let (app, output) = (pump.app.clone(), pump.output);
            let gulp = match keeper {
                Keeper::Journal(_) => Gulp::Little,
                _ if attached.are_shown(&app) => Gulp::Watched,
                _ => Gulp::Much,
            };
            pump.advance(gulp, now, read, |lines, bytes| {
                attached.show(&app, output, bytes);
                let logged = keeper.take(lines, output, bytes, journal, gathered, now);
                match keeper {
                    Keeper::Nobody => budget.pay_for_passing(bytes.len(), now),
                    _ => budget.pay_for_logging(logged, now),
                }
                !budget.rests()
            });
            if pump.is_done() {
                let logged = keeper.finish(&mut pump.lines, output, journal, gathered, now);
                budget.pay_for_logging(logged, now);
                attached.end(&app, output);
            }
        }
        pumps.retain(|pump| !pump.is_done());
    }

    /// Whether all output is where it is kept, as far as somebody takes it.
    pub(super) fn are_drained(&self) -> bool {
        self.pumps.is_empty() && self.journal.is_settled()
    }

    /// What is missing in the journal and was not told there.
    pub(super) fn untold(&self) -> impl Iterator<Item = String> {
        self.apps
            .iter()
            .filter_map(|(name, log)| match &log.keeper {
                Keeper::Journal(author) => {
                    let (lines, why) = author.missing()?;
                    Some(format!("the log of app {name} lacks {lines}: {why}"))
                }
                _ => None,
            })
    }
}

impl Keeper {
    /// Takes what an app has written; how many bytes that is where it is kept.
    fn take(
        &mut self,
        lines: &mut Lines,
        output: Output,
        bytes: &[u8],
        journal: &mut Journal,
        room: &mut Vec<u8>,
        now: Instant,
    ) -> usize {
        match self {
            Self::File(file) => {
                let mut entries = Entries::new(file, output, room);
                lines.split(bytes, |text, part| entries.add(text, part));
                entries.finish()
            }
            Self::Journal(author) => {
                let mut length = 0;
                lines.split(bytes, |text, part| {
                    length += journal.enter(author, output, part, text, now);
                });
                length
            }
            Self::Nobody => 0,
        }
    }

    /// The same when nothing more comes.
    fn finish(
        &mut self,
        lines: &mut Lines,
        output: Output,
        journal: &mut Journal,
        room: &mut Vec<u8>,
        now: Instant,
    ) -> usize {
        let mut length = 0;
        match self {
            Self::File(file) => {
                let mut entries = Entries::new(file, output, room);
                lines.finish(|text, part| entries.add(text, part));
                length = entries.finish();
            }
            Self::Journal(author) => lines.finish(|text, part| {
                length += journal.enter(author, output, part, text, now);
            }),
            Self::Nobody => {}
        }
        length
    }
}
