//! The few instructions of classic BPF that seccomp filters are made of.

use seccompiler::sock_filter;

/// Load a word of `struct seccomp_data`.
pub(crate) const LOAD: u16 = 0x20;
/// Go on further down, always.
pub(crate) const JUMP: u16 = 0x05;
/// Go on further down if the loaded word is `k`.
pub(crate) const JUMP_EQUAL: u16 = 0x15;
/// Go on further down if the loaded word is at least `k`.
pub(crate) const JUMP_AT_LEAST: u16 = 0x35;
/// Answer.
pub(crate) const RETURN: u16 = 0x06;

/// Offset of the system call's number in `struct seccomp_data`.
pub(crate) const NUMBER: u32 = 0;

/// An instruction without branches.
pub(crate) fn plain(code: u16, k: u32) -> sock_filter {
    sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}
