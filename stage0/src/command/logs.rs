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
use crate::log_files::LogFiles;
use crate::log_line::{LogLine, Stream};
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
    tail: Option<usize>,
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
        let mut lines = Vec::new();
        let mut logs = Vec::with_capacity(names.len());
        for name in names {
            let mut of_app = Vec::new();
            let mut log = LogFiles::open(app_dir(&entry.path, &name), &mut of_app)?;
            log.read(&mut of_app)?;
            lines.extend(of_app.into_iter().map(|line| (logs.len(), line)));
            logs.push((name, log));
        }
        // Stable: lines of one app keep their order. RFC 3339 with nanoseconds sorts as text.
        lines.sort_by(|(_, a), (_, b)| a.time.cmp(&b.time));
        let from = tail_from(&lines, self.tail);
        let printer = Printer {
            names: match logs.len() {
                0 | 1 => Vec::new(),
                _ => logs.iter().map(|(name, _)| name.clone()).collect(),
            },
            timestamps: self.timestamps,
        };
        printer.print(lines.get(from..).unwrap_or_default())?;
        let Some(follower) = follower else {
            return Ok(0);
        };
        loop {
            let ended = follower.wait(&entry)?;
            let mut lines = Vec::new();
            for (at, (_, log)) in logs.iter_mut().enumerate() {
                let mut of_app = Vec::new();
                log.read(&mut of_app)?;
                lines.extend(of_app.into_iter().map(|line| (at, line)));
            }
            lines.sort_by(|(_, a), (_, b)| a.time.cmp(&b.time));
            printer.print(&lines)?;
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

/// Where the last `tail` whole lines begin.
fn tail_from(lines: &[(usize, LogLine)], tail: Option<usize>) -> usize {
    let Some(tail) = tail else { return 0 };
    let mut left = tail;
    for (at, (_, line)) in lines.iter().enumerate().rev() {
        // The end of a line counts it; parts before belong to it.
        if !line.is_partial {
            match left.checked_sub(1) {
                Some(less) => left = less,
                None => return at + 1,
            }
        }
    }
    0
}

struct Printer {
    /// Names of the apps, if there are several to tell apart.
    names: Vec<AppName>,
    timestamps: bool,
}

impl Printer {
    fn print(&self, lines: &[(usize, LogLine)]) -> Result<(), Failure> {
        // Written stream by stream, in order: both may go to the same terminal.
        for run in lines.chunk_by(|(_, a), (_, b)| a.stream == b.stream) {
            let mut bytes = Vec::new();
            for (app, line) in run {
                self.append(&mut bytes, *app, line);
            }
            match run.first().map(|(_, line)| line.stream) {
                Some(Stream::Stderr) => io::stderr().lock().write_all(&bytes),
                _ => {
                    let mut stdout = io::stdout().lock();
                    stdout.write_all(&bytes).and_then(|()| stdout.flush())
                }
            }
            .map_err(|error| Failure::Other(format!("cannot write the log: {error}")))?;
        }
        Ok(())
    }

    fn append(&self, bytes: &mut Vec<u8>, app: usize, line: &LogLine) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_line::parse;

    fn lines(tags: &str) -> Vec<(usize, LogLine)> {
        tags.chars()
            .map(|tag| format!("2026-01-02T03:04:05Z stdout {tag} x"))
            .map(|line| (0, parse(line.as_bytes()).unwrap()))
            .collect()
    }

    #[test]
    fn the_tail_counts_whole_lines() {
        assert_eq!(tail_from(&lines("FFF"), None), 0);
        assert_eq!(tail_from(&lines("FFF"), Some(2)), 1);
        assert_eq!(tail_from(&lines("FFF"), Some(9)), 0);
        assert_eq!(tail_from(&lines("FFF"), Some(0)), 3);
        assert_eq!(tail_from(&lines("FPPF"), Some(1)), 1);
        assert_eq!(tail_from(&lines("FPPFP"), Some(1)), 1);
    }
}
