//! The one place of this crate that steps outside of what the compiler can check.
#![allow(unsafe_code)]

use nix::libc;

/// Has all threads share one heap. Else the C library gives each of those that carry calls out its own, up to eight for each
/// processor, and what a burst of calls took stays in them. Calls wait for disks and pods far longer than for memory.
pub(crate) fn share_one_heap() {
    // SAFETY: takes two numbers. No other thread has been started, so that nobody has a heap of its own yet.
    let taken = unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    debug_assert_eq!(taken, 1, "the C library knows M_ARENA_MAX");
}
