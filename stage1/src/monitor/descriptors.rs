//! How many descriptors the monitor can still open.
//!
//! Clients take up descriptors, and one that is missing when pod init hands something over would cost the pod. So who
//! wants to wait for something is refused in time, and the rest is kept for those who ask how the pod is or end it.

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::failure::StartFailure;

/// Kept for short requests and for what pod init hands over.
const RESERVED: usize = 16;
/// More than what a command or a client that shares streams needs while it begins.
pub(super) const OF_A_COMMAND: usize = 8;
/// For the connection alone.
pub(super) const OF_A_WAIT: usize = 0;
/// More apps than this, with their streams, logs and what is on its way to pod init, may take more than the usual limit.
const APPS_MAX: usize = 32;
/// The most that the limit is raised to.
const LIMIT_MAX: u64 = 4096;

/// Sees to it that the monitor can open what these apps take. To be called when pod init has been made, which hands its own
/// limit on to them.
pub(super) fn make_room_for_apps(apps: usize) {
    if apps > APPS_MAX {
        raise_limit();
    }
}

/// Why one more client can't wait.
pub(super) fn too_many() -> StartFailure {
    StartFailure::other("too many clients of this pod: its monitor may open no more files")
}

/// Whether so many more can be opened, and others are left.
pub(super) fn are_left(needed: usize) -> bool {
    has_room(RESERVED + needed)
}

/// Whether one more connection leaves enough for what is asked and answered at once.
pub(super) fn are_left_for_a_connection() -> bool {
    has_room(RESERVED / 2)
}

fn has_room(needed: usize) -> bool {
    let Some(open) = open() else {
        // Who can't count finds out by the answers of the system.
        return true;
    };
    let enough =
        |limit: Option<u64>| limit.is_none_or(|limit| open.saturating_add(needed as u64) <= limit);
    // The soft limit is the caller's and the apps' own; pod init had it before.
    enough(getrlimit(Resource::Nofile).current) || enough(raise_limit())
}

/// Raises the limit as far as that is allowed, and says what it is then.
fn raise_limit() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(LIMIT_MAX).min(LIMIT_MAX);
    if limit.current.is_some_and(|current| current < most) {
        limit.current = Some(most);
        // If that is refused there are as many as before.
        let _ = setrlimit(Resource::Nofile, limit);
    }
    getrlimit(Resource::Nofile).current
}

/// How many are open.
fn open() -> Option<u64> {
    const DIRECTORY: &str = "/proc/self/fd";
    let size = rustix::fs::stat(DIRECTORY).ok()?.st_size;
    match u64::try_from(size) {
        Ok(count) if count > 0 => Some(count),
        // Before Linux 6.2 they have to be counted, the one that counts among them.
        _ => Some((std::fs::read_dir(DIRECTORY).ok()?.count() as u64).saturating_sub(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_is_counted() {
        let before = open().unwrap();
        let more: Vec<_> = (0..50).map(|_| std::io::pipe().unwrap()).collect();
        let now = open().unwrap();
        // Other tests open and close some beside this one.
        assert!(now > before + 50, "{before} and then {now}");
        drop(more);
        let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(LIMIT_MAX);
        let most = usize::try_from(limit.min(LIMIT_MAX)).unwrap();
        assert!(are_left(0));
        assert!(!are_left(most.max(20_000)));
    }
}
