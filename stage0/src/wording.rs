//! Words for people: why a command failed and what helps, what it warns of, how a pod is.

mod advice;
pub(crate) mod docker_members;
pub(crate) mod doctor;
mod edits;
pub(crate) mod exit_code;
pub(crate) mod failure;
pub(crate) mod guide;
pub(crate) mod help;
pub(crate) mod images;
pub(crate) mod in_use;
mod lacking;
pub(crate) mod networks;
pub(crate) mod other_tools;
pub(crate) mod pod;
pub(crate) mod typed;
pub(crate) mod warning;
