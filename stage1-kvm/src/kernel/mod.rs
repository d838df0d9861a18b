//! The kernel of virtual machines: any distribution's, with the modules of its own package.

mod inflate;
mod modules;
mod signature;
mod vmlinux;

pub(crate) use modules::{Module, Modules};
pub(crate) use signature::wants_signed_modules;
pub(crate) use vmlinux::extract;
