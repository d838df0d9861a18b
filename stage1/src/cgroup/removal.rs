//! Removing cgroups, whoever may still be in them.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::directory;
use super::error::CgroupError;
use super::freezer::thaw_to_kill;

/// How long everything in a cgroup may take to be gone once it is killed. A process that waits for a disk can
/// take for ever.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at a cgroup that is busy though it shows no process: one that has ended and is not
/// yet off the books.
const PAUSE: Duration = Duration::from_millis(1);

/// Removes a cgroup and those below it, with every process in them. A missing one is removed already.
pub(super) fn remove_tree(folder: &Path) -> Result<(), CgroupError> {
    let deadline = Instant::now() + PATIENCE;
    remove(folder, deadline).map_err(CgroupError::io("remove the cgroup", folder))
}

/// Kills every process in a cgroup and waits until there is none, or time is up. What is left then is for its removal to
/// tell of.
pub(super) fn end_all(folder: &Path) {
    let deadline = Instant::now() + PATIENCE;
    let procs = folder.join("cgroup.procs");
    while fs::read_to_string(&procs).is_ok_and(|pids| !pids.is_empty()) && Instant::now() < deadline
    {
        if kill_all(folder, deadline).is_err() {
            return;
        }
    }
}

fn remove(folder: &Path, deadline: Instant) -> io::Result<()> {
    // Mostly nothing is in one any more: that is sooner tried than found out, since the kernel lists the files of one as if
    // it made them each time.
    match fs::remove_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) if e.kind() == io::ErrorKind::ResourceBusy => {}
        other => return other,
    }
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path(), deadline)?;
        }
    }
    loop {
        match fs::remove_dir(folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::ResourceBusy && Instant::now() < deadline => {
                kill_all(folder, deadline)?;
            }
            other => return other,
        }
    }
}

/// Kills every process in a cgroup and waits until each is gone, or time is up.
fn kill_all(folder: &Path, deadline: Instant) -> io::Result<()> {
    thaw_to_kill(folder);
    // Else what forks faster than it is killed stays. Only some cgroups have these files.
    let _ = directory::write(&folder.join("pids.max"), "0");
    let _ = directory::write(&folder.join("cgroup.kill"), "1");
    let text = match fs::read_to_string(folder.join("cgroup.procs")) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let pids = text
        .lines()
        .filter_map(|line| line.parse().ok())
        .filter_map(Pid::from_raw);
    // One that is gone between reading and opening is what was wanted; the descriptor can't mean another.
    let killed: Vec<OwnedFd> = pids
        .filter_map(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
        .filter(|pidfd| pidfd_send_signal(pidfd, Signal::KILL).is_ok())
        .collect();
    for pidfd in &killed {
        let left = deadline.saturating_duration_since(Instant::now());
        wait(&mut [PollFd::new(pidfd, PollFlags::IN)], left)?;
    }
    if killed.is_empty() {
        wait(&mut [], PAUSE)?;
    }
    Ok(())
}

fn wait(fds: &mut [PollFd<'_>], time: Duration) -> io::Result<()> {
    let time = Timespec::try_from(time).map_err(io::Error::other)?;
    poll(fds, Some(&time))?;
    Ok(())
}
