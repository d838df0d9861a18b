//! Who works on a pod: the program of a plugin, and all that it starts, hold the lock of a file while they live. They go on
//! if the process that has called them is killed, since what is half done can't be undone by all plugins; whoever comes
//! next for that pod waits for them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::verb::Verb;
use crate::error::PluginFailure;
use crate::id::ContainerId;
use crate::record::{self, FileError};

/// How long those are let go on whose caller has died.
const ORPHANS: Duration = Duration::from_secs(5);
/// How long it may take until who was killed is gone, and until a caller that lives has ended what took too long.
const ENDING: Duration = Duration::from_secs(5);
/// Between two looks at the lock, for which nobody can wait with a limit of time: flock(2) has none.
const PAUSE: Duration = Duration::from_millis(5);
/// Between two looks at who has it.
const LONG_PAUSE: Duration = Duration::from_millis(100);

/// The directory of these files.
pub(crate) fn folder(state: &Path) -> PathBuf {
    state.join("at-work")
}

/// The lock. If it is dropped, those who inherited it still have it.
#[derive(Debug)]
pub(super) struct AtWork {
    path: PathBuf,
    file: File,
}

impl AtWork {
    /// Waits until nobody else works on the pod, and says what is to be done. A caller that lives ends what it has called
    /// within `timeout`. A DEL whose caller has died has as long, and is not asked for again by who has waited in vain.
    pub(super) fn begin(
        state: &Path,
        container: &ContainerId,
        verb: Verb,
        timeout: Duration,
    ) -> Result<Self, PluginFailure> {
        let path = folder(state).join(container.as_str());
        let began = Instant::now();
        loop {
            if let Some(mut file) = try_lock(&path)? {
                let said = file
                    .set_len(0)
                    .and_then(|()| file.write_all(verb.as_str().as_bytes()));
                said.map_err(FileError::io("write", &path))?;
                return Ok(Self { path, file });
            }
            let waited = began.elapsed();
            if waited < ORPHANS {
                thread::sleep(PAUSE);
                continue;
            }
            let holders = holders(&path).map_err(FileError::io("find who has locked", &path))?;
            let has_caller = holders.iter().any(|holder| holder.is_caller);
            let removal = removal_since(&path).filter(|_| verb == Verb::Del && !has_caller);
            let patience = match has_caller || removal.is_some() {
                true => timeout + ENDING,
                false => ORPHANS + ENDING,
            };
            if waited > patience {
                let processes = holders.iter().map(|holder| holder.pid.as_raw_pid());
                return Err(PluginFailure::Busy(processes.collect()));
            }
            let is_late = removal.is_none_or(|since| since.max(waited) >= timeout);
            if !has_caller && is_late {
                holders.iter().for_each(|holder| holder.kill(&path));
                if removal.is_some() && !holders.is_empty() {
                    return Err(PluginFailure::Timeout(timeout));
                }
            }
            thread::sleep(LONG_PAUSE);
        }
    }

