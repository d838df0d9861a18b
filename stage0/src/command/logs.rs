//! `fairing logs`: what the apps of a detached pod have written.

use std::io::{self, Write};
use std::os::fd::AsFd;

use clap::Args;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use pod::control::Response;
use pod::manifest::{PodManifest, Streams, app_dir};
use pod::seqpacket::SeqPacket;
use pod::{AppName, PodEntry, State};

use super::Subcommand;
use crate::connection::connect_when_up;
use crate::context::Context;
use crate::ending;
use crate::failure::Failure;
use crate::log_line::{LogLine, Stream};
use crate::log_merge::LogMerge;
use crate::pump::has_input;

/// Arguments of `logs`.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Name or UUID of the pod, or the beginning of its UUID
    #[arg(value_name = "POD")]
    pod: String,
    /// Show what is written from now on too, until the pod ends
    #[arg(short, long)]
    follow: bool,
    /// Show the log of this app alone
    #[arg(long, value_name = "NAME")]
    app: Option<AppName>,
    /// Show no more than the last lines
    #[arg(long, value_name = "NUMBER")]
    tail: Option<u64>,
    /// Show when each line was written
    #[arg(long)]
    timestamps: bool,
}

impl Subcommand for Logs {
    const NAME: &'static str = "logs";
    const ABOUT: &'static str = "Show what the apps of a detached pod have written";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let entry = context.pods().find(&self.pod)?;
        let manifest = PodManifest::load(&entry.path)?;
        if manifest.streams == Streams::Foreground {
            return Err(Failure::Other(format!(
                "pod {} has no logs: it was run in the foreground; run it with --detach",
                entry.uuid
            )));
        }
        let names = self.names(&manifest)?;
        let follower = match self.follow && entry.state()? == State::Running {
            true => Follower::new(&entry, &names, context)?,
            false => None,
        };
        let mut logs = LogMerge::open(&entry.path, &names)?;
        if let Some(tail) = self.tail {
            logs.skip_to_tail(tail)?;
        }
        let mut printer = Printer {
            names: match names.as_slice() {
                [_] => Vec::new(),
                _ => names,
            },
            timestamps: self.timestamps,
            stream: Stream::Stdout,
            pending: Vec::new(),
        };
        printer.print_all(&mut logs)?;
        let Some(follower) = follower else {
            return Ok(0);
        };
        loop {
            let ended = follower.wait(&entry)?;
            logs.read_on();
            printer.print_all(&mut logs)?;
            if ended {
                return Ok(0);
            }
        }
    }
}

impl Logs {
    fn names(&self, manifest: &PodManifest) -> Result<Vec<AppName>, Failure> {
        match &self.app {
            None => Ok(manifest.apps.iter().map(|app| app.name.clone()).collect()),
            Some(name) if manifest.app(name).is_some() => Ok(vec![name.clone()]),
            Some(name) => Err(Failure::Other(format!(
                "pod {} has no app `{name}`",
                manifest.uuid
            ))),
        }
    }
}

/// Bytes that are written at once.
const CHUNK: usize = 64 << 10;

struct Printer {
    /// Names of the apps, if there are several to tell apart.
    names: Vec<AppName>,
    timestamps: bool,
    /// Where what is pending goes.
    stream: Stream,
    pending: Vec<u8>,
}

impl Printer {
    /// Writes all that the logs have now, in order: both streams may go to the same terminal.
    fn print_all(&mut self, logs: &mut LogMerge) -> Result<(), Failure> {
        while let Some((app, line)) = logs.next()? {
            if line.stream != self.stream || self.pending.len() >= CHUNK {
                self.flush()?;
                self.stream = line.stream;
            }
            self.append(app, &line);
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Failure> {
        match self.stream {
            Stream::Stderr => io::stderr().lock().write_all(&self.pending),
            Stream::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout
                    .write_all(&self.pending)
                    .and_then(|()| stdout.flush())
            }
        }
        .map_err(|error| Failure::Other(format!("cannot write the log: {error}")))?;
        self.pending.clear();
        Ok(())
    }

    fn append(&mut self, app: usize, line: &LogLine) {
        let bytes = &mut self.pending;
        if self.timestamps {
            bytes.extend_from_slice(line.time.as_bytes());
            bytes.push(b' ');
        }
        if let Some(name) = self.names.get(app) {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
        }
        bytes.extend_from_slice(&line.text);
        if !line.is_partial || self.timestamps || !self.names.is_empty() {
            bytes.push(b'\n');
        }
    }
}

/// Waits for more of a log, and for the pod's end.
struct Follower {
    changes: Inotify,
    connection: SeqPacket,
}

impl Follower {
    /// `None` if the pod has ended.
    fn new(
        entry: &PodEntry,
        names: &[AppName],
        context: &Context,
    ) -> Result<Option<Self>, Failure> {
        let Some(connection) = connect_when_up(entry, &context.directories)? else {
            return Ok(None);
        };
        let failed = |errno| Failure::errno("watch", &entry.path)(errno);
        let changes =
            Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).map_err(failed)?;
        let events =
            AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
        for name in names {
            match changes.add_watch(&app_dir(&entry.path, name), events) {
                Ok(_) => {}
                // It ended and was removed in this very moment.
                Err(Errno::ENOENT) => return Ok(None),
                Err(errno) => return Err(failed(errno)),
            }
        }
        Ok(Some(Self {
            changes,
            connection,
        }))
    }

    /// Waits until there may be more to read; true if nothing more will come.
    fn wait(&self, entry: &PodEntry) -> Result<bool, Failure> {
        let mut descriptors = [
            PollFd::new(self.changes.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.connection.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut descriptors, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Failure::Other(format!("cannot wait: {errno}"))),
        }
        let [_, connection] = descriptors;
        // What changed doesn't matter: everything is read on.
        while self
            .changes
            .read_events()
            .is_ok_and(|events| !events.is_empty())
        {}
        if !has_input(connection.revents()) {
            return Ok(false);
        }
        match self.connection.recv::<Response>() {
            Ok(Some(_)) => Ok(false),
            Ok(None) | Err(_) => {
                ending::wait_for_lock(entry)?;
                Ok(true)
            }
        }
    }
}
