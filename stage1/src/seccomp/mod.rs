//! System call filters: the default one, and those of profiles.

pub(crate) mod bpf;
mod compile;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod lifted;
mod packing;
mod tables;
pub(crate) mod tree;

use pod::manifest::SeccompProfile;

pub use self::compile::{SeccompError, compile};
pub(crate) use self::lifted::for_capabilities;
pub(crate) use self::packing::{pack, unpack};
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

#[cfg(test)]
mod tests;
