//! Stopping all processes of a cgroup, and letting them go on.
//!
//! Version 2 stops what is in the app's own cgroup. Version 1 has a hierarchy for it, in which an app gets a cgroup
//! only when it is first stopped: a start pays nothing for it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::pread;

use super::directory;
use super::error::CgroupError;

/// How long processes may take to stop. One that waits for a disk stops when that has answered.
const PATIENCE: Duration = Duration::from_millis(500);
/// Between two looks at version 1, which tells nobody when it is done.
const PAUSE: Duration = Duration::from_millis(1);

const V1_STATE: &str = "freezer.state";
const V2_SWITCH: &str = "cgroup.freeze";
const V2_EVENTS: &str = "cgroup.events";

/// Stops what is in a version 2 cgroup.
pub(super) fn freeze_v2(folder: &Path) -> Result<(), CgroupError> {
    let deadline = Instant::now() + PATIENCE;
    let path = folder.join(V2_EVENTS);
    let events = directory::open(&path, OFlags::RDONLY)?;
    directory::write(&folder.join(V2_SWITCH), "1")?;
    loop {
        let mut buffer = [0; 256];
        let length = pread(&events, &mut buffer, 0).map_err(CgroupError::io("read", &path))?;
        let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
        if text.lines().any(|line| line == "frozen 1") {
            return Ok(());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            thaw_v2(folder)?;
            return Err(CgroupError::NotFrozen(folder.to_path_buf()));
        }
        // The kernel says when the file has changed since it was read.
        wait(&mut [PollFd::new(&events, PollFlags::PRI)], left);
    }
}

pub(super) fn thaw_v2(folder: &Path) -> Result<(), CgroupError> {
    directory::write(&folder.join(V2_SWITCH), "0")
}

/// Stops what is in the version 1 cgroup `seat`, by way of the cgroup `freezer`.
pub(super) fn freeze_v1(freezer: &Path, seat: &Path) -> Result<(), CgroupError> {
    let deadline = Instant::now() + PATIENCE;
    // First the cgroup, then its processes: each stops as it comes in, and what it forked before is found by the
    // next look.
    directory::write(&freezer.join(V1_STATE), "FROZEN")?;
    loop {
        let missing = strangers(freezer, seat)?;
        missing
            .iter()
            .try_for_each(|pid| directory::move_process(pid, freezer))?;
        let state = directory::read(&freezer.join(V1_STATE))?;
        if missing.is_empty() && state.trim() == "FROZEN" {
            return Ok(());
        }
        if Instant::now() >= deadline {
            thaw_v1(freezer)?;
            return Err(CgroupError::NotFrozen(seat.to_path_buf()));
        }
        if missing.is_empty() {
            wait(&mut [], PAUSE);
        }
    }
}

/// Processes of the app that are not in its freezer yet.
fn strangers(freezer: &Path, seat: &Path) -> Result<Vec<String>, CgroupError> {
    let procs = |folder: &Path| directory::read(&folder.join("cgroup.procs"));
    let inside = procs(freezer)?;
    let inside: BTreeSet<&str> = inside.lines().collect();
    Ok(procs(seat)?
        .lines()
        .filter(|pid| !inside.contains(pid))
        .map(str::to_owned)
        .collect())
}

pub(super) fn thaw_v1(freezer: &Path) -> Result<(), CgroupError> {
    directory::write(&freezer.join(V1_STATE), "THAWED")
}

/// Lets go on what a version 1 cgroup has stopped, so that it can be killed. For any cgroup.
pub(super) fn thaw_to_kill(folder: &Path) {
    // Only cgroups of one hierarchy have that file.
    let _ = thaw_v1(folder);
}

fn wait(fds: &mut [PollFd<'_>], time: Duration) {
    // What a wait that was cut short missed, the next look finds.
    if let Ok(time) = Timespec::try_from(time) {
        let _ = poll(fds, Some(&time));
    }
}
