//! Copying files out of apps and into them.

pub(crate) mod place;
pub(crate) mod process;
