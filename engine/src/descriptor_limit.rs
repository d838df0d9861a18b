//! How many descriptors a process of many clients may have open. Its own limit is not that of the pods it starts: many programs
//! close every number up to their soft limit, or use select(2), which knows none above 1023.

use std::io;
use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the limit was before it was raised.
static ORIGINAL: OnceLock<Rlimit> = OnceLock::new();

/// Raises the soft limit of this process to the hard one. The programs that it starts from then on, for pods, begin with the
/// limit that it had.
///
/// # Errors
/// If the kernel refuses.
pub fn raise() -> io::Result<()> {
    let limit = *ORIGINAL.get_or_init(|| getrlimit(Resource::Nofile));
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    Ok(setrlimit(Resource::Nofile, raised)?)
}

/// What programs begin with, if that is not what this process has.
pub(crate) fn of_programs() -> Option<Rlimit> {
    ORIGINAL.get().copied()
}
