//! What directories take on the disk, measured in the background: who asks gets what was measured last, and waits no longer
//! than a moment. An app can make so many files that to count them takes minutes.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::statvfs::statvfs;
use pod::disk_usage::{DiskUse, disk_use};

/// How old a measurement may be.
const FRESH: Duration = Duration::from_secs(10);
/// Of how much time one part at most is spent on measuring one directory, and all of them that have been measured before.
const DUTY: u32 = 20;
/// The longest rest after one measurement: a directory that takes minutes keeps others waiting no longer.
const REST_MAX: Duration = Duration::from_secs(10);
/// After how long without a question a measurement is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// What a directory took when it was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measured {
    /// What it took.
    pub(crate) used: DiskUse,
    /// When that was, in nanoseconds since 1970.
    pub(crate) at: i64,
}

#[derive(Debug)]
struct Known {
    measured: Measured,
    /// When it has to be measured again.
    until: Instant,
}

#[derive(Debug, Default)]
struct State {
    known: BTreeMap<PathBuf, Known>,
    asked: BTreeMap<PathBuf, Instant>,
    queue: VecDeque<PathBuf>,
    is_measuring: bool,
    /// Nothing is measured again before.
    rests_until: Option<Instant>,
}

/// Measures directories. Forgetting it costs a measurement, and nothing else.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<(Mutex<State>, Condvar)>);

