//! Becoming a pod's monitor, or starting one in the background.

mod background;
pub(crate) mod handover;
pub(crate) mod new_pod;
pub(crate) mod readiness;
pub(crate) mod service;
pub(crate) mod uuid_file;
