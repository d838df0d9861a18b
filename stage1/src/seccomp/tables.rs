//! What is made when fairing is built.

// The default filter, compiled from `dist/seccomp/default.json`. A system call that is refused for what it does fails
// with EPERM; one that is not known, with ENOSYS, so that a C library falls back to an older one. And the numbers of
// system calls.
include!(concat!(env!("OUT_DIR"), "/seccomp.rs"));
