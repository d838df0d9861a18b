//! How many descriptors pod init may have open: a few for each app, and apps can be many.
//!
//! The soft limit is the caller's, and meant for the apps: many programs close every number up to it, or use select(2),
//! which knows none above 1023. So pod init raises its own only in pods that need it, and gives each process the caller's
//! back.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// From this number on, more are needed than an app or a few take. Those of the next app find room below any usual limit.
const MANY: i32 = 256;

/// What the limit was before it was raised.
static ORIGINAL: OnceLock<Rlimit> = OnceLock::new();

/// Raises the soft limit to the hard one, if this descriptor, the newest, tells of many.
pub(crate) fn raise_beside(newest: impl AsFd) {
    if newest.as_fd().as_raw_fd() < MANY {
        return;
    }
    ORIGINAL.get_or_init(|| {
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit {
            current: limit.maximum,
            ..limit
        };
        // If that is refused there are as many as before, and what finds no room says so.
        let _ = setrlimit(Resource::Nofile, raised);
        limit
    });
}

/// What each process of an app begins with, if that is not what pod init has.
pub(crate) fn of_apps() -> Option<Rlimit> {
    ORIGINAL.get().copied()
}