impl Disk {
    /// What these directories take; none for one that could not be measured in time, which is then known later.
    pub(crate) fn measure(&self, paths: &[PathBuf], patience: Duration) -> Vec<Option<Measured>> {
        let deadline = Instant::now() + patience;
        let mut state = self.lock();
        state.want(paths);
        // It may rest, and there is what can't wait.
        self.0.1.notify_all();
        if !state.queue.is_empty() && !state.is_measuring {
            let this = self.clone();
            let thread = thread::Builder::new().name("disk".to_owned());
            state.is_measuring = thread.spawn(move || this.work()).is_ok();
        }
        loop {
            let is_known = |path: &PathBuf| state.known.contains_key(path);
            let left = deadline.saturating_duration_since(Instant::now());
            if paths.iter().all(is_known) || left.is_zero() || !state.is_measuring {
                break;
            }
            let (_, changed) = &*self.0;
            let waited = changed.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        let measured = |path: &PathBuf| Some(state.known.get(path)?.measured);
        paths.iter().map(measured).collect()
    }

    fn work(&self) {
        while let Some(path) = self.next() {
            let begun = Instant::now();
            let used = disk_use(&path);
            let took = begun.elapsed();
            let measured = Measured { used, at: now() };
            let until = Instant::now() + FRESH.max(took.saturating_mul(DUTY));
            let mut state = self.lock();
            state.rest(took);
            state.known.insert(path, Known { measured, until });
            self.0.1.notify_all();
        }
    }

    /// What to measure now, having rested where that can wait; `None` if there is nothing.
    fn next(&self) -> Option<PathBuf> {
        let mut state = self.lock();
        loop {
            match state.take(Instant::now()) {
                Next::Measure(path) => return Some(path),
                Next::Rest(rest) => {
                    let (_, changed) = &*self.0;
                    let waited = changed.wait_timeout(state, rest);
                    (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
                }
                Next::Nothing => {
                    state.is_measuring = false;
                    self.0.1.notify_all();
                    return None;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each entry is whole.
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What there is to do.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Measure(PathBuf),
    Rest(Duration),
    Nothing,
}

impl State {
    /// What to do now: what has never been measured comes first, and waits for no rest.
    fn take(&mut self, now: Instant) -> Next {
        let is_unknown = |path: &PathBuf| !self.known.contains_key(path);
        let place = match self.queue.iter().position(is_unknown) {
            Some(place) => place,
            None => match self.rests_until {
                Some(until) if until > now && !self.queue.is_empty() => {
                    return Next::Rest(until.duration_since(now));
                }
                _ => 0,
            },
        };
        self.queue
            .remove(place)
            .map_or(Next::Nothing, Next::Measure)
    }

    /// Rests after a measurement that took so long.
    fn rest(&mut self, took: Duration) {
        let now = Instant::now();
        let from = self.rests_until.filter(|until| *until > now);
        let rest = took.saturating_mul(DUTY - 1).min(REST_MAX);
        self.rests_until = Some(from.unwrap_or(now) + rest);
    }

    /// Has these measured that were not lately, and forgets what nobody asks for any more.
    fn want(&mut self, paths: &[PathBuf]) {
        let now = Instant::now();
        let is_stale = |known: Option<&Known>| known.is_none_or(|known| known.until <= now);
        for path in paths {
            self.asked.insert(path.clone(), now);
            if is_stale(self.known.get(path)) && !self.queue.contains(path) {
                self.queue.push_back(path.clone());
            }
        }
        self.asked
            .retain(|_, at| now.duration_since(*at) < FORGOTTEN);
        let Self { known, asked, .. } = self;
        known.retain(|path, _| asked.contains_key(path));
    }
}

/// The time, as the interface has it.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(1, |since| {
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    })
}

/// How large a file system is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Capacity {
    /// Bytes that it holds.
    pub(crate) bytes: u64,
    /// Those that are free.
    pub(crate) bytes_free: u64,
    /// Files that it holds.
    pub(crate) inodes: u64,
    /// Those that it still takes.
    pub(crate) inodes_free: u64,
}

impl Capacity {
    /// Of the file system that a path is on; nothing of one that doesn't say.
    pub(crate) fn at(path: &Path) -> Self {
        let Ok(found) = statvfs(path) else {
            return Self::default();
        };
        let bytes = |blocks: u64| blocks.saturating_mul(found.fragment_size());
        Self {
            bytes: bytes(found.blocks()),
            bytes_free: bytes(found.blocks_free()),
            inodes: found.files(),
            inodes_free: found.files_free(),
        }
    }

    /// All that is in use of it: what is told of a directory that has not been measured yet, where something has to be.
    pub(crate) fn used(self) -> Measured {
        let used = DiskUse {
            bytes: self.bytes.saturating_sub(self.bytes_free),
            entries: self.inodes.saturating_sub(self.inodes_free),
        };
        Measured { used, at: now() }
    }
}

/// What the interface tells of what is in use on the file system that a path is on.
pub(crate) fn told(path: &Path, measured: Option<Measured>) -> crate::api::FilesystemUsage {
    let value = |number: fn(&Measured) -> u64| {
        let value = measured.as_ref().map(number);
        value.map(|value| crate::api::UInt64Value { value })
    };
    crate::api::FilesystemUsage {
        timestamp: measured.map_or_else(now, |measured| measured.at),
        fs_id: Some(crate::api::FilesystemIdentifier {
            mountpoint: path.display().to_string(),
        }),
        used_bytes: value(|measured| measured.used.bytes),
        inodes_used: value(|measured| measured.used.entries),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_known_until_it_is_old() {
        let dir = tempfile::tempdir().unwrap();
        let paths = [dir.path().to_owned(), dir.path().join("missing")];
        let disk = Disk::default();
        let long = Duration::from_secs(60);
        let first = disk.measure(&paths, long);
        assert_eq!(first[0].unwrap().used.entries, 0);
        assert!(first.iter().all(Option::is_some));
        std::fs::write(dir.path().join("file"), "x").unwrap();
        // Nothing is measured for it.
        assert_eq!(disk.measure(&paths, long), first);
        disk.lock().known.clear();
        let again = disk.measure(&paths, long);
        assert_eq!(again[0].unwrap().used.entries, 1);
    }

    #[test]
    fn what_is_new_is_measured_at_once_and_the_rest_within_one_budget() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let mut state = State::default();
        let (old, new) = (PathBuf::from("/old"), PathBuf::from("/new"));
        let used = DiskUse::default();
        let measured = Measured { used, at: 1 };
        state.known.insert(
            old.clone(),
            Known {
                measured,
                until: now,
            },
        );
        state.want(&[old.clone(), new.clone()]);
        state.rests_until = Some(now + second);
        assert_eq!(state.take(now), Next::Measure(new));
        assert_eq!(state.take(now), Next::Rest(second));
        assert_eq!(state.take(now + second), Next::Measure(old));
        assert_eq!(state.take(now), Next::Nothing);
        // Rests add up, each as long as it may be.
        let begun = Instant::now();
        state.rests_until = None;
        for _ in 0..100 {
            state.rest(Duration::from_millis(20));
        }
        let rest = state.rests_until.unwrap().duration_since(begun);
        assert!(rest >= 38 * second && rest < 60 * second, "{rest:?}");
        state.rests_until = None;
        state.rest(600 * second);
        let rest = state.rests_until.unwrap().duration_since(begun);
        assert!(rest < REST_MAX + 20 * second, "{rest:?}");
    }

    #[test]
    fn what_is_not_measured_yet_takes_no_more_than_its_file_system_has() {
        let dir = tempfile::tempdir().unwrap();
        let whole = Capacity::at(dir.path());
        assert!(whole.bytes > 0 && whole.bytes_free <= whole.bytes);
        assert!(whole.used().used.bytes <= whole.bytes);
        let missing = Capacity::at(&dir.path().join("missing"));
        assert_eq!(missing, Capacity::default());
    }

    #[test]
    fn who_does_not_wait_is_told_what_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::default();
        disk.lock().is_measuring = true;
        let none = disk.measure(&[dir.path().to_owned()], Duration::ZERO);
        assert_eq!(none, [None]);
        let told = told(dir.path(), None);
        assert!(told.timestamp > 0 && told.used_bytes.is_none());
    }
}
