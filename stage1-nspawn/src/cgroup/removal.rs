//! Removing cgroups, whoever may still be in them.

use std::fs;
use std::io;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use stage1::failure::StartFailure;

/// Rounds of killing before giving up: each waits for everything that it killed.
const ROUNDS: usize = 64;
/// How long one killed process may take to be gone.
const PATIENCE: Timespec = Timespec {
    tv_sec: 5,
    tv_nsec: 0,
};

/// Removes a cgroup and those below it, with every process in them. A missing one is removed already.
pub(crate) fn remove_tree(folder: &Path) -> Result<(), StartFailure> {
    let failed = |error: io::Error| {
        StartFailure::os(format_args!("remove the cgroup {}", folder.display()))(error)
    };
    for entry in match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(failed(e)),
    } {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    for _ in 0..ROUNDS {
        match fs::remove_dir(folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::ResourceBusy => {
                kill_all(folder).map_err(failed)?
            }
            other => return other.map_err(failed),
        }
    }
    Err(failed(io::Error::from(io::ErrorKind::ResourceBusy)))
}

/// Kills every process in a cgroup and waits until each is gone.
fn kill_all(folder: &Path) -> io::Result<()> {
    let text = match fs::read_to_string(folder.join("cgroup.procs")) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let pids = text
        .lines()
        .filter_map(|line| line.parse().ok())
        .filter_map(Pid::from_raw);
    for pid in pids {
        // Gone between reading and opening: what was wanted. The descriptor can't mean another process.
        let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
            continue;
        };
        if pidfd_send_signal(&pidfd, Signal::KILL).is_ok() {
            poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&PATIENCE))?;
        }
    }
    Ok(())
}
