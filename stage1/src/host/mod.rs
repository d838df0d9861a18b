//! What isolators share that run apps on the host's kernel.

pub mod copy;
mod gate;
pub mod init_process;
mod mapping;
pub mod network_namespace;
pub mod pod;
