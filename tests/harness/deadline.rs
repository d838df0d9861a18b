//! Waiting for what gives no event, with an end.

use std::time::{Duration, Instant};

/// Asks `condition` again and again until it gives a value, at most for `limit`.
///
/// Only for states that nothing announces (a directory that appears, a server that begins to
/// listen). Where there is a file descriptor or an exit to wait for, wait for that.
///
/// # Panics
/// When the time is over; the message names `what`.
pub fn wait_until<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    match eventually(limit, &mut condition) {
        Some(value) => value,
        None => panic!("{what}: not so after {limit:?}"),
    }
}

/// Like [`wait_until`], but gives `None` when the time is over.
pub fn eventually<T>(limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(value) = condition() {
            return Some(value);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
