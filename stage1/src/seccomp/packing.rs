//! Instructions as numbers, for messages.

use seccompiler::sock_filter;

/// An instruction as one number.
pub(crate) fn pack(step: &sock_filter) -> u64 {
    let high = u64::from(step.code) << 16 | u64::from(step.jt) << 8 | u64::from(step.jf);
    high << 32 | u64::from(step.k)
}

/// The instruction that [`pack`] has made a number.
pub(crate) fn unpack(packed: u64) -> libc::sock_filter {
    libc::sock_filter {
        code: (packed >> 48) as u16,
        jt: (packed >> 40) as u8,
        jf: (packed >> 32) as u8,
        k: packed as u32,
    }
}