    /// The plugin has ended by itself: what it has left running is not waited for.
    pub(super) fn end(self) {
        // Without the lock, a file that stays is in nobody's way.
        let _ = record::remove(&self.path);
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

impl AsFd for AtWork {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// The file with its lock, if nobody else has that.
fn try_lock(path: &Path) -> Result<Option<File>, FileError> {
    loop {
        let mut open = OpenOptions::new();
        open.write(true).create(true).truncate(false).mode(0o600);
        let file =
            record::make_way(path, |path| open.open(path)).map_err(FileError::io("open", path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::INTR) => continue,
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(errno) => return Err(FileError::io("lock", path)(errno.into())),
        }
        let metadata = file.metadata().map_err(FileError::io("look at", path))?;
        // Who had it before has removed it.
        if metadata.nlink() > 0 {
            return Ok(Some(file));
        }
    }
}

/// How long ago a call of DEL began, if that is what the file was locked for.
fn removal_since(path: &Path) -> Option<Duration> {
    let said = fs::read(path).ok()?;
    if said != Verb::Del.as_str().as_bytes() {
        return None;
    }
    let begun = fs::metadata(path).and_then(|file| file.modified()).ok()?;
    // A clock that was set back tells nothing.
    Some(begun.elapsed().unwrap_or_default())
}

/// A process that has the lock.
#[derive(Debug)]
struct Holder {
    pid: Pid,
    /// Whether it has taken it, and not inherited.
    is_caller: bool,
}

impl Holder {
    fn of(process: &Path, lock: (u64, u64)) -> Option<Self> {
        let number: i32 = process.file_name()?.to_str()?.parse().ok()?;
        let descriptors = fs::read_dir(process.join("fd")).ok()?;
        let locker = descriptors.flatten().find_map(|entry| {
            let metadata = fs::metadata(entry.path()).ok()?;
            let has_it_open = (metadata.dev(), metadata.ino()) == lock;
            let info = process.join("fdinfo").join(entry.file_name());
            has_it_open
                .then(|| fs::read_to_string(info).ok())
                .flatten()
                .and_then(|info| locker(&info))
        })?;
        Some(Self {
            pid: Pid::from_raw(number)?,
            is_caller: locker == number,
        })
    }

    /// If it has the lock still.
    fn kill(&self, path: &Path) {
        let killed = pidfd_open(self.pid, PidfdFlags::empty()).and_then(|process| {
            match holders(path) {
                // The number is still that of the same process.
                Ok(now) if now.iter().any(|holder| holder.pid == self.pid) => {
                    pidfd_send_signal(&process, Signal::KILL)
                }
                _ => Ok(()),
            }
        });
        // It has ended, or is looked at again.
        let _ = killed;
    }
}

/// Who has the lock of a file now.
fn holders(path: &Path) -> io::Result<Vec<Holder>> {
    let lock = match fs::metadata(path) {
        Ok(metadata) => (metadata.dev(), metadata.ino()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let processes = fs::read_dir("/proc")?.flatten();
    Ok(processes
        .filter_map(|entry| Holder::of(&entry.path(), lock))
        .collect())
}

/// Who has taken the lock that a descriptor has, by what the kernel tells of the descriptor: `lock: 1: FLOCK ADVISORY WRITE
/// PID …`. Of who waits for the lock it tells nothing.
fn locker(info: &str) -> Option<i32> {
    let mut locks = info.lines().filter_map(|line| line.strip_prefix("lock:"));
    locks.find_map(|lock| {
        let mut words = lock.split_whitespace().skip(1);
        (words.next()? == "FLOCK").then(|| words.nth(2)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    const LONG: Duration = Duration::from_secs(60);

    /// A process that has inherited the lock, and what it was begun with.
    fn inherited(state: &Path, pod: &ContainerId) -> (AtWork, std::process::Child) {
        let lock = AtWork::begin(state, pod, Verb::Add, LONG).unwrap();
        let file = lock.file.try_clone().unwrap();
        let mut command = Command::new("sleep");
        command.arg("1000").stdin(Stdio::from(file));
        (lock, command.spawn().unwrap())
    }

    #[test]
    fn what_the_kernel_tells_of_a_descriptor_is_understood() {
        let of = |lock: &str| locker(&format!("pos:\t0\nflags:\t0100001\n{lock}ino:\t5\n"));
        let flock = "lock:\t1: FLOCK  ADVISORY  WRITE 17 00:2d:5 0 EOF\n";
        assert_eq!(of(flock), Some(17));
        assert_eq!(
            of("lock:\t1: POSIX  ADVISORY  WRITE 17 00:2d:5 0 EOF\n"),
            None
        );
        assert_eq!(of(""), None);
    }

    #[test]
    fn who_has_inherited_the_lock_is_told_apart_from_who_took_it_and_who_waits() {
        let state = tempfile::tempdir().unwrap();
        let pod: ContainerId = "pod".parse().unwrap();
        let (lock, mut child) = inherited(state.path(), &pod);
        let waiter = File::open(&lock.path).unwrap();
        let mut found = holders(&lock.path).unwrap();
        found.sort_by_key(|holder| holder.is_caller);
        let found: Vec<_> = found
            .iter()
            .map(|holder| (holder.pid.as_raw_pid() as u32, holder.is_caller))
            .collect();
        assert_eq!(found, [(child.id(), false), (std::process::id(), true)]);
        drop(waiter);
        // What is left running holds nobody up once the work is done.
        lock.end();
        let began = Instant::now();
        AtWork::begin(state.path(), &pod, Verb::Del, LONG)
            .unwrap()
            .end();
        assert!(began.elapsed() < ORPHANS);
        assert!(record::names(&folder(state.path())).unwrap().is_empty());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn who_comes_next_waits_and_ends_what_never_ends() {
        let state = tempfile::tempdir().unwrap();
        let pod: ContainerId = "pod".parse().unwrap();
        let (lock, mut child) = inherited(state.path(), &pod);
        // As if its caller had been killed.
        drop(lock);
        let began = Instant::now();
        AtWork::begin(state.path(), &pod, Verb::Del, LONG)
            .unwrap()
            .end();
        assert!(began.elapsed() >= ORPHANS);
        let status = child.wait().unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        assert_eq!(signal, Some(libc::SIGKILL));
    }

    #[test]
    fn a_removal_whose_caller_has_died_is_let_go_on_and_not_asked_for_again() {
        let state = tempfile::tempdir().unwrap();
        let pod: ContainerId = "pod".parse().unwrap();
        let lock = AtWork::begin(state.path(), &pod, Verb::Del, LONG).unwrap();
        let mut command = Command::new("sleep");
        command
            .arg("1000")
            .stdin(Stdio::from(lock.file.try_clone().unwrap()));
        let mut child = command.spawn().unwrap();
        // As if its caller had been killed.
        drop((command, lock));
        let limit = ORPHANS + Duration::from_secs(2);
        let began = Instant::now();
        match AtWork::begin(state.path(), &pod, Verb::Del, limit) {
            Err(PluginFailure::Timeout(after)) => assert_eq!(after, limit),
            other => panic!("{other:?}"),
        }
        assert!(began.elapsed() >= limit);
        let status = child.wait().unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        assert_eq!(signal, Some(libc::SIGKILL));
        // The next call asks.
        AtWork::begin(state.path(), &pod, Verb::Del, LONG)
            .unwrap()
            .end();
    }
}
