//! The user's terminal, and what goes through it.

pub(crate) mod attachment;
pub(crate) mod detach_keys;
pub(crate) mod pump;
pub(crate) mod question;
pub(crate) mod raw_mode;
pub(crate) mod session;
pub(crate) mod sink;
pub(crate) mod waiting;
