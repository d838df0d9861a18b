//! System call filters: the default one, and those of profiles.

pub(crate) mod bpf;
mod compile;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod tables;
pub(crate) mod tree;

use pod::manifest::SeccompProfile;
use seccompiler::sock_filter;

pub use self::compile::{SeccompError, compile};
pub use self::tables::{DEFAULT, NUMBERS};
use crate::protocol::CallFilter;

/// The filter of a profile, as pod init is told of it.
///
/// # Errors
/// [`SeccompError`].
pub(crate) fn filter_of(profile: &SeccompProfile) -> Result<CallFilter, SeccompError> {
    let program = compile(profile)?;
    Ok(CallFilter {
        program: program.iter().map(pack).collect(),
        flags: compile::flags(profile),
    })
}

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

#[cfg(test)]
mod tests;
