//! The command line: flags of every command, and the grammar of a pod.

pub(crate) mod app;
pub(crate) mod booleans;
mod command_words;
pub(crate) mod duration;
pub(crate) mod environment;
pub(crate) mod filter;
pub(crate) mod flags;
pub(crate) mod format;
pub(crate) mod global;
pub(crate) mod grace;
pub(crate) mod image_flags;
pub(crate) mod lifetime;
pub(crate) mod listing;
pub(crate) mod local_name;
pub(crate) mod moment;
pub(crate) mod mounts;
pub(crate) mod network;
pub(crate) mod pod;
pub(crate) mod quantity;
mod security_option;
pub(crate) mod selector;
pub(crate) mod split;
pub(crate) mod usage;
pub(crate) mod users;
pub(crate) mod validity;
