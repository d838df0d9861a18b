//! Sandboxes: made, stopped, removed, told of.

mod bandwidth;
mod dns;
mod list;
mod machine;
mod ports;
mod remove;
mod run;
mod spec;
mod status;
mod stop;
mod update;

pub(crate) use self::list::{labels_fit, list, listed};
pub(crate) use self::remove::remove;
pub(crate) use self::run::run;
pub(crate) use self::status::{status, told, told_of_gone};
pub(crate) use self::stop::stop;
pub(crate) use self::update::update;
