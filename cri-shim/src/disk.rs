//! What directories take on the disk, measured in the background: who asks gets what was measured last, and waits no longer
//! than a moment. An app can make so many files that to count them takes minutes.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pod::disk_usage::{DiskUse, disk_use};

/// How old a measurement may be.
const FRESH: Duration = Duration::from_secs(10);
/// Of how much time one part at most is spent on measuring.
const DUTY: u32 = 20;
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
        loop {
            let Some(path) = self.next() else { return };
            let begun = Instant::now();
            let used = disk_use(&path);
            let took = begun.elapsed();
            let measured = Measured { used, at: now() };
            let until = Instant::now() + FRESH.max(took.saturating_mul(DUTY));
            let mut state = self.lock();
            state.known.insert(path, Known { measured, until });
            self.0.1.notify_all();
        }
    }

    fn next(&self) -> Option<PathBuf> {
        let mut state = self.lock();
        let next = state.queue.pop_front();
        state.is_measuring = next.is_some();
        if next.is_none() {
            self.0.1.notify_all();
        }
        next
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each entry is whole.
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
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

/// What the interface tells of it.
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
